"""What calls cost, and a budget that they may not exceed."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from lavis.common import event_loop
from lavis.common.errors import ConfigError, RunStoppedError
from lavis.reasoners.base import Completion, Prompt, Reasoner, Usage
from lavis.reasoners.wrapped import WrappedReasoner

PER_MTOK = 1e-6


@dataclasses.dataclass(frozen=True)
class Prices:
    """USD per million tokens of one model; ``cached_input`` None: as ``input``."""

    input: float
    output: float
    cached_input: float | None = None

    def usd(self, usage: Usage) -> float:
        """Return what a usage costs."""
        cached = self.input if self.cached_input is None else self.cached_input
        fresh_tokens = usage.input_tokens - usage.cached_tokens
        return PER_MTOK * (fresh_tokens * self.input + usage.cached_tokens * cached + usage.output_tokens * self.output)


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a run may use at most; None: no bound.

    Attributes:
        max_usd: USD, by the configured prices.
        max_tokens: tokens in and out.
    """

    max_usd: float | None = None
    max_tokens: int | None = None

    def __bool__(self) -> bool:
        return self.max_usd is not None or self.max_tokens is not None

    def share(self, part: int, whole: int) -> Budget:
        """Return the share of a rank that asks ``part`` of ``whole`` questions."""
        return Budget(
            None if self.max_usd is None else self.max_usd * part / max(whole, 1),
            None if self.max_tokens is None else self.max_tokens * part // max(whole, 1),
        )


def read_prices(node: Mapping[str, Any] | None) -> dict[str, Prices]:
    """Read ``prices_usd_per_mtok``: model name to ``{input:, output:, cached_input:}``.

    Raises:
        ConfigError: a price is missing, unknown or no number from 0 upwards.
    """
    found = {}
    for model, given in (node or {}).items():
        where = f"model.prices_usd_per_mtok.{model}"
        if not isinstance(given, Mapping) or not {"input", "output"} <= set(given):
            raise ConfigError(f"{where} needs input and output: USD per million tokens.")
        unknown = set(given) - {"input", "output", "cached_input"}
        if unknown:
            raise ConfigError(f"{where}.{min(unknown)}: known are input, output and cached_input.")
        for name, value in given.items():
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < math.inf:
                raise ConfigError(f"{where}.{name} is {value!r}; a price is a number from 0 upwards.")
        found[str(model)] = Prices(**given)
    return found


class Ledger:
    """Sums what one rank's calls used, and admits a call only while the budget lasts.

    A call is admitted with an estimate of what it will use, which is held until it ends, so that
    calls in flight together do not exceed the budget. Where the estimates of the calls in flight
    leave no room, the next one waits for them.

    Args:
        prices: by the configured name of the model.
        budget: what this rank may use in all.
        spent: what was used before, in an earlier start of the run.
    """

    def __init__(
        self, prices: Mapping[str, Prices] | None = None, budget: Budget | None = None, spent: Usage | None = None
    ) -> None:
        self.prices = dict(prices or {})
        self.budget = budget or Budget()
        self.input_tokens = self.output_tokens = self.cached_tokens = 0
        self.usd = 0.0
        self.unpriced: set[str] = set()
        self._before = spent or Usage()
        self._held: dict[int, Usage] = {}
        self._longest: dict[str, int] = {}
        self._n_held = 0
        self._changed: asyncio.Event | None = None

    async def admit(self, reasoner: Reasoner, prompt: Prompt) -> int:
        """Wait for room in the budget and return the number of the place held.

        Raises:
            RunStoppedError: the budget is spent.
        """
        self._n_held += 1
        place = self._n_held
        if not self.budget:
            return place
        expected = self._expected(reasoner, prompt)
        while (reason := self._exceeds(expected)) is not None:
            if not self._held:
                raise RunStoppedError(
                    f"The budget is spent: {reason}. Raise it and start again with the same run.run_id to go on."
                )
            if self._changed is None:
                self._changed = asyncio.Event()
            await self._changed.wait()
        self._held[place] = expected
        return place

    def leave(self, place: int) -> None:
        """Give up a place whose call used nothing that is known."""
        self._held.pop(place, None)
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def settle(self, place: int, reasoner: Reasoner, completion: Completion) -> Completion:
        """Count what a call used; return its completion with USD where the price is known.

        What came from the completion cache has its price too, since a result may not depend on what was kept
        where; it is not counted.
        """
        usage = completion.usage
        prices = self.prices.get(reasoner.model)
        # A bill of 0 USD for a reply whose tokens nobody counted would be wrong: it stays unknown.
        if prices is not None and (usage.input_tokens or usage.output_tokens):
            usage = dataclasses.replace(usage, usd=prices.usd(usage))
        if not completion.kept:
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
            self.cached_tokens += usage.cached_tokens
            self.usd += usage.usd or 0.0
            if usage.usd is None:
                self.unpriced.add(reasoner.model)
        self._longest[reasoner.model] = max(self._longest.get(reasoner.model, 0), usage.output_tokens)
        self.leave(place)
        return dataclasses.replace(completion, usage=usage)

    def check(self, model: str) -> None:
        """Raise ConfigError if a budget in USD cannot be kept because a model has no price."""
        if self.budget.max_usd is not None and model not in self.prices:
            raise ConfigError(
                f"run.budget.max_usd needs the price of {model!r}: set model.prices_usd_per_mtok.{model}: "
                "{input: …, output: …}."
            )

    def _expected(self, reasoner: Reasoner, prompt: Prompt) -> Usage:
        tokens_in = reasoner.count_tokens(prompt)
        # What was longest so far may be short: it says more than the prompt only where a model exceeds it.
        tokens_out = max(self._longest.get(reasoner.model, 0), prompt.max_tokens)
        usage = Usage(tokens_in, tokens_out)
        prices = self.prices.get(reasoner.model)
        return usage if prices is None else dataclasses.replace(usage, usd=prices.usd(usage))

    def _exceeds(self, expected: Usage) -> str | None:
        rows = [self._before, *self._held.values(), expected]
        tokens = self.input_tokens + self.output_tokens + sum(row.input_tokens + row.output_tokens for row in rows)
        usd = self.usd + sum(row.usd or 0.0 for row in rows)
        if self.budget.max_tokens is not None and tokens > self.budget.max_tokens:
            used = self.input_tokens + self.output_tokens + self._before.input_tokens + self._before.output_tokens
            return f"{used} of {self.budget.max_tokens} tokens are used"
        if self.budget.max_usd is not None and usd > self.budget.max_usd:
            return f"{self.usd + (self._before.usd or 0.0):.4f} of {self.budget.max_usd:.4f} USD are spent"
        return None


class MeteredReasoner(WrappedReasoner):
    """A reasoner whose calls a ledger admits and counts."""

    def __init__(self, inner: Reasoner, ledger: Ledger) -> None:
        super().__init__(inner)
        self.ledger = ledger

    def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt from a thread of one's own."""
        return event_loop.run(self.acomplete(prompt))

    async def acomplete(self, prompt: Prompt) -> Completion:
        """Complete a prompt when the budget has room for it.

        Raises:
            RunStoppedError: the budget is spent.
            ReasonerError: as the inner reasoner.
        """
        place = await self.ledger.admit(self.inner, prompt)
        try:
            completion = await self.inner.acomplete(prompt)
        except BaseException:
            self.ledger.leave(place)
            raise
        return self.ledger.settle(place, self.inner, completion)
