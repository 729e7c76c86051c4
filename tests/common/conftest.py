"""Ranks as torchrun starts them: real processes that talk over gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Ranks = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_ranks(tmp_path: Path, repo_root: Path) -> Ranks:
    """Run a script, with arguments, as two ranks; fail with its errors if a rank fails."""

    def run(script: str, *arguments: object, ranks: int = 2) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "rank_script.py"
        path.write_text(script, encoding="utf-8")
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
        done = subprocess.run(
            [*command, str(path), *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": str(repo_root), "OMP_NUM_THREADS": "1"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done

    return run
