"""kill -9 of a random rank at random moments in one run, resumed each time on one to four ranks.

Three kills by default; ``LAVIS_KILLS=20 sh run_scripts/test.sh tests/runners/test_kills.py`` is the full form.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import lrm_server
import psutil
from sqa3d_runs import ROOT, command, environment, metrics, run, server_options, write_root

N_KILLS = int(os.environ.get("LAVIS_KILLS", "3"))
CONNECTIONS = 16
LATENCY_S = 0.2
N_SCENES, SCENE_QUESTIONS = 10 * N_KILLS, 20


def ranks_of(launcher: psutil.Process) -> list[psutil.Process]:
    """Return the processes that run evaluate.py: torchrun's children, or the launcher itself."""
    children = [
        child
        for child in launcher.children(recursive=True)
        if "evaluate.py" in child.cmdline() and "RANK" in child.environ()
    ]
    return children or [launcher]


def journaled(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in (folder / "answers").glob("rank*.jsonl"))


def kill_one(process: subprocess.Popen[bytes], folder: Path, chance: random.Random) -> bool:
    """Wait for some progress and a random moment, then kill a random rank; False if the run ended before."""
    before = journaled(folder)
    deadline = time.monotonic() + 90
    while journaled(folder) <= before:
        if process.poll() is not None:
            return False
        assert time.monotonic() < deadline, "no question was finished in 90 s"
        time.sleep(0.02)
    time.sleep(chance.uniform(0.0, 1.0))
    if process.poll() is not None:
        return False
    try:
        os.kill(chance.choice(ranks_of(psutil.Process(process.pid))).pid, signal.SIGKILL)
    except (psutil.NoSuchProcess, ProcessLookupError):
        return False
    return True


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait until the launcher has ended the group, as it does when a rank is gone."""
    try:
        process.wait(60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_killed_again_and_again_a_run_leaves_the_files_of_an_undisturbed_one(tmp_path: Path) -> None:
    chance = random.Random(17)
    root = write_root(tmp_path / "root", n_scenes=N_SCENES, scene_questions=SCENE_QUESTIONS)
    n_questions = N_SCENES * SCENE_QUESTIONS
    more = [f"model.reasoner.max_connections={CONNECTIONS}", "run.completion_cache=false", "run.grace_s=1"]
    with lrm_server.running(latency_s=LATENCY_S) as server:
        quiet = run(server_options(tmp_path, "quiet", server.url, *more), environment(root, tmp_path / "cache-quiet"))
        assert quiet.returncode == 0, quiet.stderr
        quietly_paid = server.stats()["paid"]

    folder = tmp_path / "killed"
    killed, in_flight, resumed_on = 0, 0, []
    with lrm_server.running(latency_s=LATENCY_S) as server:
        opts = server_options(tmp_path, "killed", server.url, *more)
        env = environment(root, tmp_path / "cache")
        while killed < N_KILLS:
            ranks = chance.randint(1, 4)
            resumed_on.append(ranks)
            process = subprocess.Popen(
                command(opts, ranks=ranks), cwd=ROOT, env=env, stderr=subprocess.DEVNULL, start_new_session=True
            )
            hit = kill_one(process, folder, chance)
            in_flight += server.stats()["in_flight"] if hit else 0
            killed += hit
            end(process)
            assert hit or process.returncode == 0
            if not hit:
                break
        ended = run(opts, env, ranks=chance.randint(1, 4))
        assert ended.returncode == 0, ended.stderr
        paid = server.stats()["paid"]

    sys.stderr.write(
        f"{killed} kills on {resumed_on} ranks; {sum(paid.values()) - n_questions} of {n_questions} questions paid for "
        f"again, {in_flight} calls were in flight just after the kills\n"
    )
    assert killed == N_KILLS, "the run ended before every kill; give it more questions"
    assert (folder / "result" / "test.json").read_bytes() == (tmp_path / "quiet" / "result" / "test.json").read_bytes()
    assert metrics(folder) == metrics(tmp_path / "quiet")
    assert set(paid) == set(quietly_paid)
    assert sum(quietly_paid.values()) == n_questions
    assert sum(paid.values()) - n_questions <= CONNECTIONS * killed
    lines = [json.loads(line)["key"] for path in folder.rglob("rank*.jsonl") for line in path.read_text().splitlines()]
    assert len(lines) == len(set(lines)) == n_questions
