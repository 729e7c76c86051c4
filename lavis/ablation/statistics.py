"""How sure a score and a difference are: bootstrap intervals, McNemar's exact test, a sign-flip test."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CONFIDENCE = 0.95
# Cells of the largest array that a resampling step holds (8 bytes each).
CELLS = 4_000_000
# Up to so many units every assignment of signs is tried.
EXACT_FLIPS = 16


def percents(sums: Floats, counts: Floats) -> Floats:
    """Return the mean over groups of each group's mean, in percent; NaN where nothing counts.

    Args:
        sums: of the scores, [..., g].
        counts: of the units, [..., g]; a group with none has no part in the mean.
    """
    held = counts > 0
    means = np.divide(sums, counts, out=np.zeros_like(sums), where=held)
    n_held = held.sum(axis=-1)
    found: Floats = np.divide(means.sum(axis=-1), n_held, out=np.full(n_held.shape, np.nan), where=n_held > 0)
    return 100.0 * found


def bootstrap(
    scores: Floats, groups: Floats, clusters: npt.NDArray[np.int64], *, n_resamples: int, seed: int
) -> Floats:
    """Resample clusters with replacement and return what the runs would have scored on each draw.

    All runs are scored on the same draws, so that differences of two columns are paired.

    Args:
        scores: of r runs on the same u units, [r, u]; NaN where a rule leaves one out.
        groups: 1 where a unit counts in a group, else 0, [u, g].
        clusters: the number of each unit's cluster from 0, [u].
        n_resamples: b.
        seed: of the draws.

    Returns:
        Percent, [b, r]; NaN where nothing counted in a draw.
    """
    n_runs, _ = scores.shape
    n_groups = groups.shape[1]
    n_clusters = int(clusters.max()) + 1 if len(clusters) else 0
    if n_clusters == 0 or n_resamples == 0:
        return np.full((n_resamples, n_runs), np.nan)
    counted = ~np.isnan(scores)
    by_unit = np.stack((np.where(counted, scores, 0.0), counted.astype(np.float64)))  # [2, r, u]
    columns = np.einsum("kru,ug->ukrg", by_unit, groups).reshape(len(clusters), -1)
    per_cluster = np.zeros((n_clusters, columns.shape[1]))
    np.add.at(per_cluster, clusters, columns)
    rng = np.random.default_rng(seed)
    step = max(1, CELLS // n_clusters)
    found = []
    for start in range(0, n_resamples, step):
        n_draws = min(step, n_resamples - start)
        drawn = rng.integers(0, n_clusters, size=(n_draws, n_clusters))
        drawn += np.arange(n_draws)[:, None] * n_clusters
        weights = np.bincount(drawn.ravel(), minlength=n_draws * n_clusters).reshape(n_draws, n_clusters)
        totals: Floats = (weights.astype(np.float64) @ per_cluster).reshape(n_draws, 2, n_runs, n_groups)
        found.append(percents(totals[:, 0], totals[:, 1]))
    return np.concatenate(found)


def interval(draws: Floats) -> tuple[float, float] | None:
    """Return the percentile interval of resampled values [b]; None where none is a number."""
    known = draws[~np.isnan(draws)]
    if not len(known):
        return None
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def mcnemar(only_first: int, only_second: int) -> float:
    """Return McNemar's exact p: the two-sided binomial test of 1/2 on the discordant pairs.

    Args:
        only_first: pairs that the first run alone has right.
        only_second: pairs that the second run alone has right.
    """
    n = only_first + only_second
    term, total = 1, 0
    for k in range(min(only_first, only_second) + 1):
        total += term
        term = term * (n - k) // (k + 1)
    p: float = 2 * total / (1 << n)  # whole numbers of any length, divided once
    return min(1.0, p)


def sign_flip(differences: Floats, *, n_flips: int, seed: int) -> float:
    """Return the two-sided p of a paired permutation test on a sum of differences.

    Each difference is as likely with the other sign if the two runs are exchangeable. With up to 16
    differences that are not 0 every assignment of signs is tried; with more, ``n_flips`` are drawn and
    the observed one counts among them.

    Args:
        differences: what each unit, or each cluster of units, adds to the difference, [k].
        n_flips: assignments that are drawn.
        seed: of the draws.
    """
    moved = differences[np.abs(differences) > 1e-12]
    if not len(moved):
        return 1.0
    least = abs(float(moved.sum())) - 1e-9 * float(np.abs(moved).sum())
    if len(moved) <= EXACT_FLIPS:
        bits = np.arange(2 ** len(moved))[:, None] >> np.arange(len(moved)) & 1
        return float(np.mean(np.abs((2.0 * bits - 1.0) @ moved) >= least))
    rng = np.random.default_rng(seed)
    step = max(1, CELLS // len(moved))
    as_large = 0
    for start in range(0, n_flips, step):
        signs = rng.integers(0, 2, size=(min(step, n_flips - start), len(moved)), dtype=np.int8)
        as_large += int(np.count_nonzero(np.abs((2.0 * signs - 1.0) @ moved) >= least))
    return (as_large + 1) / (n_flips + 1)
