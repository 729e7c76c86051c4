"""Which frames stand for a medium at another rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Literal

from lavis.common.errors import ConfigError

Rule = Literal["shown", "ffmpeg"]

# From a time in units of the new rate to the first new frame that it can be.
KEYS: dict[str, Callable[[Fraction], int]] = {
    "shown": math.ceil,
    "ffmpeg": lambda units: math.floor(units + Fraction(1, 2)),
}


def check_rule(rule: str) -> Rule:
    """Return a rule's name.

    Raises:
        ConfigError: there is no such rule.
    """
    if rule not in KEYS:
        raise ConfigError(f"fps rule {rule!r} is not known; use one of {', '.join(KEYS)}.")
    return "shown" if rule == "shown" else "ffmpeg"


def as_fps(fps: float | str) -> Fraction:
    """Return a rate in Hz as an exact fraction; ``"30000/1001"`` is one.

    Raises:
        ConfigError: no number above 0.
    """
    try:
        exact = Fraction(str(fps))
    except (ValueError, ZeroDivisionError) as error:
        raise ConfigError(f"fps {fps!r} is no number; write 3, 2.5 or 30000/1001.") from error
    if exact <= 0:
        raise ConfigError(f"fps must be above 0, not {fps}.")
    return exact


def pick_frames(times_s: Sequence[Fraction], end_s: Fraction, fps: Fraction, *, rule: Rule) -> list[int]:
    """Return the number of the frame that each new frame shows; a frame may stand for several, or for none.

    ``shown``: new frame k is what is on the screen at k / fps. ``ffmpeg``: what ffmpeg's filter ``fps`` takes by
    default, that is the last frame whose time rounds to k / fps; it is up to half a step ahead of that time.

    Args:
        times_s: of every frame, ascending.
        end_s: when the last one is over.
        fps: new frames per s; the first one is at ``times_s[0]``.
        rule: one of the two.

    Returns:
        Frame numbers, ascending; at least one.
    """
    key = KEYS[rule]
    keys = [key((time_s - times_s[0]) * fps) for time_s in times_s]
    n_new = max(1, key((end_s - times_s[0]) * fps))
    picked, number = [], 0
    for new in range(n_new):
        while number + 1 < len(keys) and keys[number + 1] <= new:
            number += 1
        picked.append(number)
    return picked
