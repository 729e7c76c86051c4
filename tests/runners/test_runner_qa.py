"""Whole runs as processes: what they leave, on one rank and two, undisturbed and killed."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest
from sqa3d_runs import N_SCENES, ROOT, SCENE_QUESTIONS, command, environment, metrics, options, run, write_root

N_QUESTIONS = N_SCENES * SCENE_QUESTIONS
PLANTED = "sk-planted-secret-0123456789"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_root(tmp_path_factory.mktemp("sqa3d") / "root")


@pytest.fixture(scope="module")
def undisturbed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run on one rank that nothing disturbed."""
    base = tmp_path_factory.mktemp("undisturbed")
    ran = run(options(base, "one"), environment(root, base / "cache"))
    assert ran.returncode == 0, ran.stderr
    return base / "one"


def test_a_run_leaves_what_the_design_names(undisturbed: Path) -> None:
    rows = json.loads((undisturbed / "result" / "test.json").read_text())
    annotation = [f"{1000 * scene + number}" for scene in range(N_SCENES) for number in range(SCENE_QUESTIONS)]
    assert [row["question_id"] for row in rows] == annotation
    assert set(rows[0]) == {
        *(
            "question_id",
            "answer",
            "choice",
            "gold",
            "status",
            "scores",
            "experts",
            "absent",
            "notes",
            "error",
            "usage",
        ),
        *("shortened", "options", "category", "tags", "response", "media_id", "question"),
    }
    scores = json.loads((undisturbed / "metrics.json").read_text())
    test = scores["test"]
    assert (test["n"], test["answered"], test["unparsed"], test["failed"]) == (N_QUESTIONS, N_QUESTIONS, 0, 0)
    right = sum(row["scores"]["exact_match"] for row in rows)
    assert test["exact_match"] == pytest.approx(100 * right / N_QUESTIONS, abs=1e-3)
    assert test["by_type"]["exact_match"]["what"]["n"] == N_QUESTIONS
    assert test["usage"]["aggregator"]["calls"] == N_QUESTIONS
    assert "wall_s" in scores["timing"]
    assert len((undisturbed / "answers" / "rank0.jsonl").read_text().splitlines()) == N_QUESTIONS
    assert (undisturbed / "config.yaml").exists()
    assert "exact_match" in (undisturbed / "log.txt").read_text()
    page = (undisturbed / "report" / "test-0001.html").read_text()
    assert page.count("<article") == N_QUESTIONS
    assert "the chair of room 0" in page


def test_two_ranks_give_the_same_files(root: Path, undisturbed: Path, tmp_path: Path) -> None:
    ran = run(options(tmp_path, "two"), environment(root, tmp_path / "cache"), ranks=2)
    assert ran.returncode == 0, ran.stderr
    two = tmp_path / "two"
    journals = [path.read_text().splitlines() for path in sorted((two / "answers").glob("rank*.jsonl"))]
    assert sorted(map(len, journals)) == [12, 18]
    assert (two / "result" / "test.json").read_bytes() == (undisturbed / "result" / "test.json").read_bytes()
    assert metrics(two) == metrics(undisturbed)


@pytest.mark.parametrize("resumed_ranks", [1, 2])
def test_a_killed_run_resumed_equals_an_undisturbed_one(
    root: Path, undisturbed: Path, tmp_path: Path, resumed_ranks: int
) -> None:
    env = environment(root, tmp_path / "cache")
    slow = options(tmp_path, "killed", "model.reasoner.latency_s=0.1")
    process = subprocess.Popen(command(slow), cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
    journal = tmp_path / "killed" / "answers" / "rank0.jsonl"
    deadline = time.monotonic() + 120
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 7):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with open(journal, "ab") as file:  # what a kill in the middle of a write leaves
        file.write(b'{"key": "test:40')
    before = [json.loads(line) for line in journal.read_bytes().splitlines()[:-1]]
    assert 7 <= len(before) < N_QUESTIONS
    assert not (tmp_path / "killed" / "metrics.json").exists()

    ran = run(options(tmp_path, "killed"), env, ranks=resumed_ranks)
    assert ran.returncode == 0, ran.stderr

    killed = tmp_path / "killed"
    assert (killed / "result" / "test.json").read_bytes() == (undisturbed / "result" / "test.json").read_bytes()
    assert metrics(killed) == metrics(undisturbed)
    lines = [
        json.loads(line) for path in (killed / "answers").glob("*.jsonl") for line in path.read_text().splitlines()
    ]
    assert len(lines) == N_QUESTIONS, "a question was asked twice"
    assert [line for line in lines if line in before] != []


