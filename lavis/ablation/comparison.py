"""Scores of several runs and their differences from the first, each with how sure it is."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from lavis.ablation.statistics import Floats, bootstrap, interval, mcnemar, percents, sign_flip
from lavis.ablation.units import Units

MCNEMAR = "McNemar, exact"
SIGN_FLIP = "paired sign-flip permutation"

Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """How one run differs from the first.

    Attributes:
        difference: in percentage points; None where one of them has no score.
        interval: 95 %, of the paired bootstrap; None with fewer than two clusters.
        n_pairs: units that count in both.
        better: units on which this run scores more.
        worse: units on which it scores less.
        test: the name of the test.
        p: two-sided; units count as independent. None without pairs.
        p_by_media: two-sided, of sign flips of whole media; None where clusters are units.
    """

    difference: float | None
    interval: Interval | None
    n_pairs: int
    better: int
    worse: int
    test: str
    p: float | None
    p_by_media: float | None


@dataclasses.dataclass(frozen=True)
class Score:
    """What one run scored.

    Attributes:
        percent: by the metric; None where nothing counts.
        interval: 95 %, of the bootstrap; None with fewer than two clusters.
        n: units that count.
        left_out: units that the rule's authors do not count.
        against_first: the difference; None for the first run itself.
    """

    percent: float | None
    interval: Interval | None
    n: int
    left_out: int
    against_first: Comparison | None


def compare(units: Units, *, n_resamples: int, seed: int) -> list[Score]:
    """Score runs and compare each with the first.

    Args:
        units: of all runs.
        n_resamples: draws of the bootstrap, and of sign flips where not all are tried.
        seed: of both.
    """
    counted = ~np.isnan(units.scores)
    sums = np.where(counted, units.scores, 0.0) @ units.groups
    found = percents(sums, counted.astype(np.float64) @ units.groups)
    # One cluster drawn again and again says nothing about others.
    enough = units.n_clusters > 1
    draws = bootstrap(units.scores, units.groups, units.clusters, n_resamples=n_resamples if enough else 0, seed=seed)
    scores = []
    for run in range(len(units.scores)):
        against = None if run == 0 else _against_first(units, run, found, draws, n_resamples=n_resamples, seed=seed)
        n = int(counted[run].sum())
        scores.append(Score(_number(found[run]), interval(draws[:, run]), n, counted.shape[1] - n, against))
    return scores


def _against_first(units: Units, run: int, found: Floats, draws: Floats, *, n_resamples: int, seed: int) -> Comparison:
    both = ~np.isnan(units.scores[run]) & ~np.isnan(units.scores[0])
    differences = np.where(both, units.scores[run] - units.scores[0], 0.0)
    better, worse = int((differences > 0).sum()), int((differences < 0).sum())
    shares = differences * _weights(units.groups, both)
    is_one_group = units.groups.shape[1] == 1
    test = MCNEMAR if units.is_right_or_wrong and is_one_group else SIGN_FLIP
    p = by_media = None
    if both.any():
        p = mcnemar(worse, better) if test == MCNEMAR else sign_flip(shares, n_flips=n_resamples, seed=seed)
        if units.n_clusters < len(both):
            per_medium = np.zeros(units.n_clusters)
            np.add.at(per_medium, units.clusters, shares)
            by_media = sign_flip(per_medium, n_flips=n_resamples, seed=seed)
    return Comparison(
        difference=_number(found[run] - found[0]),
        interval=interval(draws[:, run] - draws[:, 0]),
        n_pairs=int(both.sum()),
        better=better,
        worse=worse,
        test=test,
        p=p,
        p_by_media=by_media,
    )


def _weights(groups: Floats, both: npt.NDArray[np.bool_]) -> Floats:
    """Return each unit's weight in the metric's mean, over the units that count in both runs, [u]."""
    sizes = groups[both].sum(axis=0)
    held = sizes > 0
    weights: Floats = (groups[:, held] / sizes[held]).sum(axis=1) / max(int(held.sum()), 1)
    return weights


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
