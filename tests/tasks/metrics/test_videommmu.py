"""Video-MMMU's metrics on rows of its three tracks.

The benchmark's own files may not be passed on, so its constant predictors are scored on them nowhere here; the
parser's worked examples stand in test_videommmu_parser.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from lavis.common.errors import LavisError
from lavis.tasks.metrics import MetricSummary, videommmu
from lavis.tasks.rows import ResultRow

Score = Callable[[str, ResultRow], "float | None"]

CHOICE = ResultRow(
    "adaptation_validation_Art_1",
    "",
    ("ketose",),
    options=("aldose", "ketose"),
    category="adaptation",
    tags={
        **{"track": "adaptation", "subject": "Art", "domain": "Art"},
        **{"question_type": "multiple-choice", "gold_choice": "1"},
    },
)
OPEN = ResultRow(
    "adaptation_test_Physics_2",
    "",
    ("12.97",),
    category="adaptation",
    tags={"track": "adaptation", "subject": "Physics", "domain": "Science", "question_type": "open"},
)


@pytest.mark.parametrize(
    ("row", "answer", "choice", "lmms_eval", "strict", "first_letter"),
    [
        (CHOICE, "ketose", 1, 1.0, 1.0, 1.0),
        (CHOICE, "aldose", 0, 0.0, 0.0, 0.0),
        (CHOICE, "The answer is B.", None, 1.0, 1.0, 0.0),
        (CHOICE, "Because the answer is A", None, 0.0, 0.0, 1.0),
        (CHOICE, "no idea", None, 0.0, 0.0, 0.0),
        (CHOICE, " ", None, 0.0, 0.0, 0.0),
        (CHOICE, "", None, None, 0.0, 0.0),
        (CHOICE, "API Error", None, None, 0.0, 0.0),
        (OPEN, "The mass is 12.97 g.", None, 1.0, 1.0, None),
        (OPEN, "13", None, 0.0, 0.0, None),
        (OPEN, "", None, None, 0.0, None),
        (OPEN, "API Error", None, None, 0.0, None),
    ],
)
def test_the_three_rules_on_one_answer(
    row: ResultRow,
    answer: str,
    choice: int | None,
    lmms_eval: float | None,
    strict: float,
    first_letter: float | None,
    score: Score,
) -> None:
    answered = dataclasses.replace(row, answer=answer, choice=choice)
    got = [score(name, answered) for name in ("videommmu_lmms_eval", "videommmu_strict", "mexa_first_letter")]
    assert got == [lmms_eval, strict, first_letter]


def test_an_open_gold_that_looks_like_a_letter_is_compared_as_text(score: Score) -> None:
    row = dataclasses.replace(OPEN, gold=("A",), answer="a")
    assert score("videommmu_strict", row) == 1.0


def test_rows_without_tags_are_judged_by_their_options(score: Score) -> None:
    row = ResultRow("1", "(B)", ("ketose",), options=("aldose", "ketose"))
    assert score("videommmu_strict", row) == 1.0
    assert score("mexa_first_letter", ResultRow("1", "5", ("5",))) is None


def test_the_subject_art_is_not_counted_into_the_domain_art_twice(summarize: Callable[..., MetricSummary]) -> None:
    rows = [CHOICE, dataclasses.replace(OPEN, answer="12.97")]
    found = summarize("videommmu_strict", rows, lambda row: "B" if row.options else "12.97")

    assert found.by_group == {
        "adaptation": (100.0, 2),
        **{"Art": (100.0, 1), "Art/Art": (100.0, 1), "Science": (100.0, 1), "Science/Physics": (100.0, 1)},
    }
    assert set(summarize("mexa_first_letter", rows, lambda row: "B").by_group) == {"adaptation", "Art"}


def test_what_is_left_out_leaves_the_denominator_of_one_rule_alone(summarize: Callable[..., MetricSummary]) -> None:
    rows = [CHOICE] * 3 + [OPEN]
    answers = iter(["B", "", "API Error", ""])
    given = [dataclasses.replace(row, answer=next(answers)) for row in rows]

    lenient, strict, mexa = (
        summarize(name, given, lambda row: row.answer)
        for name in ("videommmu_lmms_eval", "videommmu_strict", "mexa_first_letter")
    )
    assert (lenient.percent, lenient.n, lenient.left_out) == (100.0, 1, 3)
    assert (strict.percent, strict.n, strict.left_out) == (25.0, 4, 0)
    assert (mexa.percent, mexa.n, mexa.left_out) == (pytest.approx(33.3333), 3, 1)


def test_rows_of_the_parser_carry_what_the_rules_count_by(
    tmp_path: Path, annotated: Callable[[str, Path], list[ResultRow]], summarize: Callable[..., MetricSummary]
) -> None:
    """The published shape: tracks, numbered records, no question_type in the perception track."""
    path = tmp_path / "perception.json"
    path.write_text(
        '{"Perception": {"0": {"id": "validation_Art_Theory_3", "link_selected": "x", "question": "Which?",'
        ' "options": ["aldose", "ketose"], "answer": "B"}}}'
    )
    found = summarize("videommmu_lmms_eval", annotated("videommmu", path), lambda row: 1)

    assert found.by_group == {name: (100.0, 1) for name in ("perception", "Art", "Art/Art_Theory")}


@pytest.mark.parametrize(("after", "before", "delta"), [(60.0, 50.0, 20.0), (40.0, 50.0, -20.0), (50.0, 50.0, 0.0)])
def test_delta_knowledge_is_the_share_of_the_unknown_that_was_learnt(after: float, before: float, delta: float) -> None:
    assert videommmu.delta_knowledge(after, before) == pytest.approx(delta)


def test_delta_knowledge_is_not_defined_where_all_was_known() -> None:
    with pytest.raises(LavisError, match="100 % already"):
        videommmu.delta_knowledge(100.0, 100.0)
