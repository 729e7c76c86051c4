"""Tests and intervals against closed forms, hand-computed values and simulated truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lavis.ablation.statistics import bootstrap, interval, mcnemar, percents, sign_flip


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (8, 1, 0.0390625),  # 2 * (C(9,0) + C(9,1)) / 2^9
        (1, 8, 0.0390625),
        (10, 0, 2 / 1024),
        (3, 2, 1.0),  # 2 * 16 / 32
        (4, 4, 1.0),
        (0, 0, 1.0),
        (5, 0, 0.0625),
    ],
)
def test_mcnemar_by_hand(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(only_first, only_second) == p


def test_mcnemar_of_many_pairs_meets_the_normal_law() -> None:
    """Truth: with 20,000 discordant pairs the binomial is normal, continuity corrected, to three digits."""
    z = (abs(10_200 - 9_800) - 1) / math.sqrt(20_000)
    assert mcnemar(10_200, 9_800) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=5e-3)
    assert mcnemar(20_000, 0) == 0.0  # below what a float can hold, and no error


def test_all_sign_flips_of_right_and_wrong_are_mcnemars_test() -> None:
    differences = np.array([1.0] * 8 + [-1.0] + [0.0] * 50)
    assert sign_flip(differences, n_flips=100, seed=0) == 0.0390625


def test_sign_flips_by_hand_with_unequal_steps() -> None:
    """Truth: of the 8 sign assignments of 3, 2, 1 the sums 6 and -6 alone are as large as 6; 4, -4 join for 4."""
    assert sign_flip(np.array([3.0, 2.0, 1.0]), n_flips=1, seed=0) == 2 / 8
    assert sign_flip(np.array([3.0, 2.0, -1.0]), n_flips=1, seed=0) == 4 / 8
    assert sign_flip(np.zeros(5), n_flips=1, seed=0) == 1.0


def test_drawn_sign_flips_come_near_the_exact_p() -> None:
    differences = np.array([1.0] * 27 + [-1.0] * 13)
    drawn = sign_flip(differences, n_flips=20_000, seed=3)
    assert drawn == pytest.approx(mcnemar(27, 13), abs=0.006)
    assert drawn == sign_flip(differences, n_flips=20_000, seed=3)
    assert sign_flip(np.ones(60), n_flips=999, seed=0) == 1 / 1000  # never 0: the observed one counts


def test_percents_are_means_of_the_groups_that_have_units() -> None:
    sums, counts = np.array([3.0, 1.0, 0.0]), np.array([4.0, 2.0, 0.0])
    assert percents(sums, counts) == pytest.approx(100 * (0.75 + 0.5) / 2)
    assert np.isnan(percents(np.zeros(2), np.zeros(2)))


def _one_group(n: int) -> np.ndarray:
    return np.ones((n, 1))


def test_draws_of_single_questions_spread_as_the_binomial_says() -> None:
    """Truth: the standard error of a mean of n independent 0/1 scores is sqrt(p (1 - p) / n)."""
    scores = np.array([[1.0] * 80 + [0.0] * 120])
    draws = bootstrap(scores, _one_group(200), np.arange(200), n_resamples=20_000, seed=1)
    assert draws.mean() == pytest.approx(40.0, abs=0.1)
    assert draws.std() == pytest.approx(100 * math.sqrt(0.4 * 0.6 / 200), rel=0.03)


def test_draws_of_media_whose_questions_agree_spread_as_if_a_medium_were_one_question() -> None:
    scores = np.repeat([1.0, 0.0], 20)[np.newaxis].repeat(5, axis=1)  # 40 media of 5 equal questions
    media = np.repeat(np.arange(40), 5)
    draws = bootstrap(scores, _one_group(200), media, n_resamples=20_000, seed=1)
    assert draws.std() == pytest.approx(100 * math.sqrt(0.25 / 40), rel=0.03)


def test_differences_are_paired_and_unequal_media_weigh_by_their_questions() -> None:
    rng = np.random.default_rng(5)
    first = (rng.random(60) < 0.5).astype(float)
    media = np.sort(rng.integers(0, 12, 60))
    media = np.unique(media, return_inverse=True)[1]
    shifted = np.array([first, first, 0.5 * first])
    draws = bootstrap(shifted, _one_group(60), media, n_resamples=500, seed=2)
    assert (draws[:, 1] - draws[:, 0] == 0).all()
    assert draws[:, 2] == pytest.approx(0.5 * draws[:, 0])


def test_what_a_rule_leaves_out_leaves_the_denominator_of_every_draw() -> None:
    scores = np.array([[1.0, np.nan, 1.0, np.nan, 1.0]])
    draws = bootstrap(scores, _one_group(5), np.arange(5), n_resamples=2_000, seed=0)
    known = draws[~np.isnan(draws)]
    assert (known == 100.0).all()
    assert 0 < np.isnan(draws).sum() < 100  # (2/5)^5 = 1 % of the draws hold nothing that counts


def test_many_steps_give_as_many_draws_and_a_seed_gives_them_again(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.array([[1.0, 0.0, 1.0, 1.0]])
    monkeypatch.setattr("lavis.ablation.statistics.CELLS", 28)  # 7 draws a step
    draws = bootstrap(scores, _one_group(4), np.arange(4), n_resamples=1_000, seed=4)
    assert draws.shape == (1_000, 1)
    assert draws.mean() == pytest.approx(75.0, abs=2.0)
    again = bootstrap(scores, _one_group(4), np.arange(4), n_resamples=1_000, seed=4)
    assert np.array_equal(draws, again)
    assert interval(draws[:, 0]) == (25.0, 100.0)
    assert interval(np.full(3, np.nan)) is None


def test_the_interval_covers_the_truth_where_media_differ_and_single_questions_do_not() -> None:
    """Truth: 60 media with a rate of 0.2 or 0.8 each, 6 questions a medium; the mean rate is 50 %."""
    rng = np.random.default_rng(11)
    n_media, n_each, n_sets = 60, 6, 250
    media = np.repeat(np.arange(n_media), n_each)
    covered = {"media": 0, "questions": 0}
    for _ in range(n_sets):
        rates = rng.choice([0.2, 0.8], size=n_media)
        scores = (rng.random(n_media * n_each) < rates[media]).astype(float)[np.newaxis]
        for name, clusters in (("media", media), ("questions", np.arange(len(media)))):
            around = interval(bootstrap(scores, _one_group(len(media)), clusters, n_resamples=400, seed=0)[:, 0])
            assert around is not None
            covered[name] += around[0] <= 50.0 <= around[1]
    assert covered["media"] / n_sets > 0.90
    assert covered["questions"] / n_sets < 0.82  # its standard error lacks sqrt(1 + 5 * 0.36) = 1.67
