"""Workbooks: the text that a sheet shows; what unpacks without bound or is damaged is a named error."""

from __future__ import annotations

import datetime
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.spreadsheets import MAX_UNPACKED_BYTES, shown_number
from lavis.datasets.loaders.tables import Table, TableLoader

openpyxl = pytest.importorskip("openpyxl", reason="openpyxl writes and reads the workbooks")


def load(path: Path, **options: str) -> Table:
    return TableLoader(**options).load(path, media_id="t")


def book(path: Path, rows: list[list[Any]], *, merged: tuple[str, ...] = ()) -> Path:
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    for cells in merged:
        made.active.merge_cells(cells)
    made.save(path)
    return path


def rewritten(path: Path, member: str, content: bytes) -> Path:
    """Replace one member of a workbook."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = content
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in members.items():
            archive.writestr(name, held)
    return path


def test_cells_are_what_the_sheet_shows(tmp_path: Path) -> None:
    path = book(tmp_path / "t.xlsx", [["id", "weight", "share", "day", "note"], [7, 12.5, 0.256, None, "NA"]])
    made = openpyxl.load_workbook(path)
    sheet = made.active
    sheet["A2"].number_format, sheet["B2"].number_format, sheet["C2"].number_format = "000", '0.00" kg"', "0.0%"
    sheet["D2"] = datetime.date(2024, 2, 29)
    made.save(path)
    table = load(path)
    assert table.header == ("id", "weight", "share", "day", "note")
    assert table.rows == (("007", "12.50 kg", "25.6%", "2024-02-29", "NA"),)
    assert table.title == "sheet 'Sheet'" and table.notes == ()


def test_merged_cells_are_unfolded_and_formulas_without_value_are_told(tmp_path: Path) -> None:
    rows = [["Shop", "2020", None], ["North", 1, 2], [None, 3, "=B3+1"]]
    table = load(book(tmp_path / "t.xlsx", rows, merged=("B1:C1", "A2:A3")))
    assert table.header == ("Shop", "2020", "2020")
    assert table.rows == (("North", "1", "2"), ("North", "3", ""))
    assert table.notes == ("1 formulas have no stored value; their cells are empty here.",)


def test_the_first_sheet_with_cells_is_taken_or_the_one_named(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    made.active.title = "empty"
    for name in ("first", "second"):
        made.create_sheet(name)["C5"] = name
        made[name]["D6"] = 1.5
    made.save(tmp_path / "t.xlsx")
    table = load(tmp_path / "t.xlsx")
    assert (table.header, table.rows) == (("first", ""), (("", "1.5"),))
    assert table.notes == ("Other sheets of the workbook: empty, second.",)
    assert load(tmp_path / "t.xlsx", sheet="second").header == ("second", "")
    with pytest.raises(ModalityError, match=r"t: workbook .*t\.xlsx has no sheet 'third'"):
        load(tmp_path / "t.xlsx", sheet="third")


def test_an_archive_that_unpacks_without_bound_is_refused_before_it_is(tmp_path: Path) -> None:
    """130 MB of spaces pack to some 130 kB."""
    path = rewritten(book(tmp_path / "t.xlsx", [["a"], [1]]), "xl/extra.xml", b" " * (MAX_UNPACKED_BYTES + 1))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(ModalityError, match=r"unpacks to \d+ bytes"):
        load(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused(tmp_path: Path, encoding: str) -> None:
    bomb = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [<!ENTITY a "aaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    path = rewritten(book(tmp_path / "t.xlsx", [["a"], [1]]), "xl/sharedStrings.xml", bomb.encode(encoding))
    with pytest.raises(ModalityError, match="declares XML entities"):
        load(path)


def test_a_sheet_that_claims_or_spans_too_much(tmp_path: Path) -> None:
    made = openpyxl.Workbook()
    made.active["A1"], made.active["A2"] = "a", "1"
    made.save(tmp_path / "t.xlsx")
    with zipfile.ZipFile(tmp_path / "t.xlsx") as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    wide = sheet.replace(b'ref="A1:A2"', b'ref="A1:XFD1048576"')
    assert wide != sheet
    assert load(rewritten(tmp_path / "t.xlsx", "xl/worksheets/sheet1.xml", wide)).rows == (("1",),)
    made.active["XFD5000"] = "far"
    made.save(tmp_path / "far.xlsx")
    with pytest.raises(ModalityError, match="spans more than"):
        load(tmp_path / "far.xlsx")


def test_damaged_workbooks_end_in_cells_or_a_named_error(tmp_path: Path) -> None:
    whole = book(tmp_path / "t.xlsx", [["a", "b"], [1, "x"]]).read_bytes()
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    generator = np.random.default_rng(0)
    cases = [b"", b"noise", empty.getvalue(), whole[: len(whole) // 2]]
    for _ in range(40):
        damaged = bytearray(whole)
        for at in generator.integers(0, len(damaged), 8):
            damaged[at] = generator.integers(256)
        cases.append(bytes(damaged))
    n_refused = 0
    for content in cases:
        (tmp_path / "x.xlsx").write_bytes(content)
        try:
            assert load(tmp_path / "x.xlsx").rows
        except ModalityError as error:
            n_refused += 1
            assert str(error).startswith("t: workbook") and "x.xlsx" in str(error)
    assert n_refused >= 4


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (7, "General", "7"),
        (0.1, "General", "0.1"),
        (1e21, "General", "1000000000000000000000"),
        (1234567.891, "#,##0.00", "1,234,567.89"),
        (-3.14159, "0.00", "-3.14"),
        (42, "00000", "00042"),
        (0.5, "0%", "50%"),
        (9.5, '"$"#,##0.00', "$9.50"),
        (9.5, "[$€-407] 0.0", "€ 9.5"),
        (0.25, "# ?/?", "0.25"),
        (5, "@", "5"),
        (0, "0.0", "0.0"),
        (0.125, "0.00", "0.13"),
        (-0.004, "0.00", "0.00"),
    ],
)
def test_numbers_are_shown_by_plain_formats_and_stored_by_others(value: float, number_format: str, shown: str) -> None:
    assert shown_number(value, number_format) == shown
