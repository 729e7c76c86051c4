"""SQA3D's metrics against the scores that the published scorers gave on the real test file."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from lavis.common.registry import registry
from lavis.datasets.datasets.sqa3d_annotations import read_records
from lavis.tasks.metrics import MetricSummary, sqa3d
from lavis.tasks.rows import ResultRow

METRICS = ("exact_match", "em_refined", "mexa_em", "mexa_refined", "official_llm", "crema_substring")


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[ResultRow]:
    return [
        ResultRow(record.question_id, "", record.answers, category=record.category, tags=record.tags)
        for record in read_records([shared_data / "sqa3d" / "v1_balanced_questions_test_scannetv2.json"])
    ]


def answered(rows: list[ResultRow], answers: Iterable[str]) -> list[ResultRow]:
    return [dataclasses.replace(row, answer=answer) for row, answer in zip(rows, answers, strict=True)]


def score(name: str, answer: str, golds: list[str]) -> float | None:
    result: float | None = registry.require("metric", name).score(ResultRow("1", answer, tuple(golds)))
    return result


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> dict[str, Any]:
    scores = json.loads((shared_data / "golden" / "constant_predictor_scores.json").read_text())
    table: dict[str, Any] = scores["SQA3D_test"]
    return table


PREDICTORS = {
    "gold": lambda row, table: row.gold[0],
    "gold_upper": lambda row, table: row.gold[0].upper(),
    "the_gold": lambda row, table: "the " + row.gold[0],
    "gold_dot": lambda row, table: row.gold[0] + ".",
    "empty": lambda row, table: "",
    "majority_per_type": lambda row, table: table["majority_by_type"][row.category],
    **{word: lambda row, table, word=word: word for word in ("yes", "no", "two", "2", "e", "left")},
}


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_constant_predictors_score_what_the_published_scorers_gave(
    predictor: str, rows: list[ResultRow], golden: dict[str, Any]
) -> None:
    expected = golden["scores"][predictor]
    predicted = answered(rows, [PREDICTORS[predictor](row, golden) for row in rows])

    def summary(name: str) -> MetricSummary:
        found: MetricSummary = registry.require("metric", name).summarize(predicted)
        return found

    for name, column in (("exact_match", "LEO_EM"), ("em_refined", "LEO_EM_refined")):
        result = summary(name)
        assert (result.n, result.left_out) == (3519, 0)
        assert result.percent == pytest.approx(expected[column]["all"], abs=1e-4)
        for question_type, (percent, count) in result.by_group.items():
            assert percent == pytest.approx(expected[column][question_type], abs=1e-4)
            assert count == golden["counts_LEO"][question_type]
    assert summary("mexa_em").percent == pytest.approx(expected["MEXA_EM"], abs=1e-4)
    assert summary("mexa_refined").percent == pytest.approx(expected["MEXA_refined"], abs=1e-4)
    crema = summary("crema_substring")
    assert crema.percent == pytest.approx(expected["CREMA_Top1"]["All"], abs=1e-4)
    for question_type, (percent, _) in crema.by_group.items():
        assert percent == pytest.approx(expected["CREMA_Top1"][question_type], abs=1e-4)


def test_a_sentence_around_the_gold_is_refined_right_and_strictly_wrong(
    rows: list[ResultRow], golden: dict[str, Any]
) -> None:
    assert golden["scores"]["sentence_gold"]["LEO_EM"]["all"] == 0.0
    predicted = answered(rows, [f"It is {row.gold[0]} here" for row in rows])
    for name, expected in (("exact_match", 0.0), ("em_refined", 100.0), ("mexa_em", 0.0), ("mexa_refined", 100.0)):
        assert registry.require("metric", name).summarize(predicted).percent == expected


def test_every_worked_example(shared_data: Path) -> None:
    cases = json.loads((shared_data / "golden" / "sqa_cases.json").read_text())
    assert len(cases) > 40
    for prediction, gold, leo, mexa, crema, official in cases:
        got = [score(name, prediction, [gold]) for name in METRICS]
        assert got == [*map(float, leo), *map(float, mexa), float(official), float(crema)], (prediction, gold)


@pytest.mark.parametrize("empty", ["", " ", "\n", "\t "])
def test_an_empty_answer_is_never_an_exact_match(empty: str) -> None:
    for name in ("exact_match", "mexa_em"):
        assert score(name, empty, ["", "brown"]) == 0.0
    for name in ("em_refined", "mexa_refined", "official_llm", "crema_substring"):
        assert score(name, empty, ["brown"]) == 1.0


def test_exact_match_does_not_depend_on_the_order_of_the_golds() -> None:
    for golds in (["dark brown", "brown"], ["brown", "dark brown"]):
        assert score("exact_match", "brown", golds) == 1.0


def test_the_official_rule_counts_equal_content_once() -> None:
    twice = [ResultRow(gold, "brown", (gold,), tags={"content": "the same"}) for gold in ("brown", "red")]
    summary = registry.require("metric", "official_llm").summarize(twice)
    assert (summary.n, summary.percent) == (1, 100.0)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("çafé", "af"),
        ("mat2", "mat"),
        ("None", "zero"),
        ("  the  TV.", "TV"),
        ("o' clock", "o'clock"),
        ("a chair", "chair"),
        ("23 chairs", "twenty-three chairs"),
    ],
)
def test_normalization_follows_the_published_rule(raw: str, clean: str) -> None:
    assert sqa3d.normalize(raw) == clean
