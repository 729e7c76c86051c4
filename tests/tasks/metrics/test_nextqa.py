"""NExT-QA's metrics against the official scorer's numbers on published predictions and constants."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lavis.tasks.metrics import MetricSummary
from lavis.tasks.rows import ResultRow

Summarize = Callable[..., MetricSummary]
Score = Callable[[str, ResultRow], "float | None"]


@pytest.fixture(scope="module")
def rows(shared_data: Path, annotated: Callable[[str, Path], list[ResultRow]]) -> list[ResultRow]:
    return annotated("nextqa", shared_data / "nextqa" / "val.csv")


@pytest.mark.parametrize("choice", range(5))
def test_every_cell_of_a_constant_choice_is_the_official_one(
    choice: int, rows: list[ResultRow], golden: dict[str, Any], summarize: Summarize
) -> None:
    found = summarize("nextqa_accuracy", rows, lambda row: choice)

    expected = dict(golden["NExT-QA_const_val"][str(choice)])
    right, total, _ = expected.pop("All")
    assert (found.n, found.left_out) == (total, 0)
    assert found.percent == pytest.approx(100 * right / total, abs=1e-4)
    assert found.by_group == {
        group: (pytest.approx(100 * right / n, abs=1e-4), n) for group, (right, n, _) in expected.items()
    }


def test_published_predictions_score_what_their_authors_report(
    shared_data: Path, rows: list[ResultRow], summarize: Summarize
) -> None:
    """Truth: HGA's README says C 46.26, T 50.74, D 59.33, all 49.74; its types are from the official script."""
    predictions = json.loads((shared_data / "nextqa" / "HGA-bert-ft-h256-val-example.json").read_text())

    found = summarize("nextqa_accuracy", rows, lambda row: predictions[row.question_id]["prediction"])

    assert round(found.percent, 2) == 49.74
    percents = {group: round(percent, 2) for group, (percent, _) in found.by_group.items()}
    assert percents == {
        **{"C": 46.26, "T": 50.74, "D": 59.33},
        **{"CW": 46.99, "CH": 44.22, "TN": 49.53, "TC": 52.49, "DC": 44.07, "DL": 72.54, "DO": 55.41},
    }


def test_crema_counts_what_came_before_as_a_type_of_its_own(rows: list[ResultRow], summarize: Summarize) -> None:
    official, crema = (summarize(name, rows, lambda row: 0) for name in ("nextqa_accuracy", "crema_videoqa"))

    assert crema.percent == official.percent
    counts = {group: n for group, (_, n) in crema.by_group.items()}
    assert counts == {"CW": 1924, "TN": 895, "CH": 683, "TC": 663, "DO": 305, "DL": 295, "DC": 177, "TP": 54}
    assert "TP" not in official.by_group
    assert official.by_group["TN"][1] == 895 + 54


def test_a_repeated_option_is_right_only_under_the_golds_own_number(score: Score) -> None:
    row = ResultRow("1", "scarf", ("scarf",), options=("scarf", "cap", "scarf"), tags={"gold_choice": "2"})
    choices = [score("nextqa_accuracy", dataclasses.replace(row, choice=choice)) for choice in range(3)]
    assert choices == [0.0, 0.0, 1.0]


def test_an_answer_without_a_known_choice_counts_by_its_letter_alone(score: Score) -> None:
    row = ResultRow("1", "", ("cap",), options=("scarf", "cap"), tags={"gold_choice": "1"})
    got = {
        answer: score("nextqa_accuracy", dataclasses.replace(row, answer=answer)) for answer in ("B", "b", "cap", "")
    }
    assert got == {"B": 1.0, "b": 0.0, "cap": 0.0, "": 0.0}


def test_open_ended_questions_are_left_out(score: Score) -> None:
    for name in ("nextqa_accuracy", "crema_videoqa"):
        assert score(name, ResultRow("1", "play", ("play",))) is None
