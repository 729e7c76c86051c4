"""Where every question in flight is, for a person who wonders why nothing moves."""

from __future__ import annotations

import time
from collections.abc import Callable


class Stages:
    """The stage of every question in flight, and since when.

    Args:
        clock: monotonic time in s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._at: dict[str, tuple[str, float, float]] = {}

    def enter(self, question_id: str, stage: str) -> None:
        """Note that a question comes to a stage."""
        now = self._clock()
        _, started, _ = self._at.get(question_id, ("", now, now))
        self._at[question_id] = (stage, started, now)

    def leave(self, question_id: str) -> None:
        """Note that a question is finished."""
        self._at.pop(question_id, None)

    def __len__(self) -> int:
        return len(self._at)

    def lines(self) -> list[str]:
        """Return a line per question, the oldest first: where it is, for how long, and since when it is asked."""
        now = self._clock()
        rows = sorted(self._at.copy().items(), key=lambda item: item[1][1])
        return [
            f"question {question_id}: {stage} for {now - since:.1f} s, in flight for {now - started:.1f} s"
            for question_id, (stage, started, since) in rows
        ]
