"""How many calls are in flight: on a clock that stands still, and against a server with limits of its own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from lrm_server import running
from provider import PROMPT

from lavis.reasoners.concurrency import AdaptiveLimiter
from lavis.reasoners.openai_compatible import OpenAIReasoner


def play(limiter: AdaptiveLimiter, n_calls: int, *, latency_s: float = 1.0, refused_every: int = 0) -> float:
    """Make calls as fast as places allow and return the limit after them; every k-th is refused."""
    numbers = itertools.count(1)

    async def call() -> None:
        async with limiter.slot() as report:
            await asyncio.sleep(0)
            report.ended = True
            if refused_every and next(numbers) % refused_every == 0:
                report.congested = True
            else:
                report.latency_s = latency_s

    async def all_calls() -> None:
        await asyncio.gather(*[call() for _ in range(n_calls)])

    asyncio.run(all_calls())
    assert limiter.in_flight == 0
    return limiter.limit


# -- the rule ----------------------------------------------------------------------------------


def test_it_starts_at_eight_and_no_higher_than_its_maximum() -> None:
    assert AdaptiveLimiter(512).limit == 8
    assert AdaptiveLimiter(3).limit == 3
    assert AdaptiveLimiter(512, start=64).limit == 64


def test_it_doubles_each_round_up_to_the_maximum_and_stays_there() -> None:
    """8, 16, 32: three rounds of 56 calls; growing by quarters, 100 calls would reach about 30."""
    limiter = AdaptiveLimiter(64)

    assert 8 < play(limiter, 20) < 30
    assert [play(limiter, 100), play(limiter, 400)] == [64, 64]


def test_what_is_not_used_does_not_grow() -> None:
    limiter = AdaptiveLimiter(64)

    for _ in range(100):
        play(limiter, 2)

    assert limiter.limit == 8


def test_many_refusals_shrink_it_by_their_share_and_not_below_one() -> None:
    limiter = AdaptiveLimiter(64, start=64)

    assert play(limiter, 64, refused_every=4) == pytest.approx(48, abs=1)
    for _ in range(60):
        play(limiter, 64, refused_every=1)
    assert limiter.limit == 1


def test_few_refusals_are_noise() -> None:
    """One in 16 is refused, about 6 %: it still grows, by a tenth a window."""
    limiter = AdaptiveLimiter(64, start=32)
    play(limiter, 64, refused_every=4)  # it doubles no longer
    before = limiter.limit

    assert play(limiter, 320, refused_every=16) > before


def test_after_the_first_bad_window_it_grows_by_quarters() -> None:
    limiter = AdaptiveLimiter(64, start=64)
    shrunk = play(limiter, 64, refused_every=2)

    assert shrunk == pytest.approx(32, abs=1)
    assert play(limiter, int(shrunk)) == pytest.approx(shrunk)  # a window that was half empty
    assert play(limiter, 6 * int(shrunk)) >= 1.25 * 1.25 * shrunk


def test_rising_latency_shrinks_it_and_is_forgiven_where_it_stays() -> None:
    limiter = AdaptiveLimiter(32, start=32)

    # Windows of 32 calls. 1.9 times the quiet median is no congestion, 2.5 times is.
    assert [play(limiter, 32, latency_s=latency_s) for latency_s in (1.0, 1.9)] == [32, 32]
    assert play(limiter, 32, latency_s=2.5) == pytest.approx(0.8 * 32)

    # Answers that are longer for good are what is usual after a while.
    for _ in range(60):
        play(limiter, max(32, int(limiter.limit)), latency_s=2.5)
    low = limiter.limit
    assert play(limiter, 4 * max(32, int(low)), latency_s=2.5) > low


def test_a_call_that_ends_without_a_word_counts_as_nothing() -> None:
    """One that was cancelled says nothing about how many calls the server takes."""
    limiter = AdaptiveLimiter(64, start=32)

    async def mute() -> None:
        for _ in range(200):
            async with limiter.slot():
                pass

    asyncio.run(mute())
    assert limiter.limit == 32


# -- places ------------------------------------------------------------------------------------


async def hold(limiter: AdaptiveLimiter, entered: list[int], number: int, leave: asyncio.Event) -> None:
    async with limiter.slot():
        entered.append(number)
        await leave.wait()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_those_who_came_first_are_admitted_first() -> None:
    async def scenario() -> list[int]:
        limiter, entered = AdaptiveLimiter(1), list[int]()
        doors = [asyncio.Event() for _ in range(6)]
        tasks = [asyncio.create_task(hold(limiter, entered, k, doors[k])) for k in range(5)]
        await settle()
        doors[0].set()
        late = asyncio.create_task(hold(limiter, entered, 5, doors[5]))  # comes as a place falls free
        for door in doors:
            door.set()
        await asyncio.gather(*tasks, late)
        return entered

    assert asyncio.run(scenario()) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("moment", ["waiting", "admitted", "holding"])
def test_a_call_that_is_cancelled_leaves_its_place(moment: str) -> None:
    async def scenario() -> tuple[list[int], int]:
        limiter, entered = AdaptiveLimiter(1), list[int]()
        doors = [asyncio.Event() for _ in range(3)]
        first, second, third = (asyncio.create_task(hold(limiter, entered, k, doors[k])) for k in range(3))
        await settle()
        victim = first if moment == "holding" else second
        if moment == "admitted":
            doors[0].set()
            await asyncio.sleep(0)  # the first leaves its place to the second, which has not woken yet
            assert (entered, limiter.in_flight) == ([0], 1)
        victim.cancel()
        for door in doors:
            door.set()
        await asyncio.wait_for(asyncio.gather(first, second, third, return_exceptions=True), 5)
        assert victim.cancelled()
        return entered, limiter.in_flight

    entered, in_flight = asyncio.run(scenario())
    assert 2 in entered  # whoever came after is not held up
    assert (1 in entered) == (moment == "holding")
    assert in_flight == 0


def test_an_error_leaves_its_place_too() -> None:
    async def scenario() -> int:
        limiter = AdaptiveLimiter(1)
        for _ in range(3):
            with pytest.raises(ValueError, match="broken"):
                async with limiter.slot():
                    raise ValueError("broken")
        return limiter.in_flight

    assert asyncio.run(scenario()) == 0


def test_a_pause_holds_whoever_waits_already_and_keeps_the_order() -> None:
    async def scenario() -> tuple[list[int], list[int]]:
        now = [100.0]
        limiter, entered = AdaptiveLimiter(1, clock=lambda: now[0]), list[int]()
        doors = [asyncio.Event() for _ in range(4)]
        tasks = [asyncio.create_task(hold(limiter, entered, k, doors[k])) for k in range(2)]
        await settle()
        limiter.pause(0.05)
        for door in doors:
            door.set()
        await settle()  # the first has left; its place stays empty
        tasks += [asyncio.create_task(hold(limiter, entered, k, doors[k])) for k in (2, 3)]
        await settle()
        during = list(entered)
        now[0] += 0.05
        await asyncio.wait_for(asyncio.gather(*tasks), 5)
        return during, entered

    during, after = asyncio.run(scenario())
    assert during == [0]
    assert after == [0, 1, 2, 3]


def test_a_longer_pause_outlasts_a_shorter_one() -> None:
    async def scenario() -> tuple[list[int], list[int]]:
        now, leave = [0.0], asyncio.Event()
        leave.set()
        limiter, entered = AdaptiveLimiter(1, clock=lambda: now[0]), list[int]()
        limiter.pause(0.03)
        task = asyncio.create_task(hold(limiter, entered, 0, leave))
        await settle()
        limiter.pause(0.08)
        limiter.pause(0.01)
        now[0] = 0.04
        await asyncio.sleep(0.05)  # the first timer has rung
        during = list(entered)
        now[0] = 0.09
        await asyncio.wait_for(task, 5)
        return during, entered

    assert asyncio.run(scenario()) == ([], [0])


# -- against a server --------------------------------------------------------------------------


@pytest.fixture
def run_calls(make: Callable[..., OpenAIReasoner]) -> Iterator[Callable[..., tuple[int, dict[str, Any]]]]:
    """Complete many prompts at a server with settings; return the limit in the end and the server's stats."""

    def run(n_calls: int, max_connections: int, **settings: Any) -> tuple[int, dict[str, Any]]:
        with running(**settings) as server, ThreadPoolExecutor(128) as pool:
            reasoner = make(server.url, max_connections=max_connections, max_attempts=100)
            for completion in pool.map(lambda _: reasoner.complete(PROMPT), range(n_calls)):
                assert completion.text
            return reasoner.monitor.limit, server.stats()

    yield run