def test_a_finished_run_started_again_asks_nothing(root: Path, undisturbed: Path) -> None:
    journal = (undisturbed / "answers" / "rank0.jsonl").read_bytes()
    result = (undisturbed / "result" / "test.json").read_bytes()
    ran = run(options(undisturbed.parent, "one"), environment(root, undisturbed.parent / "cache"))
    assert ran.returncode == 0, ran.stderr
    assert (undisturbed / "answers" / "rank0.jsonl").read_bytes() == journal
    assert (undisturbed / "result" / "test.json").read_bytes() == result


def test_a_run_id_of_another_configuration_is_refused(root: Path, undisturbed: Path) -> None:
    opts = options(undisturbed.parent, "one", "model.selector.type=none")
    ran = run(opts, environment(root, undisturbed.parent / "cache"))
    assert ran.returncode == 2
    assert "model.selector.type" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_with_a_warm_store_no_media_file_is_opened(root: Path, tmp_path: Path) -> None:
    """Counts opens by an audit hook in a real run: texts lie in the store after the first one."""
    env = environment(root, tmp_path / "cache")
    hook = tmp_path / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(
        "import os, sys\n"
        "log = os.open(os.environ['OPENED'], os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n"
        "def watch(event, args):\n"
        "    if event == 'open' and isinstance(args[0], str):\n"
        "        os.write(log, (args[0] + '\\n').encode())\n"
        "sys.addaudithook(watch)\n"
    )
    opened = {}
    for name in ("cold", "warm"):
        log = tmp_path / f"{name}.opened"
        opts = options(tmp_path, name, "run.completion_cache=false")
        ran = run(opts, {**env, "PYTHONPATH": str(hook), "OPENED": str(log)})
        assert ran.returncode == 0, ran.stderr
        opened[name] = sum(line.endswith("nr3d_captions_by_scene.json") for line in log.read_text().splitlines())
    assert opened["cold"] >= 1
    assert opened["warm"] == 0


def test_no_space_while_journaling_ends_with_what_to_do_and_can_be_resumed(
    root: Path, undisturbed: Path, tmp_path: Path
) -> None:
    """The kernel lets no file grow beyond 20,000 bytes: the journal hits that, nothing else does."""
    env = environment(root, tmp_path / "cache")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    ran = subprocess.run(
        command(options(tmp_path, "full")),
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )
    assert ran.returncode == 2, ran.stderr
    assert "run.run_id" in ran.stderr
    assert "Traceback" not in ran.stderr
    resumed = run(options(tmp_path, "full"), env)
    assert resumed.returncode == 0, resumed.stderr
    full = tmp_path / "full"
    assert (full / "result" / "test.json").read_bytes() == (undisturbed / "result" / "test.json").read_bytes()


def test_a_secret_reaches_no_file_and_no_line(root: Path, tmp_path: Path) -> None:
    """The key is in the environment, in an option by interpolation, and in what the reasoner says."""
    env = environment(root, tmp_path / "cache", MY_SERVICE_KEY=PLANTED, LAVIS_DEBUG="1")
    opts = options(tmp_path, "secret", "run.limit=3", "model.reasoner.default=${oc.env:MY_SERVICE_KEY}")
    opts = [opt.replace("hash_choice", "answers") for opt in opts]
    ran = run(opts, env)
    assert ran.returncode == 0, ran.stderr
    assert PLANTED not in ran.stdout + ran.stderr
    for path in (tmp_path / "secret").rglob("*"):
        if path.is_file():
            assert PLANTED not in path.read_text(), path


def test_a_rank_that_fails_ends_the_group_with_its_error(root: Path, tmp_path: Path) -> None:
    rows = json.loads((root / "questions.json").read_text())
    broken = write_root(tmp_path / "broken")
    texts = json.loads((broken / "nr3d_captions_by_scene.json").read_text())
    texts.pop(rows[-1]["scene_id"])
    (broken / "nr3d_captions_by_scene.json").write_text(json.dumps(texts))
    opts = options(tmp_path, "fails", "run.missing_media=error")
    start = time.monotonic()
    ran = run(opts, environment(broken, tmp_path / "cache"), ranks=2)
    assert ran.returncode != 0
    assert time.monotonic() - start < 30
    assert rows[-1]["scene_id"] in ran.stderr
    assert not (tmp_path / "fails" / "metrics.json").exists()
    recorded = run(options(tmp_path, "records", "run.missing_media=record"), environment(broken, tmp_path / "cache2"))
    assert recorded.returncode == 0, recorded.stderr
    result = json.loads((tmp_path / "records" / "result" / "test.json").read_text())
    assert [bool(row["absent"]) for row in result] == [row["scene_id"] == rows[-1]["scene_id"] for row in rows]


def test_an_unknown_policy_for_missing_media_is_refused_before_the_work(root: Path, tmp_path: Path) -> None:
    ran = run(options(tmp_path, "ignores", "run.missing_media=ignore"), environment(root, tmp_path / "cache"))
    assert ran.returncode == 2
    assert "run.missing_media is 'ignore'" in ran.stderr
