"""A plug-in file and a YAML, end to end: trained, interrupted, resumed and evaluated by real processes.

The toy's truth: a point's label says whether it lies above the falling diagonal. Points near the
diagonal are left out, so that a network that learned the rule is right nearly always.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

PLUGIN = Path(__file__).with_name("toy_plugin.py")
COUNTS = {"train": 640, "val": 61, "test": 101}  # odd, so that two ranks do not divide them
TIMEOUT_S = 120
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]


def points(count: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    found: list[dict[str, Any]] = []
    while len(found) < count:
        x, y = rng.uniform(-1, 1), rng.uniform(-1, 1)
        if abs(x + y) > 0.1:
            found.append({"point": [x, y], "label": int(x + y > 0), "caption": f"A point: ({x:.1f}, {y:.1f})!"})
    return found


class Project:
    """A user's project: annotations, one YAML, and the two commands."""

    def __init__(self, folder: Path, repo_root: Path) -> None:
        self.folder = folder
        self.repo_root = repo_root
        annotations = {}
        for seed, (split, count) in enumerate(COUNTS.items()):
            (folder / f"{split}.json").write_text(json.dumps(points(count, seed)))
            annotations[split] = {"storage": str(folder / f"{split}.json")}
        self.yaml = folder / "toy.yaml"
        self.yaml.write_text(
            yaml.safe_dump(
                {
                    "model": {"arch": "toy_mlp", "model_type": "tiny"},
                    "datasets": {
                        "toy_points": {
                            "type": "default",
                            "build_info": {"annotations": annotations, "points": {"storage": str(folder)}},
                        }
                    },
                    "run": {
                        "plugins": [str(PLUGIN)],
                        "task": "toy_classify",
                        "runner": "runner_base",
                        "lr_sched": "linear_warmup_cosine_lr",
                        "init_lr": 0.02,
                        "min_lr": 0.001,
                        "warmup_lr": 0.001,
                        "warmup_steps": 5,
                        "weight_decay": 0.01,
                        "max_epoch": 2,
                        "batch_size_train": 16,
                        "batch_size_eval": 16,
                        "num_workers": 0,
                        "accum_grad_iters": 1,
                        "save_freq": 1,
                        "seed": 42,
                        "output_dir": str(folder / "output"),
                        "device": "cpu",
                        "world_size": 1,
                        "dist_url": "env://",
                        "distributed": False,
                        "train_splits": ["train"],
                        "valid_splits": ["val"],
                        "test_splits": ["test"],
                    },
                }
            )
        )

    def start(self, script: str, name: str, *options: str, ranks: int = 1) -> Path:
        """Run a script; return the folder of its output."""
        output = self.folder / name
        prefix = TORCHRUN if ranks == 2 else []
        command = [sys.executable, *prefix, str(self.repo_root / script), "--cfg-path", str(self.yaml)]
        process = subprocess.Popen(
            [*command, "--options", f"run.output_dir={output}", *options],
            cwd=self.folder,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(self.repo_root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGTERM)  # torchrun then ends its ranks, which have sessions of their own
            process.communicate(timeout=TIMEOUT_S)
            raise
        assert process.returncode == 0, said[-4000:]
        (folder,) = output.iterdir()  # one run, one folder, whatever the number of ranks
        return folder


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def assert_same(a: Any, b: Any, where: str = "") -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, list | tuple):
        assert len(a) == len(b), where
        for number, (left, right) in enumerate(zip(a, b, strict=True)):
            assert_same(left, right, f"{where}.{number}")
    else:
        assert a == b, where


def assert_same_checkpoint(one: Path, other: Path) -> None:
    a, b = (torch.load(path, weights_only=True) for path in (one, other))
    a.pop("config"), b.pop("config")  # these name the checkpoint resumed from
    assert_same(a, b)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, repo_root: Path) -> Project:
    return Project(tmp_path_factory.mktemp("project"), repo_root)


@pytest.fixture(scope="module", params=[1, 2], ids=["one process", "two ranks"])
def trained(request: pytest.FixtureRequest, project: Project) -> tuple[int, Path]:
    """Two epochs without an interruption."""
    ranks = request.param
    return ranks, project.start("train.py", f"whole{ranks}", ranks=ranks)


def test_the_toy_is_learned_and_the_run_leaves_its_files(trained: tuple[int, Path]) -> None:
    _, folder = trained
    log, scores = lines(folder / "log.txt"), lines(folder / "evaluate.txt")

    assert log[0]["run"]["task"] == "toy_classify"
    assert [line["epoch"] for line in log if "train_loss" in line] == [0, 1]
    assert [(line["split"], line["epoch"], line["n"]) for line in scores] == [
        ("val", 0, COUNTS["val"]),
        ("val", 1, COUNTS["val"]),
        ("test", "best", COUNTS["test"]),
    ]
    assert scores[-1]["agg_metrics"] > 0.95
    kept = torch.load(folder / "checkpoint_best.pth", weights_only=True)["model"]
    assert not any(name.startswith("features") for name in kept)


def test_results_hold_each_instance_once_in_order(trained: tuple[int, Path]) -> None:
    _, folder = trained
    for name, split in [("val_0", "val"), ("val_1", "val"), ("test_best", "test")]:
        rows = json.loads((folder / "result" / f"{name}.json").read_text())
        assert [row["instance_id"] for row in rows] == [str(number) for number in range(COUNTS[split])]


def test_a_resumed_run_equals_the_uninterrupted_one(trained: tuple[int, Path], project: Project) -> None:
    ranks, whole = trained
    resume = f"run.resume_ckpt_path={whole / 'checkpoint_0.pth'}"

    again = project.start("train.py", f"again{ranks}", resume, ranks=ranks)

    assert not (again / "checkpoint_0.pth").exists()
    assert_same_checkpoint(whole / "checkpoint_1.pth", again / "checkpoint_1.pth")
    assert lines(whole / "evaluate.txt")[1:] == lines(again / "evaluate.txt")
    for name in ("val_1.json", "test_best.json"):
        assert (whole / "result" / name).read_text() == (again / "result" / name).read_text()


def test_evaluation_of_the_best_is_the_same_on_one_and_on_two_ranks(
    trained: tuple[int, Path], project: Project
) -> None:
    """Both ways to name the weights: the run's checkpoint, and the model's finetuned."""
    ranks, folder = trained
    best = folder / "checkpoint_best.pth"
    ways = {
        1: [f"run.resume_ckpt_path={best}"],
        2: ["model.load_finetuned=True", f"model.finetuned={best}"],
    }
    expected = (folder / "result" / "test_best.json").read_text()
    (project.folder / "train.json").rename(project.folder / "hidden.json")  # evaluation must not need it
    try:
        for eval_ranks, options in ways.items():
            out = project.start(
                "evaluate.py", f"eval{ranks}{eval_ranks}", "run.evaluate=True", *options, ranks=eval_ranks
            )
            assert (out / "result" / "test_best.json").read_text() == expected
            assert lines(out / "evaluate.txt")[-1] == lines(folder / "evaluate.txt")[-1]
    finally:
        (project.folder / "hidden.json").rename(project.folder / "train.json")
