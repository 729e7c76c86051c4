"""Jobs spread over processes: one that dies loses its job alone, and none outlives the command."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Protocol, TypeVar

from lavis.common.errors import ConfigError, LavisError, ModalityError, RunStoppedError, WeightsError

logger = logging.getLogger(__name__)

Job = TypeVar("Job")
Tell = Callable[[int, int], None]
TELL_EVERY_S = 0.5
# A process that says nothing for so long hangs; loading a large model from a slow disk takes less.
SILENT_S = 1800.0
# What every later job would meet too.
ENDS_ALL = (ConfigError, WeightsError)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Work(Protocol):
    """What a process is given, pickled: made ready once, then called for each job."""

    def prepare(self, n_threads: int) -> None:
        """Load what the jobs need; a ConfigError or WeightsError ends the command."""

    def do(self, job: Any, tell: Tell) -> Any:
        """Do one job; an error is its failure."""


class Event(Generic[Job]):
    """What a process says about a job.

    Attributes:
        job: the job.
        kind: ``told`` (value: frames done, in all), ``done`` (value: what ``do`` returned) or ``failed`` (reason).
    """

    def __init__(self, job: Job, kind: str, value: Any) -> None:
        self.job = job
        self.kind = kind
        self.value = value


def run_jobs(
    work: Work, jobs: Sequence[Job], *, n_workers: int, n_threads: int, idle: Callable[[], None]
) -> Iterator[Event[Job]]:
    """Do the jobs in processes and yield what happens.

    Args:
        work: what does them.
        jobs: in the order in which they are begun.
        n_workers: processes.
        n_threads: of each process.
        idle: called now and then while nothing happens.

    Raises:
        ConfigError, WeightsError: what a process says cannot work for any job.
        RunStoppedError: the disk is full.
    """
    waiting = deque(jobs)
    pool: list[_Process[Job]] = []
    try:
        while waiting or pool:
            while waiting and len(pool) < n_workers:
                pool.append(_Process(work, n_threads))
            ready = wait([process.connection for process in pool], timeout=TELL_EVERY_S)
            idle()
            for process in [one for one in pool if one.connection in ready]:
                try:
                    kind, value = process.connection.recv()
                except (EOFError, ConnectionResetError):
                    pool.remove(process)
                    reason = process.ended()
                    if not process.is_ready:
                        raise ModalityError(f"a worker process could not begin ({reason}).") from None
                    if process.job is not None:
                        yield Event(process.job, "failed", reason)
                    continue
                if kind == "end":
                    raise value
                process.heard_s = time.monotonic()
                if kind != "ready" and process.job is not None:
                    yield Event(process.job, kind, value)
                    process.job = process.job if kind == "told" else None
                elif waiting:
                    process.give(waiting.popleft())
                else:
                    pool.remove(process)
                    process.dismiss()
            for process in [one for one in pool if time.monotonic() - one.heard_s > SILENT_S]:
                pool.remove(process)
                process.stop()
                if process.job is not None:
                    yield Event(process.job, "failed", f"nothing was heard of it for {SILENT_S:.0f} s; it hangs")
    finally:
        for process in pool:
            process.stop()


class _Process(Generic[Job]):
    """A worker process, seen from the command."""

    def __init__(self, work: Work, n_threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.job: Job | None = None
        self.is_ready = False
        self.heard_s = time.monotonic()
        self._process = context.Process(target=_serve, args=(theirs, work, n_threads), daemon=True)
        self._process.start()
        theirs.close()

    def give(self, job: Job) -> None:
        self.job = job
        self.is_ready = True
        self.connection.send(job)

    def dismiss(self) -> None:
        self.connection.close()
        self._process.join()

    def stop(self) -> None:
        self.connection.close()
        self._process.kill()
        self._process.join()

    def ended(self) -> str:
        self._process.join()
        code = self._process.exitcode or 0
        name = signal.Signals(-code).name if code < 0 else f"status {code}"
        return f"the worker process ended with {name}; the file may crash its decoder, or memory ran out"


def _serve(connection: Connection, work: Work, n_threads: int) -> None:
    """Do jobs until the command has no more, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command hears it too, and ends this process
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sending = threading.Lock()
    given: deque[Any] = deque()
    arrived = threading.Semaphore(0)

    def listen() -> None:
        while True:
            try:
                given.append(connection.recv())
            except (EOFError, OSError):
                os._exit(0)  # the command was killed, or needs no more: leave no half-alive writer behind
            arrived.release()

    def send(kind: str, value: Any) -> None:
        with sending:
            connection.send((kind, value))

    threading.Thread(target=listen, name="listen", daemon=True).start()
    try:
        work.prepare(n_threads)
        while True:
            send("ready", None)
            arrived.acquire()
            send(*_outcome(work, given.popleft(), send))
    except ENDS_ALL as error:
        send("end", error)
        arrived.acquire()
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        send("end", RunStoppedError(f"{error.strerror}{where}: make room and start again, what is finished is kept."))
        arrived.acquire()


def _outcome(work: Work, job: Any, send: Callable[[str, Any], None]) -> tuple[str, Any]:
    told = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told
        if time.monotonic() - told >= TELL_EVERY_S:
            told = time.monotonic()
            send("told", (done, total))

    try:
        return "done", work.do(job, tell)
    except ENDS_ALL:
        raise
    except LavisError as error:
        return "failed", str(error)
    except Exception as error:  # whatever one medium makes a decoder raise, the others go on
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        logger.warning("%s: %s", job, error, exc_info=True)
        return "failed", f"{type(error).__name__}: {error}"
