"""Many items at once: bounded, in order, ended by the first error or by being asked to stop."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator

import pytest

from lavis.common import event_loop
from lavis.runners.pipeline import for_each

LONG_S = 60.0


class Work:
    """Counts what is begun, in flight and done; an item waits for the gate."""

    def __init__(self) -> None:
        self.taken = 0
        self.begun: list[int] = []
        self.done: list[int] = []
        self.given_up: list[int] = []
        self.most_in_flight = 0
        self.gate = asyncio.Event()
        self.stop = asyncio.Event()

    def items(self, n: int | None) -> Iterator[int]:
        for number in itertools.count() if n is None else range(n):
            self.taken += 1
            yield number

    async def __call__(self, item: int) -> None:
        self.begun.append(item)
        self.most_in_flight = max(self.most_in_flight, len(self.begun) - len(self.done))
        try:
            await self.gate.wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.given_up.append(item)
            raise
        self.done.append(item)


def test_every_item_is_done_once_so_many_at_once_begun_in_order() -> None:
    async def run() -> tuple[bool, Work]:
        work = Work()
        work.gate.set()
        return await for_each(work, work.items(100), in_flight=7, stop=work.stop, grace_s=LONG_S), work

    all_done, work = event_loop.run(run())
    assert all_done
    assert work.begun == list(range(100))
    assert sorted(work.done) == list(range(100))
    assert work.most_in_flight == 7


def test_items_are_taken_as_others_are_finished_and_not_before() -> None:
    async def run() -> Work:
        work = Work()
        running = asyncio.create_task(for_each(work, work.items(None), in_flight=3, stop=work.stop, grace_s=LONG_S))
        await asyncio.sleep(0.05)
        assert (work.taken, work.begun) == (3, [0, 1, 2])
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return work

    work = event_loop.run(run())
    assert sorted(work.given_up) == [0, 1, 2], "what is cancelled from outside leaves nothing running"


def test_nothing_to_do_is_done_at_once() -> None:
    async def run() -> bool:
        work = Work()
        return await for_each(work, iter(()), in_flight=3, stop=work.stop, grace_s=LONG_S)

    assert event_loop.run(run())


def test_the_first_exception_ends_it_and_the_others_are_given_up() -> None:
    async def run() -> Work:
        work = Work()

        async def fails_at_two(item: int) -> None:
            if item == 2:
                raise ZeroDivisionError("two")
            await work(item)

        with pytest.raises(ZeroDivisionError, match="two"):
            await for_each(fails_at_two, work.items(100), in_flight=4, stop=work.stop, grace_s=LONG_S)
        return work

    work = event_loop.run(run())
    assert work.begun == [0, 1, 3]
    assert sorted(work.given_up) == [0, 1, 3]
    assert work.done == []


def test_of_errors_at_the_same_moment_none_is_lost_unseen(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async def fails(item: int) -> None:
            raise ValueError(f"error {item}")

        await for_each(fails, range(3), in_flight=3, stop=asyncio.Event(), grace_s=LONG_S)

    with caplog.at_level(logging.ERROR), pytest.raises(ValueError, match=r"error \d") as raised:
        event_loop.run(run())
    told = {str(raised.value), *(record.getMessage().rpartition(": ")[2] for record in caplog.records)}
    assert told == {"error 0", "error 1", "error 2"}


def test_an_error_of_the_items_themselves_ends_it() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise OSError("the list is torn")

    async def run() -> None:
        work = Work()
        work.gate.set()
        await for_each(work, items(), in_flight=1, stop=work.stop, grace_s=LONG_S)

    with pytest.raises(OSError, match="the list is torn"):
        event_loop.run(run())


def test_asked_to_stop_what_is_in_flight_ends_and_nothing_new_begins() -> None:
    async def run() -> tuple[bool, Work]:
        work = Work()
        running = asyncio.create_task(for_each(work, work.items(100), in_flight=4, stop=work.stop, grace_s=LONG_S))
        await asyncio.sleep(0.05)
        work.stop.set()
        await asyncio.sleep(0.05)
        assert not running.done()
        work.gate.set()
        return await asyncio.wait_for(running, LONG_S), work

    all_done, work = event_loop.run(run())
    assert not all_done
    assert work.begun == [0, 1, 2, 3]
    assert (sorted(work.done), work.given_up) == ([0, 1, 2, 3], [])


def test_what_does_not_end_within_the_grace_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> tuple[bool, Work]:
        work = Work()
        running = asyncio.create_task(for_each(work, work.items(100), in_flight=4, stop=work.stop, grace_s=0.05))
        await asyncio.sleep(0.05)
        work.stop.set()
        return await asyncio.wait_for(running, LONG_S), work

    with caplog.at_level(logging.WARNING):
        all_done, work = event_loop.run(run())
    assert not all_done
    assert (work.done, sorted(work.given_up)) == ([], [0, 1, 2, 3])
    assert "4 questions in flight did not end" in caplog.text


def test_asked_to_stop_at_the_last_items_it_can_still_finish_them_all() -> None:
    async def run() -> bool:
        work = Work()
        running = asyncio.create_task(for_each(work, work.items(3), in_flight=4, stop=work.stop, grace_s=LONG_S))
        await asyncio.sleep(0.05)
        work.stop.set()
        work.gate.set()
        return await asyncio.wait_for(running, LONG_S)

    assert event_loop.run(run())


def test_asked_to_stop_before_it_begins_nothing_is_done() -> None:
    async def run() -> tuple[bool, Work]:
        work = Work()
        work.stop.set()
        return await for_each(work, work.items(10), in_flight=2, stop=work.stop, grace_s=LONG_S), work

    all_done, work = event_loop.run(run())
    assert (all_done, work.begun) == (False, [])


def test_an_error_within_the_grace_is_not_taken_for_a_stop() -> None:
    async def run() -> None:
        work = Work()

        async def fails(item: int) -> None:
            await work(item)
            raise ZeroDivisionError

        running = asyncio.create_task(for_each(fails, range(9), in_flight=2, stop=work.stop, grace_s=LONG_S))
        await asyncio.sleep(0.05)
        work.stop.set()
        await asyncio.sleep(0.05)
        work.gate.set()
        await asyncio.wait_for(running, LONG_S)

    with pytest.raises(ZeroDivisionError):
        event_loop.run(run())
