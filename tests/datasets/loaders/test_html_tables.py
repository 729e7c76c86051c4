"""HTML tables: the cells that a browser shows, in every place that they cover, and nothing of scripts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.html_tables import html_tables
from lavis.datasets.loaders.tables import Table, TableLoader


def load(folder: Path, page: str | bytes, **options: int) -> Table:
    path = folder / "t.html"
    path.write_bytes(page.encode() if isinstance(page, str) else page)
    return TableLoader(**options).load(path, media_id="t")


def test_merged_cells_stand_in_each_place_that_they_cover(tmp_path: Path) -> None:
    table = load(
        tmp_path,
        """<table><caption>Sales, <b>k€</b></caption>
        <thead><tr><th rowspan=2>Shop<th colspan="2">2020<th>2021</tr>
               <tr><th>Q1<th>Q2<th>Q1</tr></thead>
        <tr><td rowspan=2>North<td>007<td>NA<td>12.50</tr>
        <tr><td colspan=3>closed &amp; sold</tr>
        <tr><td>South</table>""",
    )
    assert table.header == ("Shop", "2020 / Q1", "2020 / Q2", "2021 / Q1")
    assert table.rows == (
        ("North", "007", "NA", "12.50"),
        ("North", "closed & sold", "closed & sold", "closed & sold"),
        ("South", "", "", ""),
    )
    assert table.title == "Sales, k€" and table.notes == ()


def test_scripts_styles_and_markup_are_no_text_of_a_cell(tmp_path: Path) -> None:
    table = load(
        tmp_path,
        """<head><title>x</title></head><script>document.write("<table><tr><td>no</td></tr></table>")</script>
        <style>td {color: red}</style><p>before</p>
        <table><tr><th>a</th><th>b</th></tr><tr><td>1<script>alert("no")</script> <i>kg</i></td>
        <td onclick="no()">two<br>lines<!-- no --></td></tr></table>after""",
    )
    assert table.header == ("a", "b") and table.rows == (("1 kg", "two\nlines"),)


def test_the_largest_table_is_taken_unless_its_number_is_given(tmp_path: Path) -> None:
    page = """<table><tr><td>menu<td>home<tr><td>x<td>y</table>
    <table><tr><td>outer</td><td><table><tr><th>in<th>ner<tr><td>1<td>2<tr><td>3<td>4</table></td></tr></table>"""
    table = load(tmp_path, page)
    assert table.rows == (("1", "2"), ("3", "4")) and table.notes == ("It is table 3 of 3 on the page.",)
    assert load(tmp_path, page, number=1).header == ("menu", "home")
    with pytest.raises(ModalityError, match=r"t: .*t\.html has 3 tables; correct the table option number"):
        load(tmp_path, page, number=4)
    with pytest.raises(ConfigError, match="number counts tables from 1"):
        TableLoader(number=0)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("<p>nothing", "has no tables with cells"),
        ("", "has no tables with cells"),
        ("<table></table>", "has no tables with cells"),
        ("<table><tr><th>only a header</table>", "has no rows"),
        ("<table>" + "<tr><td colspan=1000 rowspan=65534>x" * 2500 + "</table>", "is too large: its merged cells"),
        (b"<table><tr><td>\xff\xfe\xfa", "is no UTF-8 text"),
        (b"<meta charset=klingon><table><tr><td>1<tr><td>2</table>", "is no klingon text"),
    ],
)
def test_pages_that_hold_no_table(tmp_path: Path, page: str | bytes, message: str) -> None:
    with pytest.raises(ModalityError, match=message) as caught:
        load(tmp_path, page)
    assert str(caught.value).startswith("t: ") and "t.html" in str(caught.value)


def test_the_declared_encoding_is_used(tmp_path: Path) -> None:
    page = '<meta charset="iso-8859-1"><table><tr><td>größe<tr><td>1</table>'.encode("iso-8859-1")
    assert load(tmp_path, page).header == ("größe",)


def test_pages_cut_anywhere_give_tables_or_none() -> None:
    page = "<table><thead><tr><th rowspan=2 colspan=3>a<td>b</thead><tr><td><table><tr><td>c</table>d</table>"
    generator = np.random.default_rng(0)
    for _ in range(200):
        pieces = [page[a : a + 20] for a in generator.integers(0, len(page), 6)]
        for table in html_tables("".join(pieces)):
            assert len({len(row) for row in table.rows}) == 1
