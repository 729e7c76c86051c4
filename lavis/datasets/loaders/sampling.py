"""Which frames of a medium are looked at."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np


def interval_midpoints(count: int, n: int) -> tuple[int, ...]:
    """Return the middle frame of each of ``n`` equal intervals; the same every time (evaluation).

    The formula is that of CREMA's frame loader: the borders are ``linspace(0, count - 1, n + 1)``
    cut to integers, an index is ``(a + b) // 2``. The last frame is therefore never chosen (unless
    it is the only one), which leaves room for flow, that has one file fewer than there are frames.

    Args:
        count: frames of the medium, at least 1.
        n: frames wanted, at least 1.

    Returns:
        Strictly ascending indices. Where several intervals fall on one frame it is kept once, so a
        medium of fewer than about ``n`` frames gives fewer than ``n`` indices.

    Raises:
        ValueError: ``count`` or ``n`` below 1.
    """
    return _distinct((low + high) // 2 for low, high in _intervals(count, n))


def interval_random(count: int, n: int, *, seed: int) -> tuple[int, ...]:
    """Return one random frame out of each of ``n`` equal intervals (training).

    Args:
        count: frames of the medium, at least 1.
        n: frames wanted, at least 1.
        seed: the same seed gives the same frames.

    Returns:
        Strictly ascending indices, at most ``n``.

    Raises:
        ValueError: ``count`` or ``n`` below 1.
    """
    generator = np.random.default_rng(seed)
    return _distinct(int(generator.integers(low, max(high, low + 1))) for low, high in _intervals(count, n))


def _intervals(count: int, n: int) -> list[tuple[int, int]]:
    if count < 1 or n < 1:
        raise ValueError(f"cannot sample {n} of {count} frames: both must be at least 1.")
    borders = np.linspace(0, count - 1, n + 1).astype(int).tolist()
    return list(itertools.pairwise(borders))


def _distinct(indices: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(set(indices)))
