"""Whether a server can be worked with at all: waits while it is away, and says when to give up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from lavis.common.errors import ReasonerUnusableError
from lavis.reasoners.retries import Failure

# So many calls in a row that nobody answered: the server is away, not the call unlucky.
AWAY_AFTER = 8
# So many calls in a row refused with the same words: no question will fare better.
SAME_REFUSALS = 20
FIRST_PROBE_S, LAST_PROBE_S, LAST_PROBE_AT_START_S = 0.5, 15.0, 1.0
# What every call meets alike: a wrong key, an address or a model that isn't there.
HOPELESS_STATUS = frozenset({401, 404})


class Availability:
    """Follows the outcomes of all calls of a reasoner, on one event loop.

    While the server is away, callers wait in :meth:`passage`, one of them probes, and the attempts
    that met nobody are not counted against their questions.

    Args:
        name: of the server, for errors.
        advice: (failure) → what to do about it.
        max_outage_s: how long an outage may last; None: for ever.
        start_s: how long the server may be unreachable before its first reply.
        clock: monotonic time in s.
    """

    def __init__(
        self,
        name: str,
        *,
        advice: Callable[[Failure], str],
        max_outage_s: float | None,
        start_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.max_outage_s = max_outage_s
        self.start_s = start_s
        self.away_since: float | None = None
        self.last_reason = ""
        self._advice = advice
        self._clock = clock
        self._answered_once = False
        self._unanswered = 0
        self._first_unanswered = 0.0
        self._refusal: tuple[int, str] | None = None
        self._refusals = 0
        self._unusable: ReasonerUnusableError | None = None
        self._back: asyncio.Event | None = None
        self._probing = False
        self._probe_s = FIRST_PROBE_S

    @asynccontextmanager
    async def passage(self) -> AsyncIterator[None]:
        """Pass at once while the server answers; else wait until it does, or probe.

        Raises:
            ReasonerUnusableError: it is away for too long, or refuses whatever is asked.
        """
        await self._wait_while_away()
        probing = self.away_since is not None
        self._probing = self._probing or probing
        try:
            yield
        finally:
            if probing:
                self._probing = False
                if self.away_since is not None:
                    self._wake()

    async def _wait_while_away(self) -> None:
        while True:
            self._raise_if_unusable()
            if self.away_since is None:
                return
            if self._back is None:
                self._back = asyncio.Event()
            try:
                await asyncio.wait_for(self._back.wait(), self._probe_s)
            except asyncio.TimeoutError:
                self._raise_if_unusable()
                if not self._probing:
                    longest_s = LAST_PROBE_S if self._answered_once else LAST_PROBE_AT_START_S
                    self._probe_s = min(longest_s, 2 * self._probe_s)
                    return

    def replied(self) -> None:
        """Note a reply that can be used."""
        self._answered_once = True
        self._refusal, self._refusals = None, 0
        self._reached()

    def failed(self, failure: Failure) -> None:
        """Note a failure.

        Raises:
            ReasonerUnusableError: with this one there is nothing left to hope for.
        """
        if failure.unreachable:
            self._unreached(failure)
        else:
            self._reached()
            self._refused(failure)
        self._raise_if_unusable()

    def counts(self, failure: Failure) -> bool:
        """Return whether an attempt that failed so counts against its question."""
        return not (failure.unreachable and self.away_since is not None)

    def _unreached(self, failure: Failure) -> None:
        now = self._clock()
        self._first_unanswered = now if self._unanswered == 0 else self._first_unanswered
        self._unanswered += 1
        self.last_reason = failure.reason
        at_start = not self._answered_once and failure.cause == "connection"
        away = at_start or failure.unconnected or self._unanswered >= AWAY_AFTER
        if self.away_since is None and away:
            self.away_since = self._first_unanswered
            self._back = asyncio.Event()
        if self.away_since is None:
            return
        patience_s = self.start_s if at_start else self.max_outage_s
        if patience_s is not None and now - self.away_since >= patience_s:
            self._give_up(failure, f"no answer for {now - self.away_since:.0f} s")

    def _reached(self) -> None:
        self._unanswered = 0
        self.away_since = None
        self._probe_s = FIRST_PROBE_S
        self._wake()

    def _refused(self, failure: Failure) -> None:
        if failure.cause == "tls" or (failure.status in HOPELESS_STATUS and not self._answered_once):
            self._give_up(failure, "every call would meet this")
            return
        if failure.status == 0 or failure.congested or failure.too_long:
            return
        if failure.retryable and self._answered_once:  # a server that worked before may work again
            return
        refusal = (failure.status, failure.reason)
        self._refusals = self._refusals + 1 if refusal == self._refusal else 1
        self._refusal = refusal
        if self._refusals >= SAME_REFUSALS:
            self._give_up(failure, f"{self._refusals} calls in a row were refused in the same words")

    def _give_up(self, failure: Failure, why: str) -> None:
        self._unusable = ReasonerUnusableError(
            f"{self.name}: {failure.reason} ({why}). {self._advice(failure)} "
            "What was answered is safe; start again with the same run.run_id to go on."
        )
        self._wake()

    def _raise_if_unusable(self) -> None:
        if self._unusable is not None:
            raise ReasonerUnusableError(str(self._unusable))

    def _wake(self) -> None:
        if self._back is not None:
            self._back.set()
            self._back = None
