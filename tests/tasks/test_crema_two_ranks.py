"""One process and two ranks with the same global batch: the same losses, the same answers, each once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

SCRIPT = Path(__file__).with_name("crema_two_ranks.py")
TASKS = ("espresso-concat", "seq-gradsel-es")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Path:
    found = tmp_path_factory.mktemp("crema_two_ranks")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(repo_root)}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    for start, job, batch_size in (([sys.executable], "one", "8"), (launcher, "two", "4")):
        done = subprocess.run(
            [*start, str(SCRIPT), str(found), job, batch_size, *TASKS],
            env=environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
    return found


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("task", TASKS)
def test_losses_of_one_process_and_of_two_ranks_agree(task: str, folder: Path) -> None:
    curves = [
        [float(line["train_loss"]) for line in lines(folder / f"{job}_{task}" / "log.txt") if "train_loss" in line]
        for job in ("one", "two")
    ]
    assert len(curves[0]) >= 2 and curves[0][0] != curves[0][-1]
    assert curves[1] == pytest.approx(curves[0], abs=1e-4)


def test_both_stop_the_same_modalities(folder: Path) -> None:
    stopped = [
        torch.load(folder / f"{job}_seq-gradsel-es" / "checkpoint_2.pth", weights_only=True)["model"][
            "early_exit.stopped"
        ].tolist()
        for job in ("one", "two")
    ]
    assert stopped[0] == stopped[1] and sum(stopped[0]) > 0


@pytest.mark.parametrize("task", TASKS)
def test_every_question_is_answered_once_and_scored_alike(task: str, folder: Path) -> None:
    rows = [json.loads((folder / f"{job}_{task}" / "result" / "val.json").read_text()) for job in ("one", "two")]
    assert [row["question_id"] for row in rows[1]] == [f"q{number}" for number in range(9)]
    assert [row["answer"] for row in rows[1]] == [row["answer"] for row in rows[0]]
    scores = [
        [line["agg_metrics"] for line in lines(folder / f"{job}_{task}" / "evaluate.txt")] for job in ("one", "two")
    ]
    assert scores[0] == scores[1]
