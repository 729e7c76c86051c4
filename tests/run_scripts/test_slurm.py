"""The Slurm script as a real process, with torchrun's agents and ranks, on stand-ins for Slurm's commands."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqa3d_runs import N_SCENES, ROOT, SCENE_QUESTIONS, environment, metrics, options, run, write_root

N_QUESTIONS = N_SCENES * SCENE_QUESTIONS
SBATCH = "run_scripts/mexa/slurm/sqa3d.sbatch"

# As srun does: a process a node, the worst status of all, and TERM becomes KILL for the tasks.
SRUN = """#!/bin/sh
while :; do case $1 in -*) shift ;; *) break ;; esac; done
pids= node=0
trap 'for pid in $pids; do kill -KILL $pid; done' TERM
: >"$STUBS/tasks"
while [ "$node" -lt "$SLURM_NNODES" ]; do
    SLURM_NODEID=$node SLURM_PROCID=$node SLURM_LOCALID=0 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=$SLURM_NNODES "$@" &
    echo $! >>"$STUBS/tasks"
    pids="$pids $!" node=$((node + 1))
done
worst=0
for pid in $pids; do
    status=0
    wait "$pid" || status=$?
    [ "$status" -le "$worst" ] || worst=$status
done
exit "$worst"
"""
# As scancel --signal under proctrack/cgroup: the tasks' first processes, on every node, and not the batch script.
SCANCEL = """#!/bin/sh
echo "$*" >>"$STUBS/scancel.calls"
[ "$1" = --signal=TERM ] || exit 1
for pid in $(cat "$STUBS/tasks"); do kill -TERM "$pid"; done
exit 0
"""
SCONTROL = """#!/bin/sh
case "$1 $2" in
"show hostnames") printf 'localhost\\n127.0.0.1\\n' ;;
"show job") cat "$STUBS/job" ;;
requeue*) echo "$2" >>"$STUBS/requeued"; exit "${REQUEUE_STATUS:-0}" ;;
*) exit 1 ;;
esac
"""


@dataclass
class Slurm:
    """One job on stand-in commands.

    Attributes:
        folder: of the commands, of the script's copy and of what they note.
        env: what the job sees.
    """

    folder: Path
    env: dict[str, str]
    n_nodes: int = 2
    job_id: str = "4242"
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        for name, text in (("srun", SRUN), ("scancel", SCANCEL), ("scontrol", SCONTROL)):
            self.write_command(name, text)
        self.set_job("RUNNING")
        shutil.copy(ROOT / SBATCH, self.folder / "slurm_script")  # Slurm runs a copy, elsewhere

    def write_command(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def set_job(self, state: str, *, preempted: str = "None") -> None:
        """Decide what ``scontrol show job`` says."""
        (self.folder / "job").write_text(
            f"JobId={self.job_id} JobName=mexa-sqa3d\n   JobState={state} Reason=None Dependency=(null)\n"
            f"   PreemptEligibleTime=2025-01-01T00:00:00 PreemptTime={preempted}\n"
        )

    def start(self, *words: str, **more: str) -> subprocess.Popen[bytes]:
        """Start the batch script as slurmd would; its output is appended to one file."""
        env = {
            **self.env,
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "STUBS": str(self.folder),
            "SLURM_SUBMIT_DIR": str(ROOT),
            "SLURM_JOB_ID": self.job_id,
            "SLURM_JOB_NODELIST": "node[1-2]",
            "SLURM_NNODES": str(self.n_nodes),
            **more,
        }
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                ["bash", str(self.folder / "slurm_script"), *words],
                env=env,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started.append(process)
        return process

    @property
    def log(self) -> Path:
        return self.folder / "slurm.out"

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def noted(self, name: str) -> list[str]:
        """Return what a command noted, a line a call."""
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def processes(self) -> dict[int, str]:
        """Return the command lines of the job's living processes by their ids, told by their environment."""
        mark = f"STUBS={self.folder}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # gone, or not ours
                continue
        return found

    def left(self) -> dict[int, str]:
        """Return the processes that are still there some seconds after the job's end."""
        deadline = time.monotonic() + 5
        while (found := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def rank_processes(self) -> dict[int, int]:
        """Return the process ids of the ranks by rank."""
        ranks = {}
        for pid, line in self.processes().items():
            if "evaluate.py" not in line or "torch.distributed.run" in line:
                continue
            try:
                variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            except OSError:
                continue
            ranks.update({int(pair[5:]): pid for pair in variables if pair.startswith(b"RANK=")})
        return ranks

    def end(self) -> None:
        """Kill whatever the job left."""
        for process in self.started:
            if process.poll() is None:
                kill_group(process.pid)
                process.wait()
        deadline = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < deadline:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.05)


def kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def wait_for(condition: Callable[[], object], process: subprocess.Popen[bytes], what: str) -> None:
    """Wait until a condition holds while the process lives."""
    deadline = time.monotonic() + 90
    while not condition():
        assert process.poll() is None, f"the job ended before {what}"
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.05)


def whole_lines(folder: Path) -> dict[str, bytes]:
    """Return every journal up to its last line's end."""
    journals = {path.name: path.read_bytes() for path in (folder / "answers").glob("rank*.jsonl")}
    return {name: text[: text.rfind(b"\n") + 1] for name, text in journals.items()}


def keys(journals: dict[str, bytes]) -> list[str]:
    return [json.loads(line)["key"] for text in journals.values() for line in text.splitlines()]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_root(tmp_path_factory.mktemp("sqa3d") / "root")


@pytest.fixture(scope="module")
def one_rank(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on one rank, without Slurm."""
    base = tmp_path_factory.mktemp("one")
    ran = run(options(base, "one"), environment(root, base / "cache"))
    assert ran.returncode == 0, ran.stderr
    return base / "one"


@pytest.fixture
def slurm(root: Path, tmp_path: Path) -> Iterator[Slurm]:
    """A job of two nodes with two ranks each."""
    job = Slurm(tmp_path / "slurm", environment(root, tmp_path / "cache", PYTHON=sys.executable, NPROC="2"))
    try:
        yield job
    finally:
        job.end()


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Slurm]:
    """A job whose Python starts at once and whose step sleeps until it is told to stop."""
    job = Slurm(tmp_path / "slurm", dict(os.environ))
    job.env["PYTHON"] = str(job.write_command("python", "#!/bin/sh\n[ $# != 3 ] || { echo 1; exec sleep 60; }\n"))
    job.write_command(
        "srun",
        "#!/bin/sh\ntrap 'exit ${STEP_STATUS:-1}' USR2\necho $$ >\"$STUBS/step\"\nwhile :; do sleep 0.05; done\n",
    )
    job.write_command("scancel", '#!/bin/sh\nkill -USR2 $(cat "$STUBS/step")\n')
    try:
        yield job
    finally:
        job.end()


def slow(tmp_path: Path, run_id: str | None = None, *, latency_s: float = 0.25) -> list[str]:
    """Return words for a run that lasts some seconds; without a run id the script chooses it."""
    words = options(tmp_path, "chosen", f"model.reasoner.latency_s={latency_s}")
    return ["--options", *(word for word in words if not word.startswith("run.run_id="))] + (
        [f"run.run_id={run_id}"] if run_id else []
    )


@pytest.mark.parametrize(("n_nodes", "node_ranks"), [(1, 1), (2, 2)])
def test_any_nodes_and_ranks_give_the_files_of_one_process(
    slurm: Slurm, one_rank: Path, tmp_path: Path, n_nodes: int, node_ranks: int
) -> None:
    slurm.n_nodes = n_nodes
    process = slurm.start("--options", *options(tmp_path, "first"), NPROC=str(node_ranks))
    assert process.wait(timeout=120) == 0, slurm.output
    first = tmp_path / "first"
    assert (first / "result" / "test.json").read_bytes() == (one_rank / "result" / "test.json").read_bytes()
    assert metrics(first) == metrics(one_rank)
    assert len(whole_lines(first)) == n_nodes * node_ranks
    assert slurm.noted("requeued") == []
    assert slurm.left() == {}


def test_a_job_told_to_stop_is_requeued_and_resumes(slurm: Slurm, one_rank: Path, tmp_path: Path) -> None:
    folder = tmp_path / f"slurm-{slurm.job_id}"
    process = slurm.start(*slow(tmp_path))
    wait_for(lambda: len(keys(whole_lines(folder))) >= 5, process, "five answers")
    before = whole_lines(folder)
    os.kill(process.pid, signal.SIGTERM)  # --signal=B:TERM@120 and a preemption: the batch script alone
    stopped = time.monotonic()
    assert process.wait(timeout=60) != 0
    assert time.monotonic() - stopped < 30, slurm.output
    assert slurm.noted("scancel.calls") == [f"--signal=TERM {slurm.job_id}"]
    assert slurm.noted("requeued") == [slurm.job_id]
    assert slurm.left() == {}
    assert not (folder / "metrics.json").exists()
    stopped_with = whole_lines(folder)
    assert all(stopped_with[name].startswith(text) for name, text in before.items())
    assert 5 <= len(keys(stopped_with)) < N_QUESTIONS

    resumed = slurm.start(*slow(tmp_path))
    assert resumed.wait(timeout=120) == 0, slurm.output
    after = whole_lines(folder)
    assert all(after[name].startswith(text) for name, text in stopped_with.items())
    assert len(keys(after)) == len(set(keys(after))) == N_QUESTIONS
    assert (folder / "result" / "test.json").read_bytes() == (one_rank / "result" / "test.json").read_bytes()
    assert metrics(folder) == metrics(one_rank)
    assert slurm.noted("requeued") == [slurm.job_id]
    assert slurm.left() == {}


def test_a_node_that_loses_a_rank_ends_the_job(slurm: Slurm, tmp_path: Path) -> None:
    """A killed rank says nothing; rank 0, on another node, would wait for it until the time limit."""
    process = slurm.start(*slow(tmp_path, "lost", latency_s=0.5), MAX_RESTARTS="0", NPROC="1")
    wait_for(lambda: len(keys(whole_lines(tmp_path / "lost"))) >= 1, process, "answer")
    os.kill(slurm.rank_processes()[1], signal.SIGKILL)
    assert process.wait(timeout=60) != 0
    assert "failed with status 1; the other nodes are told to stop" in slurm.output
    assert slurm.noted("scancel.calls")[0] == f"--signal=TERM {slurm.job_id}.0"
    assert slurm.noted("requeued") == []
    assert slurm.left() == {}


def test_a_job_that_cannot_start_is_not_requeued(slurm: Slurm, tmp_path: Path) -> None:
    process = slurm.start("--options", *options(tmp_path, "wrong", "run.limt=3"))
    assert process.wait(timeout=60) not in (0, 75)
    assert "run.limt" in slurm.output
    assert "Traceback" not in slurm.output
    assert slurm.noted("requeued") == []
    assert slurm.left() == {}


@pytest.mark.parametrize(
    ("state", "step_status", "requeued"),
    [("RUNNING", 1, True), ("RUNNING", 0, False), ("COMPLETING", 1, False), ("CANCELLED", 1, False)],
)
def test_a_stopped_job_is_requeued_unless_done_or_cancelled(
    quick: Slurm, state: str, step_status: int, requeued: bool
) -> None:
    process = quick.start(STEP_STATUS=str(step_status))
    wait_for((quick.folder / "step").exists, process, "step")
    quick.set_job(state)
    for _ in range(2):  # the time limit's signal may follow a preemption's
        os.kill(process.pid, signal.SIGTERM)
    assert process.wait(timeout=10) == step_status, quick.output
    assert quick.noted("requeued") == [quick.job_id] * requeued


@pytest.mark.parametrize(("preempted", "requeued"), [("2025-01-01T10:00:00", True), ("None", False)])
def test_a_step_that_ends_by_itself_is_requeued_after_a_preemption_alone(
    quick: Slurm, preempted: str, requeued: bool
) -> None:
    process = quick.start(STEP_STATUS="1")
    wait_for((quick.folder / "step").exists, process, "step")
    quick.set_job("RUNNING", preempted=preempted)
    os.kill(int((quick.folder / "step").read_text()), signal.SIGUSR2)
    assert process.wait(timeout=10) == 1
    assert quick.noted("requeued") == [quick.job_id] * requeued


def test_a_job_that_cannot_be_requeued_says_how_to_resume(quick: Slurm) -> None:
    process = quick.start(REQUEUE_STATUS="1", RUN_ID="mine")
    wait_for((quick.folder / "step").exists, process, "step")
    os.kill(process.pid, signal.SIGUSR1)
    assert process.wait(timeout=10) == 1
    assert "RUN_ID=mine" in quick.output
