"""Runs as processes in surroundings that are wrong: folders, disks, clocks and keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lrm_server import Running, running
from sqa3d_runs import N_SCENES, SCENE_QUESTIONS, environment, journaled, metrics, options, run, server_options
from sqa3d_runs import write_root as write_sqa3d

N_QUESTIONS = N_SCENES * SCENE_QUESTIONS
NOT_POSSIBLE = 2
PLANTED = "planted-value-0123456789"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sqa3d(tmp_path_factory.mktemp("sqa3d") / "root")


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def undisturbed(root: Path, server: Running, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("undisturbed")
    ran = run(server_options(base, "one", server.url), environment(root, base / "cache"))
    assert ran.returncode == 0, ran.stderr
    return base / "one"


def same(folder: Path, undisturbed: Path) -> bool:
    rows = [(one / "result" / "test.json").read_bytes() for one in (folder, undisturbed)]
    return rows[0] == rows[1] and metrics(folder) == metrics(undisturbed)


def hook(folder: Path, code: str) -> dict[str, str]:
    """Return the variable that has Python run some code before anything else."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": str(folder)}


@pytest.mark.parametrize("place", ["below a file", "/proc/self/lavis"])
def test_an_output_folder_that_cannot_be_written_is_named_with_the_way_out(
    root: Path, tmp_path: Path, place: str
) -> None:
    """Neither can be written by anybody, root included."""
    (tmp_path / "file").write_text("")
    output = Path(place) if place.startswith("/") else tmp_path / "file" / "output"
    ran = run(options(output, "one"), environment(root, tmp_path / "cache"))
    assert ran.returncode == NOT_POSSIBLE
    assert f"{output / 'one'} cannot be written" in ran.stderr
    assert "set run.output_dir" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_caches_that_cannot_be_written_are_said_once_and_do_not_end_a_run(
    root: Path, server: Running, undisturbed: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    ran = run(server_options(tmp_path, "one", server.url), environment(root, tmp_path / "file" / "cache"))
    assert ran.returncode == 0, ran.stderr
    assert same(tmp_path / "one", undisturbed)
    for name in ("evidence", "completions"):
        assert len(re.findall(rf"cache/{name}\S* cannot be written", ran.stderr)) == 1


def test_a_clock_that_is_set_back_changes_no_result(
    root: Path, server: Running, undisturbed: Path, tmp_path: Path
) -> None:
    """From its fifth look on, the process is told that it is an hour earlier, and each time earlier still."""
    code = (
        "import itertools, os, time\n"
        "real, looks = time.time, itertools.count()\n"
        "def set_back():\n"
        "    n = next(looks)\n"
        "    if n == 5:\n"
        "        open(os.environ['SET_BACK'], 'w').close()\n"
        "    return real() - 3600.0 * max(0, n - 4)\n"
        "time.time = set_back\n"
    )
    env = {**environment(root, tmp_path / "cache"), **hook(tmp_path / "hook", code), "SET_BACK": str(tmp_path / "did")}
    ran = run(server_options(tmp_path, "one", server.url), env)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "did").exists()
    assert same(tmp_path / "one", undisturbed)
    assert len(journaled(tmp_path / "one")) == N_QUESTIONS


@pytest.mark.parametrize("status", [401, 0])
def test_a_key_reaches_no_file_and_no_line_right_or_wrong(
    root: Path, server: Running, tmp_path: Path, status: int
) -> None:
    """Its variable's name does not sound like a secret, and everything that logs, logs all that it can."""
    everything = hook(tmp_path / "hook", "import logging\nlogging.basicConfig(level=logging.DEBUG)\n")
    env = {
        **environment(root, tmp_path / "cache", PLANTED=PLANTED, LAVIS_DEBUG="1", OPENAI_LOG="debug"),
        **everything,
    }
    opts = server_options(tmp_path, "one", server.url, "model.reasoner.api_key_env=PLANTED")
    server.control(refuse=status)
    try:
        ran = run(opts, env)
    finally:
        server.control(refuse=0)
    if status:
        assert ran.returncode == NOT_POSSIBLE
        assert "Check the key in PLANTED" in ran.stderr
        assert ran.stderr.rstrip().splitlines()[-1].startswith("ReasonerUnusableError: m at http")
        assert journaled(tmp_path / "one") == []
    else:
        assert ran.returncode == 0, ran.stderr
        assert (tmp_path / "one" / "report" / "test-0001.html").exists()
    assert "DEBUG" in ran.stderr
    assert PLANTED not in ran.stdout + ran.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    for path in files:
        assert PLANTED.encode() not in path.read_bytes(), path


def test_a_wrong_key_is_a_line_and_no_traceback(root: Path, server: Running, tmp_path: Path) -> None:
    server.control(refuse=401)
    try:
        opts = server_options(tmp_path, "one", server.url, "model.reasoner.api_key_env=PLANTED")
        ran = run(opts, environment(root, tmp_path / "cache", PLANTED=PLANTED))
    finally:
        server.control(refuse=0)
    assert ran.returncode == NOT_POSSIBLE
    assert "Check the key in PLANTED" in ran.stderr
    assert "start again with the same run.run_id" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "one" / "metrics.json").exists()
