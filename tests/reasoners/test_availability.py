"""When a server counts as away, who probes it, and when a run gives up; on a clock that stands still."""

from __future__ import annotations

import asyncio

import pytest

from lavis.common.errors import ReasonerUnusableError
from lavis.reasoners.availability import AWAY_AFTER, SAME_REFUSALS, Availability
from lavis.reasoners.retries import Failure

DROPPED = Failure("the connection failed (reset)", retryable=True, cause="connection")
REFUSED = Failure("the connection failed (refused)", retryable=True, cause="connection", unconnected=True)
SILENT = Failure("no answer within 600 s", retryable=True, cause="timeout")
GATEWAY = Failure("HTTP 502", retryable=True, cause="HTTP 502", status=502)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def server(clock: Clock, *, worked: bool = True, max_outage_s: float | None = 900.0) -> Availability:
    found = Availability(
        "m at url", advice=lambda failure: "Do this.", max_outage_s=max_outage_s, start_s=8.0, clock=clock
    )
    if worked:
        found.replied()
    return found


# -- being away --------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", [DROPPED, SILENT, GATEWAY], ids=["dropped", "silent", "502"])
def test_so_many_unanswered_calls_in_a_row_are_an_outage(clock: Clock, failure: Failure) -> None:
    found = server(clock)

    for _ in range(AWAY_AFTER - 1):
        found.failed(failure)
        assert found.counts(failure)
    found.failed(failure)
    assert not found.counts(failure)
    assert found.last_reason == failure.reason


def test_a_reply_or_any_answer_in_between_is_none(clock: Clock) -> None:
    found = server(clock)

    for answer in (found.replied, lambda: found.failed(Failure("HTTP 500", retryable=True, status=500))):
        for _ in range(AWAY_AFTER - 1):
            found.failed(DROPPED)
        answer()
    found.failed(DROPPED)
    assert found.counts(DROPPED)


def test_where_nothing_listens_it_is_away_at_once(clock: Clock) -> None:
    """The request never left: it cannot be what is wrong."""
    found = server(clock)
    found.failed(REFUSED)

    assert not found.counts(REFUSED)


def test_before_its_first_reply_one_lost_connection_is_enough_but_no_silence(clock: Clock) -> None:
    lost, silent = server(clock, worked=False), server(clock, worked=False)
    lost.failed(DROPPED)
    silent.failed(SILENT)

    assert not lost.counts(DROPPED)
    assert silent.counts(SILENT)


@pytest.mark.parametrize(("worked", "patience_s"), [(False, 8.0), (True, 900.0)])
def test_patience_ends(clock: Clock, worked: bool, patience_s: float) -> None:
    found = server(clock, worked=worked)
    found.failed(REFUSED)
    clock.now += patience_s - 0.1
    found.failed(REFUSED)
    clock.now += 0.1

    with pytest.raises(ReasonerUnusableError, match=rf"^m at url: the connection .*no answer for {patience_s:.0f} s\)"):
        found.failed(REFUSED)


def test_patience_can_have_no_end(clock: Clock) -> None:
    found = server(clock, max_outage_s=None)
    for _ in range(20):
        clock.now += 1e5
        found.failed(REFUSED)
    found.replied()

    assert found.away_since is None


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [
        Failure("HTTP 401", retryable=False, status=401),
        Failure("HTTP 404", retryable=False, status=404),
        Failure("no secure connection", retryable=False, cause="tls"),
    ],
)
def test_what_every_call_would_meet_ends_it_at_once(clock: Clock, failure: Failure) -> None:
    found = server(clock, worked=False)

    with pytest.raises(ReasonerUnusableError, match=r"every call would meet this\)\. Do this\. .*run\.run_id"):
        found.failed(failure)


def test_one_401_after_replies_is_a_whim_and_twenty_are_none(clock: Clock) -> None:
    found, failure = server(clock), Failure("HTTP 401", retryable=False, status=401)

    for _ in range(SAME_REFUSALS - 1):
        found.failed(failure)
    with pytest.raises(ReasonerUnusableError, match="20 calls in a row"):
        found.failed(failure)


@pytest.mark.parametrize(
    "failure",
    [
        Failure("HTTP 429", retryable=True, status=429),
        Failure("too long", retryable=False, status=400, too_long=True),
        Failure("the reply had no text", retryable=True, cause="empty reply"),
    ],
    ids=["429", "too long", "empty"],
)
def test_what_says_nothing_about_the_server_never_ends_it(clock: Clock, failure: Failure) -> None:
    found = server(clock, worked=False)

    for _ in range(5 * SAME_REFUSALS):
        found.failed(failure)


def test_a_500_ends_it_only_where_nothing_ever_worked(clock: Clock) -> None:
    failure, worked, never = Failure("HTTP 500", retryable=True, status=500), server(clock), server(clock, worked=False)

    for _ in range(5 * SAME_REFUSALS):
        worked.failed(failure)
    with pytest.raises(ReasonerUnusableError):
        for _ in range(SAME_REFUSALS):
            never.failed(failure)


# -- waiting -----------------------------------------------------------------------------------


def test_one_of_many_probes_and_all_pass_when_it_is_back(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lavis.reasoners.availability.FIRST_PROBE_S", 0.02)

    async def scenario() -> tuple[int, int]:
        found, probes, passed = server(clock), 0, 0
        found.failed(REFUSED)

        async def caller() -> None:
            nonlocal probes, passed
            while True:
                async with found.passage():
                    if passed == 0:
                        probes += 1
                        await asyncio.sleep(0.03)  # a probe takes time; nobody else is let through meanwhile
                        if probes < 3:
                            found.failed(REFUSED)
                            continue
                        found.replied()
                    passed += 1
                    return

        await asyncio.wait_for(asyncio.gather(*[caller() for _ in range(30)]), 10)
        return probes, passed

    assert asyncio.run(scenario()) == (3, 30)


def test_a_probe_that_is_cancelled_leaves_the_probing_to_another(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lavis.reasoners.availability.FIRST_PROBE_S", 0.02)

    async def scenario() -> list[str]:
        found, probing = server(clock), list[str]()
        found.failed(REFUSED)

        async def caller(name: str) -> None:
            async with found.passage():
                probing.append(name)
                await asyncio.sleep(60 if name == "first" else 0)

        first = asyncio.create_task(caller("first"))
        while not probing:
            await asyncio.sleep(0.005)
        second = asyncio.create_task(caller("second"))
        await asyncio.sleep(0.1)
        assert probing == ["first"]
        first.cancel()
        await asyncio.wait_for(second, 5)
        return probing

    assert asyncio.run(scenario()) == ["first", "second"]


def test_all_who_wait_learn_that_it_is_over(clock: Clock) -> None:
    async def scenario() -> list[BaseException | None]:
        found = server(clock)
        found.failed(REFUSED)

        async def caller() -> None:
            async with found.passage():
                pass

        tasks = [asyncio.create_task(caller()) for _ in range(5)]
        await asyncio.sleep(0)
        clock.now += 900
        with pytest.raises(ReasonerUnusableError):
            found.failed(REFUSED)
        ended = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 0.4)  # without a probe
        return list(ended)

    ended = asyncio.run(scenario())
    assert all(isinstance(one, ReasonerUnusableError) for one in ended)
    assert len({id(one) for one in ended}) == 5  # each its own, so that no traceback grows in another's
