"""Runs as processes that ask a server, and what stops them: signals, budgets, kills, a server that goes away."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lrm_server import Running, free_port, running
from sqa3d_runs import (
    N_SCENES,
    ROOT,
    SCENE_QUESTIONS,
    command,
    ended,
    environment,
    journaled,
    metrics,
    options,
    run,
    server_options,
    wait_until,
    write_root,
)

N_QUESTIONS = N_SCENES * SCENE_QUESTIONS
STOPPED, NOT_POSSIBLE = 75, 2
PRICED = "model.prices_usd_per_mtok={m: {input: 2.0, output: 10.0}}"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_root(tmp_path_factory.mktemp("sqa3d") / "root")


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as one:
        yield one


@pytest.fixture(autouse=True)
def healthy(server: Running) -> Iterator[None]:
    yield
    server.control(latency_s=0.0, capacity=0, faults=[], fault_rate=0.0, refuse=0, down=False)


@pytest.fixture(scope="module")
def undisturbed(root: Path, server: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on one rank that nothing disturbed."""
    base = tmp_path_factory.mktemp("undisturbed")
    ran = run(server_options(base, "one", server.url, PRICED), environment(root, base / "cache"))
    assert ran.returncode == 0, ran.stderr
    assert Counter(line["status"] for line in journaled(base / "one")) == {"answered": N_QUESTIONS}
    return base / "one"


def same(folder: Path, undisturbed: Path) -> bool:
    """Whether two runs left the same result, byte by byte, and the same metrics."""
    names = ("result/test.json",)
    equal = all((folder / name).read_bytes() == (undisturbed / name).read_bytes() for name in names)
    return equal and metrics(folder) == metrics(undisturbed)


def asked_once(folder: Path) -> bool:
    return sorted(Counter(line["key"] for line in journaled(folder)).values()) == [1] * N_QUESTIONS


def start(opts: list[str], env: dict[str, str], said: Path, **more: Any) -> subprocess.Popen[str]:
    """Start a run that writes what it says into a file."""
    with open(said, "w") as file:
        return subprocess.Popen(command(opts, **more), cwd=ROOT, env=env, stdout=file, stderr=file, text=True)


def n_lines(folder: Path) -> int:
    return len(journaled(folder)) if folder.exists() else 0


