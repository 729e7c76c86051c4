"""The process's one event loop, seen from threads, from other loops and from itself."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lavis.common import event_loop


async def thread_name() -> str:
    await asyncio.sleep(0)
    return threading.current_thread().name


def test_there_is_one_loop_whoever_asks_first() -> None:
    with ThreadPoolExecutor(16) as pool:
        loops = list(pool.map(lambda _: event_loop.process_loop(), range(64)))

    assert len(set(map(id, loops))) == 1
    assert loops[0].is_running()
    assert sum(thread.name == "event-loop" for thread in threading.enumerate()) == 1


def test_a_result_and_an_error_come_back_to_the_thread_that_asked() -> None:
    async def broken() -> None:
        raise ValueError("broken")

    assert event_loop.run(thread_name()) == "event-loop"
    with pytest.raises(ValueError, match="broken"):
        event_loop.run(broken())


def test_threads_do_not_wait_for_each_other() -> None:
    """Each waits until all eight are there."""
    arrived = []

    async def meet() -> int:
        arrived.append(1)
        while len(arrived) < 8:
            await asyncio.sleep(0.001)
        return len(arrived)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: event_loop.run(asyncio.wait_for(meet(), 10)), range(8))) == [8] * 8


def test_its_own_thread_is_told_to_await_instead_of_waiting_for_itself() -> None:
    async def nested() -> str:
        with pytest.raises(RuntimeError, match="await the asynchronous form"):
            event_loop.run(thread_name())
        return await event_loop.on_process_loop(thread_name())

    assert event_loop.run(asyncio.wait_for(nested(), 10)) == "event-loop"


def test_another_loop_awaits_it_and_cancels_it() -> None:
    async def elsewhere() -> tuple[str, bool]:
        name = await event_loop.on_process_loop(thread_name())
        cancelled = threading.Event()

        async def long() -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(event_loop.on_process_loop(long()), 0.1)
        return name, await asyncio.to_thread(cancelled.wait, 5)

    assert asyncio.run(elsewhere()) == ("event-loop", True)


INTERRUPTED = """
import asyncio, sys
from lavis.common import event_loop

async def long():
    print("runs", flush=True)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise

try:
    event_loop.run(long())
except KeyboardInterrupt:
    event_loop.run(asyncio.sleep(0.05))
    print("interrupted", flush=True)
"""


def test_control_c_reaches_the_main_thread_and_cancels_what_it_waits_for(repo_root: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED], cwd=repo_root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "runs\n"
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    told, errors = process.communicate(timeout=30)

    assert told == "cancelled\ninterrupted\n", errors
    assert process.returncode == 0
    assert time.monotonic() - start < 30  # of the 60 s that it would have slept; the thread is a daemon
