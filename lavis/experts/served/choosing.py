"""Which frames are worth a look: sharp ones that differ from each other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from lavis.datasets.loaders.base import Array

# Frames are compared at this many pixels on the longest side.
COMPARED_PX = 128
SHARE_OF_SHARPEST = 0.25  # a frame with less detail than this share of the sharpest one's is taken as blurred
SAME = 4.0  # mean difference of 8-bit values below which two frames show the same


def sharpness(frame: Array) -> float:
    """Return how much fine detail a frame [h, w, 3] uint8 has: the variance of its Laplacian."""
    grey = _small(frame).mean(axis=-1)
    if min(grey.shape) < 3:
        return 0.0
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * grey[1:-1, 1:-1]).var())


def sharp_and_different(frames: Sequence[Array] | Array, n: int) -> list[int]:
    """Return up to ``n`` positions in order: the sharpest frame, then each time the least similar sharp one.

    Fewer where the rest is blurred or shows what is shown already.
    """
    detail = [sharpness(frame) for frame in frames]
    kept = [k for k, value in enumerate(detail) if value >= SHARE_OF_SHARPEST * max(detail)]
    looks = {k: _coarse(frames[k]) for k in kept}
    chosen = [max(kept, key=lambda k: (detail[k], -k))]
    while len(chosen) < n:
        apart = {k: min(float(np.abs(looks[k] - looks[c]).mean()) for c in chosen) for k in kept if k not in chosen}
        best = max(apart, key=lambda k: (round(apart[k], 6), -k), default=None)
        if best is None or apart[best] < SAME:
            break
        chosen.append(best)
    return sorted(chosen)


def _small(frame: Array) -> Array:
    step = max(1, -(-max(frame.shape[:2]) // COMPARED_PX))
    return np.asarray(frame[::step, ::step], dtype=np.float64)


def _coarse(frame: Array) -> Array:
    """Return the mean colours of 8 × 8 fields [8, 8, 3]."""
    small = _small(frame)
    rows = np.linspace(0, small.shape[0], 9).astype(int)
    columns = np.linspace(0, small.shape[1], 9).astype(int)
    fields = [
        [
            small[top : max(bottom, top + 1), left : max(right, left + 1)].mean(axis=(0, 1))
            for left, right in _pairs(columns)
        ]
        for top, bottom in _pairs(rows)
    ]
    return np.nan_to_num(np.asarray(fields))


def _pairs(edges: Array) -> list[tuple[int, int]]:
    last = int(edges[-1]) - 1
    return [(min(low, last), high) for low, high in itertools.pairwise(edges.tolist())]
