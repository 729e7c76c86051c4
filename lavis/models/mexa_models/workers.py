"""Threads that experts look in: bounded, and replaced where a look does not return."""

from __future__ import annotations

import asyncio
import functools
import itertools
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


class HangingError(TimeoutError):
    """Work did not return in time and its thread was given up; work may raise a TimeoutError of its own."""


class Workers:
    """A few threads for work that may hang: who waits can give up, and another thread takes the place.

    A thread that hangs can't be ended; it is left alone, and does not keep the process from ending.

    Args:
        n_workers: pieces of work done at once.
    """

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers
        self.n_lost = 0
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._n_threads = 0

    async def run(self, work: Callable[[], Result], *, timeout_s: float | None = None) -> Result:
        """Do work in a thread and return what it returns.

        Args:
            work: raises what it likes.
            timeout_s: how long it may take once a thread has begun it; None: as long as it takes.

        Raises:
            HangingError: it took longer; its thread is given up.
        """
        job = _Job(work, asyncio.get_running_loop())
        self._jobs.put(job)
        self._hire()
        try:
            await job.begun.wait()
            await asyncio.wait([job.result], timeout=timeout_s)
            if not job.result.done():
                self._give_up(job, lost=True)
                raise HangingError(f"it did not return within {timeout_s:g} s")
            result: Result = job.result.result()
            return result
        except asyncio.CancelledError:
            self._give_up(job, lost=False)
            raise

    def close(self) -> None:
        """Let the threads end when what they do is done."""
        for _ in range(self._n_threads):
            self._jobs.put(None)

    def _hire(self) -> None:
        with self._lock:
            if self._n_threads >= self.n_workers:
                return
            self._n_threads += 1
        threading.Thread(target=self._work, name=f"expert-{next(self._numbers)}", daemon=True).start()

    def _give_up(self, job: _Job, *, lost: bool) -> None:
        job.result.cancel()  # nobody is left to hear what it may still raise
        with self._lock:
            if job.state == "waiting":
                job.state = "cancelled"
            elif job.state == "running" and lost:
                job.state = "lost"
                self.n_lost += 1
                self._n_threads -= 1  # its thread is one too many from now on
        if lost:
            self._hire()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            with self._lock:
                if job is None:
                    self._n_threads -= 1
                    return
                if job.state == "cancelled":
                    continue
                job.state = "running"
            job.do()
            with self._lock:
                if job.state == "lost":
                    self.n_lost -= 1
                    return
                job.state = "done"
            del job  # what it holds must not wait for the next one


class _Job:
    """A piece of work, and who waits for it."""

    def __init__(self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work = work
        self.loop = loop
        self.begun = asyncio.Event()
        self.result: asyncio.Future[Any] = loop.create_future()
        self.state = "waiting"

    def do(self) -> None:
        """Do it in this thread, and tell the event loop."""
        self._tell(self.begun.set)
        try:
            value = self.work()
        except (StopIteration, asyncio.CancelledError) as error:
            # A future refuses the one and takes the other for its waiter's giving up.
            told = RuntimeError(f"{type(error).__name__}: {error}")
            told.__cause__ = error
            self._tell(functools.partial(self._end, error=told))
        except BaseException as error:  # whatever it is, it is for the one who waits
            self._tell(functools.partial(self._end, error=error))
        else:
            self._tell(functools.partial(self._end, value))

    def _end(self, value: Any = None, error: BaseException | None = None) -> None:
        if self.result.done():
            return
        if error is None:
            self.result.set_result(value)
        else:
            self.result.set_exception(error)

    def _tell(self, news: Callable[[], Any]) -> None:
        try:
            self.loop.call_soon_threadsafe(news)
        except RuntimeError:
            return  # the loop is closed: nobody waits any more
