"""One start at a time, judged by real processes and by whether a file is renewed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lavis.common.errors import ConfigError
from lavis.runners import lease as lease_module
from lavis.runners.lease import Lease, renewed_at

HOLD = """
import sys
from pathlib import Path
from lavis.common.errors import ConfigError
from lavis.runners.lease import Lease
print("ready", flush=True)
sys.stdin.readline()
try:
    lease = Lease(Path(sys.argv[1]))
except ConfigError as error:
    print("refused", flush=True)
else:
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "running.json"


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "RENEW_S", 0.05)
    monkeypatch.setattr(lease_module, "PATIENCE_S", 0.5)


def start(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert said(process) == "ready"
    return process


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


def left_behind(pid: int) -> str:
    """Return what a start of this host leaves when it is killed; its process was born with the machine."""
    return json.dumps({"host": socket.gethostname(), "pid": pid, "born": "1", "token": "of the dead"})


def of_another_host(path: Path) -> None:
    """Leave a file as a start on another machine does, with the number of a process that lives here."""
    path.write_text(json.dumps({"host": "elsewhere", "pid": os.getpid(), "born": "1", "token": "theirs"}))


@contextmanager
def renewed(path: Path, step_s: float) -> Iterator[None]:
    """Renew a file as its owner does whose clock goes on by a step each time, or back."""
    ended = threading.Event()

    def renew() -> None:
        moment = time.time()
        while not ended.wait(0.05):
            moment += step_s
            os.utime(path, (moment, moment))

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_second_start_is_refused_while_the_first_lives_and_takes_over_at_once_when_it_was_killed(path: Path) -> None:
    """The killed one is not even reaped when its lease is taken: it is a zombie, and no owner."""
    owner = start(path)
    try:
        go(owner)
        assert said(owner) == "held"
        where = rf"is being run just now by process {owner.pid} on {socket.gethostname()}\..*another run\.run_id"
        with pytest.raises(ConfigError, match=where):
            Lease(path)
        os.kill(owner.pid, signal.SIGKILL)
        while "Z" not in Path(f"/proc/{owner.pid}/stat").read_text().rpartition(")")[2].split()[0]:
            time.sleep(0.01)
        began = time.monotonic()
        lease = Lease(path)
        assert time.monotonic() - began < 3.0
        assert json.loads(path.read_text())["pid"] == os.getpid()
        lease.give_back()
        assert list(path.parent.iterdir()) == []
    finally:
        end(owner)


def test_of_many_that_find_a_dead_start_s_file_at_once_one_goes_on(path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    starts = [start(path) for _ in range(5)]
    try:
        path.write_text(left_behind(dead.pid))
        for process in starts:
            go(process)
        outcomes = [said(process) for process in starts]
        assert sorted(outcomes) == ["held", "refused", "refused", "refused", "refused"]
        assert json.loads(path.read_text())["pid"] == starts[outcomes.index("held")].pid
    finally:
        for process in starts:
            end(process)


def test_who_finds_a_dead_start_s_file_a_moment_late_does_not_take_it_from_the_new_owner(path: Path) -> None:
    """The other start takes over between this one's look and its grasp."""
    path.write_text(left_behind(os.getpid()))
    quicker: list[Lease] = []

    class Late(Lease):
        def _clear_away(self, dead: dict[str, Any], waited_s: float) -> bool:
            if not quicker:
                quicker.append(Lease(self.path))
            return super()._clear_away(dead, waited_s)

    with pytest.raises(ConfigError, match="being run just now"):
        Late(path)
    owner = json.loads(path.read_text())
    assert owner["token"] == quicker[0]._token
    quicker[0].give_back()
    assert list(path.parent.iterdir()) == []


def test_a_process_that_got_the_number_of_a_dead_one_is_not_taken_for_it(path: Path) -> None:
    """The number is that of this very process, which was not born when the owner was."""
    path.write_text(left_behind(os.getpid()))
    Lease(path).give_back()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("step_s", [0.05, -3600.0])
def test_a_start_on_another_host_lives_while_it_renews_its_file_whatever_its_clock_says(
    path: Path, step_s: float
) -> None:
    of_another_host(path)
    with renewed(path, step_s), pytest.raises(ConfigError, match="on elsewhere"):
        Lease(path)
    assert json.loads(path.read_text())["token"] == "theirs"


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("ahead_s", [0.0, 3600.0, -3600.0])
def test_a_start_on_another_host_that_no_longer_renews_its_file_is_dead_after_a_while(
    path: Path, ahead_s: float
) -> None:
    """Its clock, and with it the time of its file, may be an hour ahead or behind."""
    of_another_host(path)
    moment = time.time() + ahead_s
    os.utime(path, (moment, moment))
    began = time.monotonic()
    lease = Lease(path)
    assert time.monotonic() - began > 0.5
    lease.give_back()


@pytest.mark.usefixtures("quick")
def test_a_clock_that_is_set_back_here_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = time.time, iter(range(10**6))
    monkeypatch.setattr(time, "time", lambda: real() - 3600.0 * next(calls))
    of_another_host(path)
    with renewed(path, 0.05), pytest.raises(ConfigError, match="on elsewhere"):
        Lease(path)
    lease = Lease(path)
    assert json.loads(path.read_text())["token"] != "theirs"
    lease.give_back()


@pytest.mark.usefixtures("quick")
def test_it_is_renewed_until_it_is_given_back(path: Path) -> None:
    lease = Lease(path)
    seen = {renewed_at(path)}
    deadline = time.monotonic() + 20.0
    while len(seen) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.01)
        seen.add(renewed_at(path))
    lease.give_back()
    assert renewed_at(path) == 0


def test_what_is_no_longer_one_s_own_is_not_removed(path: Path) -> None:
    lease = Lease(path)
    of_another_host(path)
    lease.give_back()
    assert json.loads(path.read_text())["token"] == "theirs"


@pytest.mark.usefixtures("quick")
def test_a_file_that_was_left_half_written_counts_as_dead_after_a_while(path: Path) -> None:
    path.write_text("")
    Lease(path).give_back()


def test_a_claim_that_a_dying_start_left_behind_does_not_last(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "PATIENCE_S", 0.3)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path.write_text(left_behind(dead.pid))
    claim = path.with_name(f".{path.name}.{json.loads(path.read_text())['token']}")
    claim.touch()
    Lease(path).give_back()
    assert list(path.parent.iterdir()) == []
