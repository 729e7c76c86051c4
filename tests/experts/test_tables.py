"""Tables: cells are told as they are, long ones by the rows that matter, figures are exact over all rows."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from drawings import drawn, drawn_table
from PIL import Image

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.tables import TableLoader
from lavis.datasets.question import Media, Question
from lavis.experts.reading.grid import ruled_lines
from lavis.experts.tables import TableExpert

CELLS = [["Shop", "Q1", "Q2", "Note"], ["North", "12.50 kg", "007", "open"], ["South", "3 kg", "1,234", "closed"]]


def evidence(path: Path, text: str = "Which shop?", options: tuple[str, ...] = (), **limits: int) -> str:
    question = Question("q", text, Media("t", {}), options=options)
    return TableExpert(**limits).write(TableLoader().load(path, media_id="t"), question=question)


def saved(folder: Path, picture: np.ndarray) -> Path:
    Image.fromarray(picture).save(folder / "t.png")
    return folder / "t.png"


def test_a_small_table_is_told_whole_with_exact_figures(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "city,code,price\nOslo,007,0.1\nRome,012,0.2\nOslo,NA,NA\nLima|Old,3,1e2\n", encoding="utf-8"
    )
    assert evidence(tmp_path / "t.csv").splitlines() == [
        "Table of 4 rows below its header and 3 columns: city, code, price.",
        "All rows:",
        "row | city | code | price",
        "1 | Oslo | 007 | 0.1",
        "2 | Rome | 012 | 0.2",
        "3 | Oslo | NA | NA",
        "4 | Lima\\|Old | 3 | 1e2",
        "Figures over all rows:",
        "- price: 3 numbers, 1 missing; min 0.1 (row 1, Oslo), max 100 (row 4, Lima\\|Old), sum 100.3, "
        "mean about 33.4333",
        "How often each text occurs:",
        "- city: Oslo ×2, Lima\\|Old ×1, Rome ×1",
    ]


def test_of_ten_thousand_rows_those_that_bear_on_the_question_are_told_and_the_figures_are_exact(
    tmp_path: Path,
) -> None:
    """Row 7,000 alone is of Timbuktu; amounts are k / 10, whose sum as floats is not exact."""
    rows = [[f"item {k}", f"{k // 10}.{k % 10}", "A" if k % 3 else "B"] for k in range(1, 10_001)]
    rows[6999][0] = "Timbuktu"
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["name", "amount", "kind"], *rows])
    text = evidence(tmp_path / "t.csv", "What is the amount for Timbuktu?")

    assert text.startswith("Table of 10000 rows below its header and 3 columns: name, amount, kind.")
    assert "\n7000 | Timbuktu | 700.0 | B\n" not in text and "\n7000 | Timbuktu | 700.0 | A\n" in text
    assert "\n1 | item 1 | 0.1 | A\n" in text and "\n10000 | item 10000 | 1000.0 | A\n" in text
    total = sum(Decimal(row[1]) for row in rows)
    assert f"max 1000 (row 10000, item 10000), sum {total.normalize():f}, mean 500.05" in text
    assert "- kind: A ×6667, B ×3333" in text and len(text) < 2500


def test_rows_stay_within_their_bounds(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{k},{'x' * 300}\n" for k in range(30)), encoding="utf-8")
    assert "4 of 30 rows (the first ones and those nearest to the question):" in evidence(
        tmp_path / "t.csv", max_rows=4
    )
    text = evidence(tmp_path / "t.csv", max_chars=600)
    assert "3 of 30 rows (the first ones):" in text and "x" * 160 + " …" in text and "x" * 161 not in text
    assert "sum 435" in text
    for limits in ({"max_rows": 0}, {"max_chars": 10}):
        with pytest.raises(ConfigError, match=r"model\.experts\.table"):
            TableExpert(**limits)


@pytest.mark.parametrize("ruled", [True, False])
def test_the_picture_of_a_table_is_read_cell_by_cell(tmp_path: Path, ruled: bool) -> None:
    pytest.importorskip("rapidocr", reason="RapidOCR reads the pictures")
    text = evidence(saved(tmp_path, drawn_table(CELLS, ruled=ruled, title="Sales by shop", gap_px=24)))
    text = text.replace("3kg", "3 kg")  # a space as narrow as this one gets lost
    assert text.startswith("Table (Sales by shop) of 2 rows below its header and 4 columns: Shop, Q1, Q2, Note.")
    assert "1 | North | 12.50 kg | 007 | open\n2 | South | 3 kg | 1,234 | closed" in text
    assert ("ruled lines" in text) == ruled and "by OCR" in text


def test_merged_cells_of_a_ruled_picture_stand_in_each_place(tmp_path: Path) -> None:
    pytest.importorskip("rapidocr", reason="RapidOCR reads the pictures")
    cells = [[*CELLS[0]], [*CELLS[1]], [*CELLS[2]], ["All shops together", "", "", "good"]]
    picture = drawn_table(cells, ruled=True, merged=[(1, 0, 2, 0), (3, 0, 3, 2)])
    text = evidence(saved(tmp_path, picture)).replace("3kg", "3 kg")
    assert "2 | North | 3 kg | 1,234 | closed" in text
    assert "3 | All shops together | All shops together | All shops together | good" in text


def test_ruled_lines_are_where_they_were_drawn() -> None:
    """The sample's cells are 40 px high from 20 px on."""
    found_x, found_y = ruled_lines(drawn_table(CELLS, ruled=True))
    assert found_y == [20, 60, 100, 140] and len(found_x) == 5 and found_x[0] == 20
    assert ruled_lines(drawn_table(CELLS, ruled=False)) == ([], [])


def test_pictures_without_a_table(tmp_path: Path) -> None:
    pytest.importorskip("rapidocr", reason="RapidOCR reads the pictures")
    for picture in (drawn((200, 100), []), drawn((400, 100), [("just one line of text", 20, 30, 24)])):
        with pytest.raises(ModalityError, match=r"t: no table of two rows .* in the picture .*t\.png"):
            evidence(saved(tmp_path, picture))
