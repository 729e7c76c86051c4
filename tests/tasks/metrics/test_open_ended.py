"""Accuracy of open answers, and of choices where there are some."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from lavis.tasks.metrics import MetricSummary
from lavis.tasks.rows import ResultRow

Score = Callable[[str, ResultRow], "float | None"]


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("touch phone", 1.0),
        ("Touch  Phone.", 1.0),
        ("\ttouch\nphone .", 1.0),
        ("touch phone..", 0.0),
        ("phone", 0.0),
        ("touch phone now", 0.0),
        ("touchphone", 0.0),
        ("", 0.0),
        (" . ", 0.0),
    ],
)
def test_case_spaces_and_a_closing_full_stop_do_not_count(answer: str, right: float, score: Score) -> None:
    assert score("accuracy", ResultRow("1", answer, ("touch phone",))) == right


def test_an_empty_answer_is_wrong_even_where_a_gold_is_blank(score: Score) -> None:
    assert score("accuracy", ResultRow("1", "", ("", "x"))) == 0.0


def test_with_options_the_number_counts_and_not_the_text(score: Score) -> None:
    row = ResultRow("1", "sofa", ("sofa",), 0, ("sofa", "bed", "sofa"), tags={"gold_choice": "2"})
    assert score("accuracy", row) == 0.0
    assert score("accuracy", dataclasses.replace(row, choice=2)) == 1.0


def test_real_thermal_qa_records_score_by_equality(
    shared_data: Path, annotated: Callable[[str, Path], list[ResultRow]], summarize: Callable[..., MetricSummary]
) -> None:
    rows = annotated("thermalqa", shared_data / "thermalqa" / "thermalqa_val.first7.json")
    phones = sum(row.gold == ("touch phone",) for row in rows)
    assert 0 < phones < len(rows) == 7

    found = summarize("accuracy", rows, lambda row: "Touch phone.")
    assert found.percent == pytest.approx(100 * phones / 7, abs=1e-4)
    assert summarize("crema_gqa", rows, lambda row: "touch").percent > found.percent