@pytest.fixture(scope="module")
def stopped(root: Path, server: Running, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of a run that was asked where it is, started a second time meanwhile, and told to stop."""
    base = tmp_path_factory.mktemp("stopped")
    env, said = environment(root, base / "cache"), base / "said"
    # What is in flight when it is told to stop may end: few at once leave some that have not begun.
    opts = server_options(base, "one", server.url, PRICED, "run.in_flight=4")
    server.control(latency_s=0.2, capacity=2)
    process = start(opts, env, said)
    wait_until(lambda: n_lines(base / "one") >= 4, process)
    server.control(latency_s=3.0)
    os.kill(process.pid, signal.SIGUSR1)
    wait_until(lambda: "in flight for" in said.read_text(), process)
    asked = said.read_text()
    second = run(opts, env)
    alive = process.poll() is None
    os.kill(process.pid, signal.SIGTERM)
    server.control(latency_s=0.1)
    status = ended(process)
    return {
        **{"base": base, "env": env, "opts": opts, "pid": process.pid, "status": status, "asked": asked},
        **{"second": second, "alive": alive, "said": said.read_text(), "lines": journaled(base / "one")},
    }


def test_sigterm_ends_with_its_own_status_and_loses_nothing_that_was_in_flight(stopped: dict[str, Any]) -> None:
    assert stopped["status"] == STOPPED
    assert f"after {len(stopped['lines'])} of this rank's {N_QUESTIONS} questions" in stopped["said"]
    assert "run.run_id" in stopped["said"]
    assert "Traceback" not in stopped["said"]
    assert 4 < len(stopped["lines"]) < N_QUESTIONS
    assert {line["status"] for line in stopped["lines"]} == {"answered"}
    assert not (stopped["base"] / "one" / "metrics.json").exists()
    assert not (stopped["base"] / "one" / "running.json").exists(), "the lease is given back"


def test_sigusr1_says_where_every_question_in_flight_is_and_changes_nothing(stopped: dict[str, Any]) -> None:
    told = re.findall(r"^question (\d+): (.*) for [\d.]+ s, in flight for [\d.]+ s$", stopped["asked"], re.MULTILINE)
    (in_flight,) = re.findall(r"^\d+/30 questions, .* (\d+) in flight, ", stopped["asked"], re.MULTILINE)
    assert abs(len(told) - int(in_flight)) <= 1, "one may have been counted in between"
    assert len(told) > 1
    assert len({question for question, _ in told}) == len(told)
    assert {stage for _, stage in told} <= {"selector", "experts (captions)", "aggregator", "journal"}
    assert "aggregator" in {stage for _, stage in told}


def test_a_second_start_says_who_is_at_it_and_leaves_the_first_alone(stopped: dict[str, Any]) -> None:
    second = stopped["second"]
    assert second.returncode == NOT_POSSIBLE
    assert f"is being run just now by process {stopped['pid']}" in second.stderr
    assert "Traceback" not in second.stderr
    assert stopped["alive"]


def test_a_stopped_run_resumed_equals_an_undisturbed_one(stopped: dict[str, Any], undisturbed: Path) -> None:
    ran = run(stopped["opts"], stopped["env"])
    assert ran.returncode == 0, ran.stderr
    folder = stopped["base"] / "one"
    assert same(folder, undisturbed)
    assert asked_once(folder)
    assert journaled(folder)[: len(stopped["lines"])] == stopped["lines"]


@pytest.mark.parametrize(
    ("bound", "more", "used"),
    [
        ("run.budget.max_tokens=2000", "run.budget.max_tokens=100000", lambda line: line["tokens"] / 2000),
        ("run.budget.max_usd=0.004", "run.budget.max_usd=1.0", lambda line: line["usd"] / 0.004),
    ],
)
def test_a_spent_budget_stops_before_it_is_exceeded_and_a_higher_one_goes_on(
    root: Path, server: Running, undisturbed: Path, tmp_path: Path, bound: str, more: str, used: Any
) -> None:
    env, opts = environment(root, tmp_path / "cache"), server_options(tmp_path, "one", server.url, PRICED)
    ran = run([*opts, bound], env)
    assert ran.returncode == STOPPED, ran.stderr
    assert "The budget is spent" in ran.stderr
    assert "run.run_id" in ran.stderr
    assert "Traceback" not in ran.stderr
    spent = sum(map(used, journaled(tmp_path / "one")))
    assert 0.5 < spent <= 1.0

    resumed = run([*opts, more], env)
    assert resumed.returncode == 0, resumed.stderr
    assert same(tmp_path / "one", undisturbed)
    assert asked_once(tmp_path / "one")


def test_a_budget_in_usd_without_a_price_names_the_model_and_asks_nothing(
    root: Path, server: Running, tmp_path: Path
) -> None:
    before = server.stats()["calls"]
    opts = server_options(tmp_path, "one", server.url, "run.budget.max_usd=1.0")
    ran = run(opts, environment(root, tmp_path / "cache"))
    assert ran.returncode == NOT_POSSIBLE
    assert "needs the price of 'm': set model.prices_usd_per_mtok.m" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert server.stats()["calls"] == before


def test_questions_that_failed_are_asked_again_and_no_others(
    root: Path, server: Running, undisturbed: Path, tmp_path: Path
) -> None:
    """Three in ten calls are refused for good at first; a run that keeps its failures keeps them."""
    env, opts = environment(root, tmp_path / "cache"), server_options(tmp_path, "one", server.url, PRICED)
    server.control(faults=["400"], fault_rate=0.3)
    ran = run(opts, env)
    assert ran.returncode == 0, ran.stderr
    failed = {line["key"] for line in journaled(tmp_path / "one") if line["status"] == "failed"}
    assert len(failed) == 9
    assert metrics(tmp_path / "one")["test"]["failed"] == 9
    assert not same(tmp_path / "one", undisturbed)
    server.control(fault_rate=0.0)

    kept = run([*opts, "run.retry_failed=false"], env)
    assert kept.returncode == 0, kept.stderr
    assert len(journaled(tmp_path / "one")) == N_QUESTIONS

    again = run(opts, env)
    assert again.returncode == 0, again.stderr
    assert {line["key"] for line in journaled(tmp_path / "one")[N_QUESTIONS:]} == failed
    assert same(tmp_path / "one", undisturbed)


def test_a_server_that_dies_in_the_middle_and_comes_back_costs_no_question(
    root: Path, undisturbed: Path, tmp_path: Path
) -> None:
    port = free_port()
    opts = server_options(tmp_path, "one", f"http://127.0.0.1:{port}/v1", PRICED, "model.reasoner.max_attempts=2")
    with running(port=port, latency_s=0.2, capacity=2) as first:
        process = start(opts, environment(root, tmp_path / "cache"), tmp_path / "said")
        wait_until(lambda: n_lines(tmp_path / "one") >= 4, process)
        first.process.kill()
        first.process.wait()
    time.sleep(1.5)
    before = n_lines(tmp_path / "one")
    assert before < N_QUESTIONS
    assert process.poll() is None
    with running(port=port):
        assert ended(process) == 0, (tmp_path / "said").read_text()
    assert same(tmp_path / "one", undisturbed)
    assert asked_once(tmp_path / "one")


def test_a_server_with_faults_of_every_kind_loses_no_question(
    root: Path, server: Running, undisturbed: Path, tmp_path: Path
) -> None:
    """Three in ten calls meet a 429, a 500, silence, an empty reply or half a reply, in turn."""
    before = server.stats()["faults"]
    server.control(faults=["429", "500", "timeout", "empty", "cut"], fault_rate=0.3)
    more = (PRICED, "model.reasoner.timeout_s=0.5", "model.reasoner.max_attempts=8")
    ran = run(server_options(tmp_path, "one", server.url, *more), environment(root, tmp_path / "cache"))
    assert ran.returncode == 0, ran.stderr
    assert server.stats()["faults"] - before >= 9
    assert asked_once(tmp_path / "one")
    assert same(tmp_path / "one", undisturbed)
    retries = json.loads((tmp_path / "one" / "metrics.json").read_text())["timing"]["retries"]
    assert {"HTTP 429", "HTTP 500", "timeout"} <= set(retries)


def test_a_rank_killed_under_torchrun_is_started_again_and_the_files_are_equal(root: Path, tmp_path: Path) -> None:
    """One of two ranks is killed in the middle; torchrun starts the group anew, which goes on from the journals."""
    env = environment(root, tmp_path / "cache")
    slow = "model.reasoner.latency_s=0.15"
    process = start(options(tmp_path, "one", slow), env, tmp_path / "said", ranks=2, torchrun=("--max-restarts=1",))
    wait_until(lambda: n_lines(tmp_path / "one") >= 6, process)
    ranks = [pid for pid in children(process.pid) if b"evaluate.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
    before = journaled(tmp_path / "one")
    assert ended(process) == 0, (tmp_path / "said").read_text()
    alone = run(options(tmp_path, "alone"), environment(root, tmp_path / "other"))
    assert alone.returncode == 0, alone.stderr
    assert same(tmp_path / "one", tmp_path / "alone")
    assert asked_once(tmp_path / "one")
    assert len(before) < N_QUESTIONS
    after = journaled(tmp_path / "one")
    assert all(line in after for line in before)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
