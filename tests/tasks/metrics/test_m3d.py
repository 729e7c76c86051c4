"""M3D-VQA's metrics by its worked examples and its one real row."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lavis.tasks.metrics import MetricSummary
from lavis.tasks.rows import ResultRow

Score = Callable[[str, ResultRow], "float | None"]
PLANES = ResultRow("0", "", ("axial",), options=("axial", "sagittal"), category="plane", tags={"gold_choice": "0"})


def test_every_worked_example(shared_data: Path, score: Score) -> None:
    cases = json.loads((shared_data / "golden" / "m3d_cases.json").read_text())
    assert len(cases) == 11
    for output, gold, official, mexa in cases:
        assert gold == "A"
        row = dataclasses.replace(PLANES, answer=output)
        assert score("m3d_closed", row) == float(official), output
        assert score("m3d_mexa_letter", row) == float(mexa), output


@pytest.mark.parametrize(("choice", "right"), [(0, 1.0), (1, 0.0)])
def test_a_known_choice_is_written_as_each_rule_reads_it(choice: int, right: float, score: Score) -> None:
    """Truth: "A. axial" counts by the official rule alone, "A" by MEXA's alone."""
    row = dataclasses.replace(PLANES, answer=PLANES.options[choice], choice=choice)
    assert score("m3d_closed", row) == score("m3d_mexa_letter", row) == right


def test_the_real_row_scores_by_its_letter(
    shared_data: Path, annotated: Callable[[str, Path], list[ResultRow]], summarize: Callable[..., MetricSummary]
) -> None:
    rows = annotated("m3d", shared_data / "m3d" / "M3D_VQA.one_real_row.csv")
    for name in ("m3d_closed", "m3d_mexa_letter"):
        assert summarize(name, rows, lambda row: 0).by_group == {"organ": (100.0, 1)}
        assert summarize(name, rows, lambda row: 2).percent == 0.0
    assert summarize("m3d_bleu1", rows, lambda row: 0).percent == 100.0


def test_mexas_score_is_the_mean_of_the_types_and_not_of_the_rows(summarize: Callable[..., MetricSummary]) -> None:
    rows = [PLANES] * 3 + [dataclasses.replace(PLANES, category="organ", gold=("sagittal",), tags={"gold_choice": "1"})]

    assert summarize("m3d_mexa_letter", rows, lambda row: 0).percent == 50.0
    assert summarize("m3d_closed", rows, lambda row: 0).percent == 75.0


def test_open_questions_are_scored_by_words_and_left_out_by_letters(score: Score) -> None:
    row = ResultRow("0", "the lung", ("Left lung", "the lung"), category="organ")
    assert score("m3d_closed", row) is score("m3d_mexa_letter", row) is None
    assert score("m3d_bleu1", row) == score("m3d_rouge1", row) == 1.0


def test_a_row_without_gold_is_left_out_though_any_text_holds_a_full_stop(score: Score) -> None:
    row = ResultRow("0", "A. axial.", (), options=("axial", "sagittal"))
    assert [score(name, row) for name in ("m3d_closed", "m3d_mexa_letter", "m3d_bleu1", "m3d_rouge1")] == [None] * 4
    impossible = dataclasses.replace(row, gold=("coronal",))
    assert score("m3d_closed", impossible) == 0.0
