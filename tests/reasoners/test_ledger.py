"""What calls cost, and a budget that calls in flight together do not exceed."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import pytest

from lavis.common.errors import ConfigError, ReasonerError, RunStoppedError
from lavis.reasoners.base import Completion, Prompt, Reasoner, Usage
from lavis.reasoners.ledger import Budget, Ledger, MeteredReasoner, Prices, read_prices

PRICES = {"m": Prices(input=2.0, output=10.0, cached_input=0.5)}
PROMPT = Prompt(system="", shared="", own="x" * 360, lead="", max_tokens=20)  # 90 tokens in, 110 in all


class Paid(Reasoner):
    """Takes a moment, and uses what its prompt counts and as many tokens out as it is told."""

    model = "m"

    def __init__(self, *tokens_out: int, fails: bool = False, kept: bool = False) -> None:
        self.tokens_out = tokens_out or (20,)
        self.fails = fails
        self.kept = kept
        self.calls = self.in_flight = self.most_in_flight = 0

    def complete(self, prompt: Prompt) -> Completion:
        raise NotImplementedError

    async def acomplete(self, prompt: Prompt) -> Completion:
        tokens_out = self.tokens_out[min(self.calls, len(self.tokens_out) - 1)]
        self.calls += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(0.001)
        self.in_flight -= 1
        if self.fails:
            raise ReasonerError("no luck")
        return Completion("a", Usage(self.count_tokens(prompt), tokens_out), "served", 0.0, kept=self.kept)

    def identity(self) -> dict[str, Any]:
        return {"model": "m"}


def ask_all(reasoner: Paid, ledger: Ledger, n_calls: int) -> list[Completion | BaseException]:
    """Make calls at once; each ends with a completion or an error."""

    async def go() -> list[Completion | BaseException]:
        metered = MeteredReasoner(reasoner, ledger)
        calls = [metered.acomplete(PROMPT) for _ in range(n_calls)]
        return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 20)

    return asyncio.run(go())


# -- prices ------------------------------------------------------------------------------------


def test_usd_is_the_sum_of_fresh_cached_and_output_tokens() -> None:
    """40 fresh tokens at 2, 60 cached at 0.5 and 20 out at 10 USD per million: 310e-6 USD."""
    usage = Usage(input_tokens=100, output_tokens=20, cached_tokens=60)

    assert PRICES["m"].usd(usage) == pytest.approx(310e-6)
    assert Prices(2.0, 10.0).usd(usage) == pytest.approx(400e-6)  # the cache is as dear where nothing is said


def test_prices_are_read_by_model() -> None:
    node = {"a": {"input": 1, "output": 2.5}, "b": {"input": 0, "output": 0, "cached_input": 0}}

    assert read_prices(node) == {"a": Prices(1, 2.5), "b": Prices(0, 0, 0)}
    assert read_prices(None) == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"input": 1}, "needs input and output"),
        (3, "needs input and output"),
        ({"input": 1, "output": 1, "ouput": 1}, "ouput: known are"),
        ({"input": -1, "output": 1}, "input is -1"),
        ({"input": 1, "output": "2"}, "output is '2'"),
        ({"input": 1, "output": True}, "output is True"),
        ({"input": 1, "output": math.nan}, "output is nan"),
        ({"input": 1, "output": math.inf}, "output is inf"),
        ({"input": 1, "output": 1, "cached_input": None}, "cached_input is None"),
    ],
)
def test_nonsense_is_no_price(given: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=rf"model\.prices_usd_per_mtok\.gpt.*{words}"):
        read_prices({"gpt": given})


# -- sums --------------------------------------------------------------------------------------


def test_a_call_is_priced_and_counted() -> None:
    ledger = Ledger(PRICES)
    first, second = ask_all(Paid(20), ledger, 2)

    assert isinstance(first, Completion)
    assert isinstance(second, Completion)
    assert first.usage.usd == pytest.approx(90 * 2e-6 + 20 * 10e-6)
    assert (ledger.input_tokens, ledger.output_tokens) == (180, 40)
    assert ledger.usd == pytest.approx(2 * first.usage.usd)
    assert not ledger.unpriced


def test_what_was_kept_has_its_price_and_is_not_counted() -> None:
    ledger = Ledger(PRICES)
    (completion,) = ask_all(Paid(20, kept=True), ledger, 1)

    assert isinstance(completion, Completion)
    assert completion.usage.usd == pytest.approx(380e-6)
    assert (ledger.input_tokens, ledger.output_tokens, ledger.usd) == (0, 0, 0.0)


def test_without_a_price_or_without_counts_usd_stays_unknown() -> None:
    for prices, usage in (({}, Usage(5, 5)), (PRICES, Usage())):
        ledger = Ledger(prices)
        settled = ledger.settle(1, Paid(), Completion("a", usage, "served", 0.0))
        assert settled.usage.usd is None
        assert ledger.unpriced == {"m"}


def test_a_budget_in_usd_needs_the_price_of_each_model() -> None:
    Ledger(PRICES, Budget(max_usd=1)).check("m")
    Ledger({}, Budget(max_tokens=1)).check("other")

    with pytest.raises(ConfigError, match=r"price of 'other': set model\.prices_usd_per_mtok\.other"):
        Ledger(PRICES, Budget(max_usd=1)).check("other")


def test_ranks_share_a_budget_by_their_questions() -> None:
    shares = [Budget(max_usd=1.0, max_tokens=1000).share(part, 10) for part in (5, 3, 2)]

    assert [share.max_tokens for share in shares] == [500, 300, 200]
    assert sum(share.max_usd or 0.0 for share in shares) == pytest.approx(1.0)
    assert not Budget().share(1, 3)
    assert Budget(max_tokens=0)  # a bound of nothing is a bound


# -- the budget --------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [Budget(max_tokens=1010), Budget(max_usd=0.0035)], ids=["tokens", "USD"])
@pytest.mark.parametrize("tokens_out", [(20,), (20, 1, 7)], ids=["alike", "mixed"])
def test_calls_in_flight_together_stay_within_a_budget(budget: Budget, tokens_out: tuple[int, ...]) -> None:
    """A call is at most 110 tokens and 380e-6 USD; 9 of them fit."""
    ledger, reasoner = Ledger(PRICES, budget), Paid(*tokens_out)
    ended = ask_all(reasoner, ledger, 40)

    done = [one for one in ended if isinstance(one, Completion)]
    assert len(done) >= 9  # what is left is too little for another call
    assert all(isinstance(one, RunStoppedError) for one in ended if one not in done)
    assert len(done) < 40
    assert reasoner.calls == len(done)
    assert reasoner.most_in_flight > 1
    assert ledger.input_tokens + ledger.output_tokens <= (budget.max_tokens or math.inf)
    assert ledger.usd <= (budget.max_usd or math.inf)


def test_a_short_reply_promises_nothing_about_the_next_ones() -> None:
    """91 tokens are used; ten more calls would fit if they were as short, and eight do as they are."""
    ledger, reasoner = Ledger(budget=Budget(max_tokens=1010)), Paid(1, 20)
    ask_all(reasoner, ledger, 1)
    ended = ask_all(reasoner, ledger, 40)

    assert sum(isinstance(one, Completion) for one in ended) == 8
    assert ledger.input_tokens + ledger.output_tokens <= 1010


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget(max_tokens=120), r"110 of 120 tokens are used.*run\.run_id"),
        (Budget(max_usd=0.0005), r"0\.0004 of 0\.0005 USD are spent.*run\.run_id"),
    ],
)
def test_a_spent_budget_says_what_was_spent(budget: Budget, words: str) -> None:
    ledger = Ledger(PRICES, budget)
    ask_all(Paid(20), ledger, 1)

    (stopped,) = ask_all(Paid(20), ledger, 1)
    with pytest.raises(RunStoppedError, match=words):
        raise stopped  # type: ignore[misc]


def test_what_an_earlier_start_spent_counts() -> None:
    reasoner = Paid()
    ended = ask_all(reasoner, Ledger(PRICES, Budget(max_tokens=1000), spent=Usage(700, 80)), 5)

    assert sum(isinstance(one, Completion) for one in ended) == 2
    assert reasoner.calls == 2


def test_a_call_that_failed_gives_its_reservation_back() -> None:
    """One call fits at a time, so that each of five can only be admitted after the one before."""
    ledger, reasoner = Ledger(PRICES, Budget(max_tokens=115)), Paid(fails=True)
    ended = ask_all(reasoner, ledger, 5)

    assert [str(one) for one in ended] == ["no luck"] * 5
    assert (reasoner.calls, reasoner.most_in_flight) == (5, 1)
    assert isinstance(ask_all(Paid(), ledger, 1)[0], Completion)


def test_a_call_that_is_cancelled_gives_its_reservation_back() -> None:
    async def scenario() -> Completion:
        ledger = Ledger(PRICES, Budget(max_tokens=115))
        metered = MeteredReasoner(Paid(), ledger)
        holding, waiting = (asyncio.create_task(metered.acomplete(PROMPT)) for _ in range(2))
        await asyncio.sleep(0)
        holding.cancel()
        return await asyncio.wait_for(waiting, 5)

    assert asyncio.run(scenario()).text == "a"


def test_who_waits_is_admitted_when_a_shorter_call_than_feared_has_ended() -> None:
    """Two calls of 110 tokens do not fit into 210; two of 92 do."""
    reasoner = Paid(2, 2)
    ended = ask_all(reasoner, Ledger(PRICES, Budget(max_tokens=205)), 2)

    assert all(isinstance(one, Completion) for one in ended)
    assert reasoner.most_in_flight == 1


def test_without_a_budget_nobody_waits() -> None:
    reasoner = Paid()

    assert all(isinstance(one, Completion) for one in ask_all(reasoner, Ledger(), 50))
    assert reasoner.most_in_flight == 50


def test_a_metered_reasoner_is_otherwise_the_inner_one() -> None:
    inner = Paid()
    inner.answer_form, inner.max_connections, inner.context_tokens = "letter", 7, 4096
    inner.sees_images = inner.writes_json = True
    metered = MeteredReasoner(inner, Ledger())

    for name in ("model", "answer_form", "max_connections", "context_tokens", "sees_images", "writes_json"):
        assert getattr(metered, name) == getattr(inner, name)
    found: Mapping[str, Any] = metered.identity()
    assert found == inner.identity()
    assert metered.count_tokens(PROMPT) == inner.count_tokens(PROMPT) == 90
    assert metered.complete(PROMPT).text == "a"  # from a thread of one's own
