"""MUSIC-AVQA's metrics against the scores that the published rules gave on the real test file."""

from __future__ import annotations

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
    return annotated("musicavqa_mm", shared_data / "music_avqa" / "avqa-test.json")


@pytest.mark.parametrize("predictor", ["yes", "two", "majority_per_type"])
def test_every_cell_of_a_constant_predictor_is_the_official_one(
    predictor: str, rows: list[ResultRow], golden: dict[str, Any], summarize: Summarize
) -> None:
    table = golden["MUSIC-AVQA_test_update"]
    majority = {"/".join(json.loads(cell)): answer for cell, answer in table["majority_by_type"].items()}
    found = summarize(
        "music_avqa_accuracy",
        rows,
        lambda row: majority[row.category] if predictor == "majority_per_type" else predictor,
    )

    expected = dict(table[predictor])
    _, total, percent = expected.pop("Overall")
    assert (found.n, found.left_out) == (total, 0)
    assert found.percent == pytest.approx(percent, abs=0.005)
    assert {group: n for group, (_, n) in found.by_group.items()} == {group: n for group, (_, n, _) in expected.items()}
    for group, (right, n, _) in expected.items():
        assert found.by_group[group][0] == pytest.approx(100 * right / n, abs=1e-4), group


@pytest.mark.parametrize("answer", ["yes", "no", "o", "", "one", "1", "guitar", "two", "e", "right"])
def test_cremas_rule_gives_a_constant_what_cremas_scorer_gave(
    answer: str, rows: list[ResultRow], golden: dict[str, Any], summarize: Summarize
) -> None:
    found = summarize("crema_gqa", rows, lambda row: answer)

    assert found.percent == pytest.approx(golden["MUSIC-AVQA_CREMA_GQA"][answer], abs=1e-4)
    assert (found.n, found.by_group) == (9129, {})


def test_the_gold_scores_100_by_both_rules_and_with_underscores_by_the_official_one(
    rows: list[ResultRow], summarize: Summarize
) -> None:
    for name in ("music_avqa_accuracy", "crema_gqa"):
        assert summarize(name, rows, lambda row: row.gold[0]).percent == 100.0
    with_underscores = summarize("music_avqa_accuracy", rows, lambda row: row.gold[0].replace(" ", "_"))
    assert with_underscores.percent == 100.0


def test_every_worked_example_of_cremas_rule(shared_data: Path, score: Score) -> None:
    cases = json.loads((shared_data / "golden" / "music_cases.json").read_text())
    assert len(cases) == 19
    got = [(prediction, gold, score("crema_gqa", ResultRow("1", prediction, (gold,)))) for prediction, gold, _ in cases]
    assert got == [(prediction, gold, float(right)) for prediction, gold, right in cases]


@pytest.mark.parametrize(
    ("answer", "right"),
    [("acoustic guitar", 1.0), ("acoustic_guitar", 1.0), ("guitar", 0.0), ("Acoustic guitar", 0.0), ("", 0.0)],
)
def test_the_official_rule_is_equality_of_classes(answer: str, right: float, score: Score) -> None:
    assert score("music_avqa_accuracy", ResultRow("1", answer, ("acoustic guitar",))) == right


def test_a_withheld_gold_is_left_out(score: Score) -> None:
    for name in ("music_avqa_accuracy", "crema_gqa"):
        assert score(name, ResultRow("1", "yes", ())) is None
