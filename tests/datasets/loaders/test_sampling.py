"""Sampling: the reference's indices, and what happens to short media."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from lavis.datasets.loaders.sampling import interval_midpoints, interval_random


def test_a_folder_of_101_files_gives_the_reference_indices() -> None:
    """Truth: CREMA's loader on 101 files with 4 frames asks for 12, 37, 62 and 87."""
    assert interval_midpoints(101, 4) == (12, 37, 62, 87)


@pytest.mark.parametrize(("count", "n"), [(101, 8), (57, 5), (28, 8), (3000, 32), (9, 8)])
def test_indices_follow_the_published_formula(count: int, n: int) -> None:
    borders = np.linspace(0, count - 1, n + 1).astype(int)
    formula = [(int(low) + int(high)) // 2 for low, high in itertools.pairwise(borders)]
    assert list(interval_midpoints(count, n)) == sorted(set(formula))


@pytest.mark.parametrize("count", range(1, 12))
def test_short_media_give_fewer_but_distinct_indices(count: int) -> None:
    indices = interval_midpoints(count, 8)
    assert list(indices) == sorted(set(indices))
    assert 1 <= len(indices) <= 8
    assert max(indices) <= max(count - 2, 0)


def test_random_frames_stay_in_their_intervals_and_follow_the_seed() -> None:
    first = interval_random(101, 4, seed=3)
    assert first == interval_random(101, 4, seed=3)
    assert len({interval_random(101, 4, seed=seed) for seed in range(20)}) > 10
    for index, low in zip(first, (0, 25, 50, 75), strict=True):
        assert low <= index < low + 25


@pytest.mark.parametrize(("count", "n"), [(0, 4), (4, 0)])
def test_nothing_to_sample_is_an_error(count: int, n: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        interval_midpoints(count, n)
