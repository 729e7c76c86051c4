"""How many calls are in flight: grows while that is used and healthy, falls on 429 and on rising latency."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

START_CONNECTIONS = 8
# A window is judged when as many calls have ended as may be in flight, but never fewer than this.
MIN_WINDOW = 16
# Up to this share of refusals, or this many in a window, is noise that retries deal with; the limit falls beyond.
TOLERATED_SHARE, TOLERATED_REFUSALS = 0.1, 3
# A median this many times that of quiet windows says that calls wait at the provider, not that they are worked on.
LATENCY_RATIO = 2.0
LATENCY_CUT = 0.8
GROWTH, GROWTH_WITH_REFUSALS = 1.25, 1.1
USED_SHARE = 0.8


class CallReport:
    """What one call tells the limiter when it ends; one that was cancelled says nothing."""

    def __init__(self) -> None:
        self.ended = False
        self.latency_s: float | None = None
        self.congested = False


class AdaptiveLimiter:
    """Admits calls of one event loop, in the order in which they came.

    Doubles each round while nothing is refused (as TCP starts), until the first bad window; from then
    on a clean window grows the limit by a quarter, one with up to a tenth refused by a tenth, and one
    with more shrinks it by the share that was refused. A median latency of twice the quiet windows'
    shrinks it by a fifth.

    Args:
        maximum: never more calls than this in flight.
        start: calls in flight at first, at most ``maximum``.
        clock: monotonic time in s.
    """

    def __init__(
        self, maximum: int, *, start: int = START_CONNECTIONS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.maximum = maximum
        self.limit = float(min(start, maximum))
        self.in_flight = 0
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._doubling = True
        self._paused_until = 0.0
        self._reopening: asyncio.TimerHandle | None = None
        self._latencies: list[float] = []
        self._n_congested = 0
        self._n_full = 0
        self._n_ended = 0
        # Set where a window begins: while the limit doubles, it would run ahead of what has ended.
        self._window = max(MIN_WINDOW, int(self.limit))
        self._quiet_s: float | None = None

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[CallReport]:
        """Wait for a place and hold it; tell the report how the call went before leaving."""
        await self._enter()
        report = CallReport()
        full = self.in_flight >= USED_SHARE * self.limit
        try:
            yield report
        finally:
            self.in_flight -= 1
            self._judge(report, full=full)
            self._admit()

    def pause(self, seconds: float) -> None:
        """Admit nobody for a while, whoever waits already too: the provider asked everybody to wait."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    async def _enter(self) -> None:
        if self.in_flight < int(self.limit) and not self._waiting and self._clock() >= self._paused_until:
            self.in_flight += 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._admit()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # admitted and cancelled in the same breath
                self.in_flight -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        pause_s = self._paused_until - self._clock()
        if pause_s > 0:
            if self._reopening is None:
                self._reopening = asyncio.get_running_loop().call_later(pause_s, self._reopen)
            return
        while self._waiting and self.in_flight < int(self.limit):
            place = self._waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)

    def _reopen(self) -> None:
        self._reopening = None
        self._admit()

    def _judge(self, report: CallReport, *, full: bool) -> None:
        if not report.ended:
            return
        self._n_ended += 1
        self._n_full += full
        self._n_congested += report.congested
        if report.latency_s is not None:
            self._latencies.append(report.latency_s)
            if self._doubling and full and not report.congested:
                self._set(self.limit + 1)
        if self._n_ended >= self._window:
            self._end_window()

    def _end_window(self) -> None:
        share = self._n_congested / self._n_ended
        median_s = statistics.median(self._latencies) if self._latencies else None
        slow = median_s is not None and self._quiet_s is not None and median_s > LATENCY_RATIO * self._quiet_s
        if share > TOLERATED_SHARE and self._n_congested > TOLERATED_REFUSALS:
            self._doubling = False
            self._set(self.limit * max(0.5, 1.0 - share))
        elif slow:
            self._doubling = False
            self._set(self.limit * LATENCY_CUT)
        elif not self._doubling and self._n_full > self._n_ended // 2:
            self._set(max(self.limit + 1, self.limit * (GROWTH_WITH_REFUSALS if share else GROWTH)))
        if median_s is not None and (not slow or self.limit <= START_CONNECTIONS):
            # Drifts slowly upwards. What is slow with few calls in flight is the model at work, not a queue.
            quiet_s = median_s if self._quiet_s is None or slow else self._quiet_s
            self._quiet_s = min(median_s, 0.95 * quiet_s + 0.05 * median_s)
        self._latencies.clear()
        self._n_ended = self._n_full = self._n_congested = 0
        self._window = max(MIN_WINDOW, int(self.limit))

    def _set(self, limit: float) -> None:
        self.limit = min(float(self.maximum), max(1.0, limit))
