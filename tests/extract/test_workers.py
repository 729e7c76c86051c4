"""Worker processes: what dies, what fails, what ends everything, and that no one is left."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from lavis.common.errors import ConfigError, ModalityError, RunStoppedError
from lavis.extract import workers
from lavis.extract.workers import Event, run_jobs


class Doing:
    """Does what a job's name says."""

    def __init__(self, folder: Path, *, usable: bool = True) -> None:
        self.folder = folder
        self.usable = usable

    def prepare(self, n_threads: int) -> None:
        if not self.usable:
            raise ConfigError("no such option")

    def do(self, job: str, tell: Any) -> str:
        (self.folder / f"{job}.{os.getpid()}").touch()
        if job.startswith("crash"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if job.startswith("bad"):
            raise ModalityError(f"{job} is damaged")
        if job.startswith("odd"):
            raise ZeroDivisionError("in a decoder")
        if job.startswith("full"):
            raise OSError(28, "No space left on device", "here")
        if job.startswith("sleep"):
            time.sleep(60)
        return job.upper()


def done(folder: Path, jobs: list[str], n_workers: int = 2, **more: Any) -> dict[str, tuple[str, Any]]:
    events: list[Event[str]] = list(
        run_jobs(Doing(folder, **more), jobs, n_workers=n_workers, n_threads=1, idle=lambda: None)
    )
    assert not multiprocessing.active_children()
    return {event.job: (event.kind, event.value) for event in events}


def test_a_crash_and_a_failure_cost_their_own_job_alone(tmp_path: Path) -> None:
    found = done(tmp_path, ["a", "crash", "bad", "odd", "b", "c"])
    assert {job: value for job, (kind, value) in found.items() if kind == "done"} == {"a": "A", "b": "B", "c": "C"}
    assert found["bad"] == ("failed", "bad is damaged")
    assert found["odd"] == ("failed", "ZeroDivisionError: in a decoder")
    assert found["crash"][0] == "failed" and "SIGSEGV" in found["crash"][1]


def test_what_no_job_could_do_ends_everything(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such option"):
        done(tmp_path, ["a", "b"], usable=False)
    with pytest.raises(RunStoppedError, match=r"No space left on device \(here\): make room"):
        done(tmp_path, ["full", "a"], n_workers=1)
    assert not list(tmp_path.glob("a.*"))
    assert not multiprocessing.active_children()


def test_a_job_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "SILENT_S", 4.0)
    found = done(tmp_path, ["sleep", "a"], n_workers=1)
    assert found["sleep"] == ("failed", "nothing was heard of it for 4 s; it hangs") and found["a"] == ("done", "A")


def test_whoever_stops_listening_leaves_no_process(tmp_path: Path) -> None:
    events = run_jobs(Doing(tmp_path), ["a", "sleep"], n_workers=1, n_threads=1, idle=lambda: None)
    assert next(events).value == "A"
    events.close()
    assert not multiprocessing.active_children()
