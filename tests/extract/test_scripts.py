"""The scripts of run_scripts/mexa/extract: each starts its own modality with the words that follow it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

# Stands for an interpreter: imports what it is asked to, and says what it would run.
PYTHON = """#!/bin/sh
[ "$1" = -c ] || printf '%s\n' "$@"
"""
WORDS = ("--in", "a folder", "--out", "b")


def run(repo_root: Path, tmp_path: Path, name: str, **more: str) -> list[str]:
    path = repo_root / "run_scripts" / "mexa" / "extract" / f"{name}.sh"
    assert os.access(path, os.X_OK)
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    kept = {key: value for key, value in os.environ.items() if key != "NPROC"}
    environment = {**kept, "PYTHON": str(tmp_path / "python"), **more}
    done = subprocess.run([path, *WORDS], capture_output=True, text=True, timeout=30, env=environment, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", ["flow", "depth", "normals", "frames", "audio"])
def test_a_script_starts_its_modality(repo_root: Path, tmp_path: Path, name: str) -> None:
    said = run(repo_root, tmp_path, name)
    assert said == ["-m", "lavis.cli", "extract", "--modality", name, *WORDS]


def test_several_ranks_are_started_by_torchrun(repo_root: Path, tmp_path: Path) -> None:
    said = run(repo_root, tmp_path, "flow", NPROC="3")
    assert said[:4] == ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=3"]
    assert said[4:] == ["-m", "lavis.cli", "extract", "--modality", "flow", *WORDS]
