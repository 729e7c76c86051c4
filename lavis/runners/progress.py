"""How far a long run is: a line that renews itself on a terminal, a line a minute in a batch log."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TextIO

from lavis.common.status_line import StatusLine
from lavis.reasoners.base import Reasoner
from lavis.reasoners.ledger import Ledger

logger = logging.getLogger(__name__)

BAR_WIDTH = 20


class Progress:
    """Counts finished questions of one rank and shows rate, calls, retries, failures, cost and time left.

    Args:
        total: questions of this rank.
        kept: of them, those that were finished before.
        reasoners: whose calls are shown.
        ledger: what they used.
        stream: where a line is shown if it is a terminal; stderr by default.
    """

    def __init__(
        self,
        total: int,
        *,
        kept: int = 0,
        reasoners: Sequence[Reasoner] = (),
        ledger: Ledger | None = None,
        stream: TextIO | None = None,
    ) -> None:
        self.total = total
        self.kept = kept
        self.finished = 0
        self.failed = 0
        self.unparsed = 0
        self.in_flight = 0
        self._reasoners = reasoners
        self._ledger = ledger or Ledger()
        self._shown = StatusLine(logger, stream)
        self._start = time.monotonic()
        self._lock = threading.Lock()

    def started(self) -> None:
        """Count a question as being asked."""
        with self._lock:
            self.in_flight += 1

    def ended(self, status: str) -> None:
        """Count a question as finished."""
        with self._lock:
            self.in_flight -= 1
            self.finished += 1
            self.failed += status == "failed"
            self.unparsed += status == "unparsed"

    def elapsed_s(self) -> float:
        """Return the time since the start in s."""
        return time.monotonic() - self._start

    @property
    def retries(self) -> Counter[str]:
        """Further attempts so far, by cause."""
        return sum((reasoner.monitor.retries for reasoner in self._reasoners), Counter())

    def line(self) -> str:
        """Return the state in one line."""
        rate_hz = self.finished / max(self.elapsed_s(), 1e-9)
        left = self.total - self.kept - self.finished
        calls = sum(reasoner.monitor.in_flight for reasoner in self._reasoners)
        limit = sum(reasoner.monitor.limit for reasoner in self._reasoners)
        retries = self.retries
        by_cause = f" ({', '.join(f'{cause} {count}' for cause, count in retries.most_common())})" if retries else ""
        ledger = self._ledger
        usd = "USD unknown" if ledger.unpriced and not ledger.usd else f"{ledger.usd:.4f} USD"
        parts = [
            f"{self.kept + self.finished}/{self.total} questions",
            f"{rate_hz:.2f}/s",
            f"{self.in_flight} in flight",
            f"{calls} calls" + (f" of {limit}" if limit else ""),
            f"{retries.total()} retries{by_cause}",
            f"{self.failed} failed",
            f"{self.unparsed} unparsed",
            f"{ledger.input_tokens} tokens in ({ledger.cached_tokens} cached), {ledger.output_tokens} out",
            usd,
            f"{timedelta(seconds=round(left / rate_hz))} left" if rate_hz else "no rate yet",
        ]
        waiting = [reasoner.monitor.waiting_for for reasoner in self._reasoners if reasoner.monitor.waiting_for]
        return ", ".join([*parts, *waiting])

    async def show(self) -> None:
        """Show the line again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._shown.every_s)
            self._shown.show(f"{self._bar()} {self.line()}" if self._shown.on_terminal else self.line())

    def close(self) -> None:
        """Show the last state."""
        self._shown.close(self.line())

    def _bar(self) -> str:
        done = (self.kept + self.finished) / max(self.total, 1)
        full = int(BAR_WIDTH * done)
        return f"[{'#' * full}{'.' * (BAR_WIDTH - full)}] {100 * done:.0f} %"
