"""The other ranks, seen through files; the clock is the test's."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from lavis.common import event_loop
from lavis.common.errors import LavisError, RunStoppedError
from lavis.runners import peers as peers_module
from lavis.runners.lease import PATIENCE_S
from lavis.runners.peers import Peers
from lavis.runners.run_folder import RunFolder


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path, "marker")
    folder.journal.mkdir()
    return folder


def test_a_rank_that_goes_on_showing_itself_is_alive_whatever_its_clock_says(folder: RunFolder) -> None:
    """Its file's time goes back by an hour each time; that it changes is what counts."""
    clock = Clock()
    mine = Peers(folder, 0, 2, clock)
    for number in range(10):
        folder.alive(1).touch()
        os.utime(folder.alive(1), (1e9 - 3600 * number, 1e9 - 3600 * number))
        mine.check()
        clock.now += 0.9 * PATIENCE_S


def test_a_rank_that_falls_silent_ends_the_run_with_its_number_and_what_to_do(folder: RunFolder) -> None:
    clock = Clock()
    mine, other = Peers(folder, 0, 3, clock), Peers(folder, 2, 3, clock)
    for _ in range(4):
        other.beat()
        os.utime(folder.alive(2), (clock.now, clock.now))
        folder.done(1).touch()
        mine.check()
        clock.now += 0.6 * PATIENCE_S
    mine.check()
    clock.now += 0.6 * PATIENCE_S
    with pytest.raises(LavisError, match=r"Rank 2 has shown no sign of life for \d+ s.*run\.run_id"):
        mine.check()


def test_a_rank_that_never_came_is_silent_too(folder: RunFolder) -> None:
    clock = Clock()
    mine = Peers(folder, 0, 2, clock)
    mine.check()
    clock.now += 1.1 * PATIENCE_S
    with pytest.raises(LavisError, match="Rank 1"):
        mine.check()


def test_a_rank_that_is_done_may_be_silent(folder: RunFolder) -> None:
    clock = Clock()
    mine = Peers(folder, 0, 2, clock)
    mine.check()
    folder.done(1).touch()
    clock.now += 10 * PATIENCE_S
    mine.check()


def test_how_another_rank_ended_is_told_and_a_stop_is_no_failure(folder: RunFolder) -> None:
    mine = Peers(folder, 0, 2)
    folder.failed(1).write_text("JournalError: no space")
    with pytest.raises(LavisError, match="Rank 1: JournalError: no space") as failed:
        mine.check()
    assert not isinstance(failed.value, RunStoppedError)
    folder.failed(1).unlink()
    folder.stopped(1).write_text("the budget is spent")
    with pytest.raises(RunStoppedError, match="Rank 1: the budget is spent"):
        mine.check()


def test_one_rank_alone_leaves_no_sign_of_life(folder: RunFolder) -> None:
    alone = Peers(folder, 0, 1)
    alone.beat()
    alone.check()
    assert list(folder.journal.iterdir()) == []


def test_a_folder_that_cannot_be_written_does_not_end_the_run_by_a_beat(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Peers(RunFolder(tmp_path / "file", ""), 0, 2).beat()


def test_waiting_ends_when_all_are_done_or_one_is_asked_to_stop(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers_module, "BEAT_S", 0.05)

    async def wait(then: Path | asyncio.Event) -> None:
        stop = then if isinstance(then, asyncio.Event) else asyncio.Event()
        waiting = asyncio.create_task(Peers(folder, 0, 3).wait_for_all(stop))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        if isinstance(then, asyncio.Event):
            then.set()
        else:
            then.touch()
        await asyncio.wait_for(waiting, 20.0)

    async def asked_to_stop() -> None:
        await wait(asyncio.Event())

    folder.done(1).touch()
    with pytest.raises(RunStoppedError, match=r"run\.run_id"):
        event_loop.run(asked_to_stop())
    with pytest.raises(RunStoppedError, match="Rank 2"):
        event_loop.run(wait(folder.stopped(2)))
    folder.stopped(2).unlink()
    event_loop.run(wait(folder.done(2)))


def test_a_rank_shows_itself_while_its_event_loop_is_held_up(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers_module, "BEAT_S", 0.02)

    async def hold_up() -> tuple[int, int]:
        before = folder.alive(1).stat().st_mtime_ns
        time.sleep(0.3)
        return before, folder.alive(1).stat().st_mtime_ns

    with Peers(folder, 1, 2).showing():
        while not folder.alive(1).exists():
            time.sleep(0.01)
        before, after = event_loop.run(hold_up())
    assert after > before
    ended = folder.alive(1).stat().st_mtime_ns
    time.sleep(0.1)
    assert folder.alive(1).stat().st_mtime_ns == ended


def test_watching_ends_with_what_another_rank_met(folder: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "BEAT_S", 0.05)

    async def watch() -> None:
        watching = asyncio.create_task(Peers(folder, 1, 2).watch())
        await asyncio.sleep(0.2)
        assert not watching.done()
        folder.failed(0).write_text("why")
        await asyncio.wait_for(watching, 20.0)

    with pytest.raises(LavisError, match="Rank 0: why"):
        event_loop.run(watch())
