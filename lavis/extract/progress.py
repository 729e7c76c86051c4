"""How far an extraction is: a line that renews itself on a terminal, a line a minute in a batch log."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TextIO

from lavis.common.status_line import StatusLine

logger = logging.getLogger(__name__)


class ExtractProgress:
    """Counts media and frames of one rank.

    Args:
        total: media of this rank.
        kept: of them, those that were finished before.
        noun: what is counted.
        unit: what a medium consists of.
        stream: where a line is shown if it is a terminal; stderr by default.
    """

    def __init__(
        self, total: int, *, kept: int, noun: str = "media", unit: str = "frames", stream: TextIO | None = None
    ) -> None:
        self.total = total
        self.kept = kept
        self.noun = noun
        self.unit = unit
        self.finished = 0
        self.failed = 0
        self._frames = 0
        self._running: dict[str, tuple[int, int]] = {}
        self._shown = StatusLine(logger, stream)
        self._start = self._shown_at = time.monotonic()

    def told(self, name: str, done: int, total: int) -> None:
        """Take how many frames of a medium are done."""
        self._running[name] = (done, total)

    def ended(self, name: str, *, n_frames: int, failed: bool) -> None:
        """Count a medium as finished."""
        self._running.pop(name, None)
        self.finished += 1
        self.failed += failed
        self._frames += n_frames

    def line(self) -> str:
        """Return the state in one line."""
        elapsed_s = max(time.monotonic() - self._start, 1e-9)
        frames = self._frames + sum(done for done, _ in self._running.values())
        done = self.finished + sum(part / max(whole, 1) for part, whole in self._running.values())
        left = self.total - self.kept - done
        return ", ".join(
            [
                f"{self.kept + self.finished}/{self.total} {self.noun} ({self.kept} kept)",
                f"{frames / elapsed_s:.1f} {self.unit}/s",
                f"{self.failed} failed",
                f"{timedelta(seconds=round(left * elapsed_s / done))} left" if done else "no rate yet",
            ]
        )

    def show(self) -> None:
        """Show the line, if its time has come."""
        now = time.monotonic()
        if now - self._shown_at >= self._shown.every_s:
            self._shown_at = now
            self._shown.show(self.line())

    def close(self) -> None:
        """Show the last state."""
        self._shown.close(self.line())
