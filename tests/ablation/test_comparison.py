"""Scores and differences of runs: the metric's own percent, units, weights and tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from lavis.ablation.comparison import MCNEMAR, SIGN_FLIP, compare
from lavis.ablation.reading import RunRecord
from lavis.ablation.table import Settings, make_tables
from lavis.ablation.units import make_units
from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.tasks.metrics import Metric
from lavis.tasks.rows import ResultRow

OPTIONS = ("dog", "cat")


def record(rows: Sequence[ResultRow], media: Sequence[str] | None = None, name: str = "run") -> RunRecord:
    usage = {"calls": len(rows), "input_tokens": 0, "output_tokens": 0, "usd": None}
    counts = {status: sum(row.status == status for row in rows) for status in ("answered", "unparsed", "failed")}
    media_ids = tuple(media or [row.question_id for row in rows])
    return RunRecord(name, name, tuple(rows), media_ids, ("exact_match",), counts, usage, frozenset(), 0, 0, 1.0)


def rows(right: Sequence[int], *, category: Sequence[str] = (), content: Sequence[str] = ()) -> list[ResultRow]:
    """Return rows on two options of which the first is right; -1 is a failed one."""
    return [
        ResultRow(
            question_id=f"q{number}",
            answer="" if one < 0 else OPTIONS[1 - one],
            gold=("dog",),
            choice=None if one < 0 else 1 - one,
            options=OPTIONS,
            category=category[number] if category else "",
            tags={"gold_choice": "0", **({"content": content[number]} if content else {})},
            status="failed" if one < 0 else "answered",
        )
        for number, one in enumerate(right)
    ]


def metric(name: str) -> Metric:
    found: Metric = registry.require("metric", name)
    return found


def test_eight_lost_and_one_won_is_p_0_039() -> None:
    full = rows([1] * 20 + [0] * 10)
    without = rows([0] * 8 + [1] * 12 + [1] + [0] * 9)
    runs = [record(full), record(without)]
    _, score = compare(make_units(runs, metric("exact_match"), "media"), n_resamples=2_000, seed=0)
    against = score.against_first
    assert against is not None
    assert (against.better, against.worse, against.n_pairs) == (1, 8, 30)
    assert (against.test, against.p, against.p_by_media) == (MCNEMAR, 0.0390625, None)
    assert against.difference == pytest.approx(-100 * 7 / 30)
    assert against.interval is not None
    low, high = against.interval
    # The difference's standard error is that of its mean: sd of (-1 × 8, 1 × 1, 0 × 21) / sqrt(30).
    width = 2 * 1.96 * 100 * np.std([-1] * 8 + [1] + [0] * 21) / np.sqrt(30)
    assert high - low == pytest.approx(width, rel=0.1)
    assert low < -100 * 7 / 30 < high


def test_questions_of_one_medium_change_sign_together() -> None:
    """Truth: eight lost questions on two media are two pieces of news: 4 sign assignments, all as large: p 2/4."""
    media = ["m0"] * 4 + ["m1"] * 4 + ["m2"] * 4
    runs = [record(rows([1] * 12), media), record(rows([0] * 8 + [1] * 4), media)]
    _, score = compare(make_units(runs, metric("exact_match"), "media"), n_resamples=500, seed=0)
    assert score.against_first is not None
    assert score.against_first.p == 2 / 2**8
    assert score.against_first.p_by_media == 2 / 4
    assert score.interval is not None
    assert score.interval[0] == 0.0  # all three draws may be of the two lost media


def test_a_mean_of_groups_is_the_metrics_own_and_tested_by_what_each_question_weighs() -> None:
    """Truth: 4 sound questions weigh 1/8 each, 2 of speech 1/4, music is absent; one sound won, both speech lost.

    Of the 8 sums ±1/8 ±1/4 ±1/4 four are as large as the 3/8 that was seen; McNemar, which counts heads, would say 1.
    """
    category = ["sound"] * 4 + ["speech"] * 2
    letter = metric("mmau_mexa_letter")
    full, other = rows([1, 1, 0, 0, 1, 1], category=category), rows([1, 1, 1, 0, 0, 0], category=category)
    first, second = compare(make_units([record(full), record(other)], letter, "questions"), n_resamples=200, seed=0)
    assert first.percent == pytest.approx(letter.summarize(full).percent, abs=1e-3)
    assert second.percent == pytest.approx(letter.summarize(other).percent, abs=1e-3)
    assert second.against_first is not None
    assert second.against_first.difference == pytest.approx(100 * (1 / 8 - 2 / 4))
    assert (second.against_first.test, second.against_first.p) == (SIGN_FLIP, 4 / 8)


def test_equal_contents_are_one_unit_as_the_official_rule_counts_them() -> None:
    """Truth: q0 and q1 are one question, right if either is, so 2 of 3 units are right."""
    official = metric("official_llm")
    full = rows([0, 1, 1, 0], content=["a", "a", "b", "c"])
    (score,) = compare(make_units([record(full)], official, "media"), n_resamples=200, seed=0)
    assert score.n == 3
    assert score.percent == pytest.approx(200 / 3)
    assert score.percent == pytest.approx(official.summarize(full).percent, abs=1e-3)


def test_what_a_rule_leaves_out_is_in_no_pair_and_is_told() -> None:
    """Video-MMMU's own rule leaves a failed answer out of its count."""
    lenient = "videommmu_lmms_eval"
    runs = [record(rows([1, 1, 0, 1]), name="full"), record(rows([1, -1, 0, 0]), name="other")]
    (found,) = make_tables({"test": runs}, Settings(metric=lenient, clusters="questions", n_resamples=200))
    full, other = (row.score for row in found.rows)
    assert (full.n, other.n, other.left_out) == (4, 3, 1)
    assert other.percent == pytest.approx(metric(lenient).summarize(runs[1].rows).percent, abs=1e-3)
    assert other.against_first is not None
    assert (other.against_first.n_pairs, other.against_first.worse) == (3, 1)
    assert any("leaves questions out of its count, by its rule: other 1" in note for note in found.notes)
    assert "2/0/1" not in "".join(found.text()) and "3/0/1" in "".join(found.text())


def test_one_medium_has_a_score_but_no_interval() -> None:
    runs = [record(rows([1, 0, 1]), ["m"] * 3), record(rows([1, 1, 1]), ["m"] * 3)]
    first, second = compare(make_units(runs, metric("exact_match"), "media"), n_resamples=200, seed=0)
    assert (first.interval, second.interval) == (None, None)
    assert second.against_first is not None
    assert second.against_first.interval is None
    assert second.percent == 100.0


def test_withheld_golds_give_no_score() -> None:
    row = ResultRow("q", "dog", gold=())
    (found,) = make_tables({"test": [record([row]), record([row])]}, Settings(n_resamples=200))
    assert found.rows[1].score.percent is None
    assert found.rows[1].score.against_first is not None
    assert found.rows[1].score.against_first.p is None
    assert found.cells()[1][1] == "-"


def test_a_table_is_the_same_for_the_same_seed_and_says_when_media_are_few() -> None:
    runs = [record(rows([1, 0, 1, 1] * 4), name="full"), record(rows([0, 0, 1, 1] * 4), name="a|b")]
    tables = [make_tables({"test": runs}, Settings(seed=seed))[0] for seed in (3, 3)]
    assert tables[0].to_json() == tables[1].to_json()
    assert any("16 media are few" in note for note in tables[0].notes)
    assert r"| a\|b |" in tables[0].markdown()


@pytest.mark.parametrize("wrong", [{"n_resamples": 10}, {"seed": -1}])
def test_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        Settings(**wrong)  # type: ignore[arg-type]
