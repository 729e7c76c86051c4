"""SQA3D's metrics against the scores that the published scorers gave on the real test file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lavis.common.registry import registry
from lavis.datasets.datasets.sqa3d_types import leo_type
from lavis.datasets.question import Media, Question
from lavis.tasks.metrics import sqa3d

METRICS = ("exact_match", "em_refined", "mexa_em", "mexa_refined", "official_llm", "crema_substring")


@pytest.fixture(scope="module")
def questions(shared_data: Path) -> list[Question]:
    rows = json.loads((shared_data / "sqa3d" / "v1_balanced_questions_test_scannetv2.json").read_text())["questions"]
    annotations = json.loads((shared_data / "sqa3d" / "v1_balanced_sqa_annotations_test_scannetv2.json").read_text())
    golds = {row["question_id"]: row["answers"][0]["answer"] for row in annotations["annotations"]}
    return [
        Question(
            question_id=str(row["question_id"]),
            text=row["question"],
            media=Media(row["scene_id"], {}),
            situation=row["situation"],
            answers=(golds[row["question_id"]],),
        )
        for row in rows
    ]


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> dict[str, Any]:
    scores = json.loads((shared_data / "golden" / "constant_predictor_scores.json").read_text())
    table: dict[str, Any] = scores["SQA3D_test"]
    return table


PREDICTORS = {
    "gold": lambda question, table: question.answers[0],
    "gold_upper": lambda question, table: question.answers[0].upper(),
    "the_gold": lambda question, table: "the " + question.answers[0],
    "gold_dot": lambda question, table: question.answers[0] + ".",
    "empty": lambda question, table: "",
    "majority_per_type": lambda question, table: table["majority_by_type"][leo_type(question)],
    **{word: lambda question, table, word=word: word for word in ("yes", "no", "two", "2", "e", "left")},
}


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_constant_predictors_score_what_the_published_scorers_gave(
    predictor: str, questions: list[Question], golden: dict[str, Any]
) -> None:
    expected = golden["scores"][predictor]
    answers = [PREDICTORS[predictor](question, golden) for question in questions]

    def summary(name: str) -> Any:
        metric = registry.require("metric", name)
        return metric.summarize(
            (question, metric.score(answer, question.answers))
            for question, answer in zip(questions, answers, strict=True)
        )

    for name, column in (("exact_match", "LEO_EM"), ("em_refined", "LEO_EM_refined")):
        result = summary(name)
        assert result.n == 3519
        assert result.percent == pytest.approx(expected[column]["all"], abs=1e-4)
        for question_type, (percent, count) in result.by_category.items():
            assert percent == pytest.approx(expected[column][question_type], abs=1e-4)
            assert count == golden["counts_LEO"][question_type]
    assert summary("mexa_em").percent == pytest.approx(expected["MEXA_EM"], abs=1e-4)
    assert summary("mexa_refined").percent == pytest.approx(expected["MEXA_refined"], abs=1e-4)
    crema = summary("crema_substring")
    assert crema.percent == pytest.approx(expected["CREMA_Top1"]["All"], abs=1e-4)
    for question_type, (percent, _) in crema.by_category.items():
        assert percent == pytest.approx(expected["CREMA_Top1"][question_type], abs=1e-4)


def test_a_sentence_around_the_gold_is_refined_right_and_strictly_wrong(
    questions: list[Question], golden: dict[str, Any]
) -> None:
    assert golden["scores"]["sentence_gold"]["LEO_EM"]["all"] == 0.0
    for name, expected in (("exact_match", 0.0), ("em_refined", 100.0), ("mexa_em", 0.0), ("mexa_refined", 100.0)):
        metric = registry.require("metric", name)
        scored = [
            (question, metric.score(f"It is {question.answers[0]} here", question.answers)) for question in questions
        ]
        assert metric.summarize(scored).percent == expected


def test_every_worked_example(shared_data: Path) -> None:
    cases = json.loads((shared_data / "golden" / "sqa_cases.json").read_text())
    assert len(cases) > 40
    for prediction, gold, leo, mexa, crema, official in cases:
        got = [registry.require("metric", name).score(prediction, [gold]) for name in METRICS]
        assert got == [*map(float, leo), *map(float, mexa), float(official), float(crema)], (prediction, gold)


@pytest.mark.parametrize("empty", ["", " ", "\n", "\t "])
def test_an_empty_answer_is_never_an_exact_match(empty: str) -> None:
    for name in ("exact_match", "mexa_em"):
        assert registry.require("metric", name).score(empty, ["", "brown"]) == 0.0
    for name in ("em_refined", "mexa_refined", "official_llm", "crema_substring"):
        assert registry.require("metric", name).score(empty, ["brown"]) == 1.0


def test_exact_match_does_not_depend_on_the_order_of_the_golds() -> None:
    metric = registry.require("metric", "exact_match")
    assert metric.score("brown", ["dark brown", "brown"]) == metric.score("brown", ["brown", "dark brown"]) == 1.0


def test_the_official_rule_counts_equal_content_once() -> None:
    media = Media("scene0000_00", {})
    twice = [
        Question(str(index), "What color is the bathtub?", media, answers=(gold,))
        for index, gold in enumerate(["brown", "red"])
    ]
    metric = registry.require("metric", "official_llm")
    summary = metric.summarize((question, metric.score("brown", question.answers)) for question in twice)
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
