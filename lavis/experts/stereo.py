"""Where sounds come from in a stereo recording: left, right or centre, by level."""

from __future__ import annotations

import dataclasses

import numpy as np

from lavis.datasets.loaders.base import Array

# Channels whose difference is this far below their sum are one channel twice.
SAME_DB = -40.0
# Levels that differ by less sound alike from both sides.
SIDE_DB = 2.0
# The softer side is as good as silent.
SILENT_DB = 40.0
SILENT_POWER = 1e-12


@dataclasses.dataclass(frozen=True)
class Sides:
    """What a pair of channels tells.

    Attributes:
        left_db: level of the left channel below full scale, dB.
        right_db: level of the right channel.
        differ: False where both channels are the same.
    """

    left_db: float
    right_db: float
    differ: bool

    def __str__(self) -> str:
        if not self.differ:
            return "Both channels are the same: left and right cannot be told apart."
        ahead_db = self.left_db - self.right_db
        if abs(ahead_db) < SIDE_DB:
            return "Left and right are about equally loud."
        louder, softer = ("left", "right") if ahead_db > 0 else ("right", "left")
        if abs(ahead_db) >= SILENT_DB:
            return f"Only the {louder} channel sounds."
        return f"The {louder} channel is {abs(ahead_db):.0f} dB louder than the {softer}."


def compare(channels: Array) -> Sides:
    """Compare the left and right channel.

    Args:
        channels: [c=2, n] float32, left and right.
    """
    left, right = channels.astype(np.float64)
    differ = level_db(left - right) - level_db(left + right) > SAME_DB and bool((left != right).any())
    return Sides(level_db(left), level_db(right), differ)


def level_db(sound: Array) -> float:
    """Return the mean level in dB below full scale."""
    return float(10 * np.log10(np.mean(np.square(sound, dtype=np.float64)) + SILENT_POWER))


def place(left: float, right: float) -> str:
    """Return ``left``, ``right`` or ``centre`` for two amounts of the same thing."""
    if left > 2 * right:
        return "left"
    return "right" if right > 2 * left else "centre"