def test_a_healthy_server_is_asked_by_all_connections(run_calls: Callable[..., tuple[int, dict[str, Any]]]) -> None:
    limit, stats = run_calls(400, 32, latency_s=0.1)

    assert limit == 32
    assert stats["most_in_flight"] == 32


def test_6_percent_of_random_429_do_not_shrink_it(run_calls: Callable[..., tuple[int, dict[str, Any]]]) -> None:
    limit, stats = run_calls(500, 24, latency_s=0.1, faults=["429"], fault_rate=0.06)

    assert stats["faults"] >= 30
    assert limit >= 20


def test_it_settles_near_what_a_server_takes(run_calls: Callable[..., tuple[int, dict[str, Any]]]) -> None:
    """The server refuses the 13th call; 64 connections are configured."""
    limit, stats = run_calls(500, 64, latency_s=0.05, max_in_flight=12)

    assert 6 <= limit <= 26
    assert stats["calls"] < 2 * 500  # most calls are taken


def test_a_server_whose_calls_queue_is_asked_less(run_calls: Callable[..., tuple[int, dict[str, Any]]]) -> None:
    """It works on 8 at once, so that with 96 in flight a reply takes twelve times as long."""
    limit, _ = run_calls(400, 96, latency_s=0.05, capacity=8)

    assert limit <= 80
