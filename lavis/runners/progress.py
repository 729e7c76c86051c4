"""How far a long run is: a line that renews itself on a terminal, a line a minute in a batch log."""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import TextIO

logger = logging.getLogger(__name__)

TERMINAL_EVERY_S = 0.5
LOG_EVERY_S = 60.0


class Progress:
    """Counts finished questions of one rank and shows rate, failures, cost and time left."""

    def __init__(self, total: int, *, kept: int = 0, stream: TextIO | None = None) -> None:
        self.total = total
        self.kept = kept
        self.finished = 0
        self.failed = 0
        self.unparsed = 0
        self.in_flight = 0
        self.retries = 0
        self.usd = 0.0
        self._stream = stream or sys.stderr
        self._start = time.monotonic()
        self._shown = self._start
        self._lock = threading.Lock()

    def started(self) -> None:
        """Count a question as being asked."""
        with self._lock:
            self.in_flight += 1

    def ended(self, *, status: str, attempts: int, usd: float | None) -> None:
        """Count a question as finished and show the line if it is time."""
        with self._lock:
            self.in_flight -= 1
            self.finished += 1
            self.failed += status == "failed"
            self.unparsed += status == "unparsed"
            self.retries += max(0, attempts - 1)
            self.usd += usd or 0.0
            self._show()

    def elapsed_s(self) -> float:
        """Return the time since the start in s."""
        return time.monotonic() - self._start

    def line(self) -> str:
        """Return the state in one line."""
        rate_hz = self.finished / max(self.elapsed_s(), 1e-9)
        left = self.total - self.kept - self.finished
        left_s = f"{left / rate_hz:.0f} s left" if rate_hz else "no rate yet"
        return (
            f"{self.kept + self.finished}/{self.total} questions, {rate_hz:.2f}/s, {self.in_flight} in flight, "
            f"{self.retries} retries, {self.failed} failed, {self.unparsed} unparsed, {self.usd:.4f} USD, {left_s}"
        )

    def _show(self) -> None:
        now = time.monotonic()
        terminal = self._stream.isatty()
        if now - self._shown < (TERMINAL_EVERY_S if terminal else LOG_EVERY_S):
            return
        self._shown = now
        if terminal:
            self._stream.write(f"\r\033[K{self.line()}")
            self._stream.flush()
        else:
            logger.info(self.line())

    def close(self) -> None:
        """Show the last state."""
        if self._stream.isatty():
            self._stream.write("\r\033[K")
            self._stream.flush()
        logger.info(self.line())
