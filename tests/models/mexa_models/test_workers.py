"""Workers: bounded threads, work that hangs, work that is given up."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from lavis.models.mexa_models.workers import Workers

PATIENCE_S = 20.0


def test_as_many_are_at_work_as_there_are_places() -> None:
    workers, inside, most = Workers(3), [0], [0]
    lock, gate = threading.Lock(), threading.Event()

    def work() -> int:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        gate.wait(PATIENCE_S)
        with lock:
            inside[0] -= 1
        return 1

    async def run() -> list[int]:
        asked = asyncio.gather(*(workers.run(work) for _ in range(12)))
        await asyncio.sleep(0.1)
        gate.set()
        return await asked

    assert sum(asyncio.run(run())) == 12
    assert most[0] == 3
    workers.close()


def test_what_work_raises_reaches_who_waits() -> None:
    def fail() -> None:
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        asyncio.run(Workers(1).run(fail))


def test_work_that_hangs_is_given_up_and_its_place_is_filled() -> None:
    """One place; the first work never returns within the test, and the second is done all the same."""
    workers, gate = Workers(1), threading.Event()

    async def run() -> str:
        with pytest.raises(TimeoutError, match=r"within 0\.05 s"):
            await workers.run(lambda: gate.wait(PATIENCE_S), timeout_s=0.05)
        assert workers.n_lost == 1
        return await asyncio.wait_for(workers.run(lambda: "next"), PATIENCE_S)

    assert asyncio.run(run()) == "next"
    gate.set()
    deadline = time.monotonic() + PATIENCE_S
    while workers.n_lost and time.monotonic() < deadline:
        time.sleep(0.01)
    assert workers.n_lost == 0, "a thread that returns after all is no longer counted"


def test_time_spent_waiting_for_a_place_is_not_counted() -> None:
    workers = Workers(1)

    async def run() -> list[None]:
        return await asyncio.gather(*(workers.run(lambda: time.sleep(0.15), timeout_s=1.0) for _ in range(8)))

    assert asyncio.run(run()) == [None] * 8


def test_work_that_nobody_waits_for_any_more_is_not_begun() -> None:
    workers, gate = Workers(1), threading.Event()
    done: list[str] = []

    async def run() -> None:
        first = asyncio.create_task(workers.run(lambda: gate.wait(PATIENCE_S)))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(workers.run(lambda: done.append("second")))
        await asyncio.sleep(0.05)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        gate.set()
        await first
        await workers.run(lambda: done.append("third"))

    asyncio.run(run())
    assert done == ["third"]


def test_a_hanging_thread_does_not_keep_the_process() -> None:
    program = (
        "import asyncio, time\n"
        "from lavis.models.mexa_models.workers import Workers\n"
        "async def run():\n"
        "    try:\n"
        "        await Workers(2).run(lambda: time.sleep(600), timeout_s=0.05)\n"
        "    except TimeoutError:\n"
        "        print('given up')\n"
        "asyncio.run(run())\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "given up\n")
