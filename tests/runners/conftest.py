"""A toy to run: two inputs, a linear rule, a tiny network with a frozen part, dropout and batch statistics."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from lavis.datasets.datasets import BaseDataset
from lavis.tasks import BaseTask


@dataclasses.dataclass
class Config:
    run_cfg: Any

    def to_dict(self) -> dict[str, Any]:
        return {"run": OmegaConf.to_container(self.run_cfg)}


class PointData(BaseDataset):
    """Points of the square; the label is whether x > y. Reading one moves the random numbers of torch."""

    def __init__(self, count: int, seed: int = 0, noise: float = 0.01) -> None:
        super().__init__()
        rng = np.random.default_rng(seed)
        self.noise = noise
        self.annotation = [{"x": row.tolist(), "y": int(row[0] > row[1])} for row in rng.random((count, 2))]
        self._add_instance_ids()

    def __getitem__(self, index: int) -> dict[str, Any]:
        record = self.annotation[index]
        x = torch.tensor(record["x"]) + self.noise * torch.randn(2)
        return {"x": x, "y": torch.tensor(record["y"]), "instance_id": record["instance_id"]}


class TinyNet(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = torch.nn.Linear(2, 8)
        self.norm = torch.nn.BatchNorm1d(8)
        self.drop = torch.nn.Dropout(0.2)
        self.head = torch.nn.Linear(8, 2)
        self.backbone.requires_grad_(False)

    def forward(self, samples: dict[str, Any]) -> dict[str, Any]:
        logits = self.head(self.drop(self.norm(self.backbone(samples["x"]))))
        return {"loss": torch.nn.functional.cross_entropy(logits, samples["y"]), "logits": logits}


class ClassifyTask(BaseTask):
    def valid_step(self, model: Any, samples: Any) -> list[dict[str, Any]]:
        guesses = model(samples)["logits"].argmax(1)
        triples = zip(samples["instance_id"], guesses, samples["y"], strict=True)
        return [{"instance_id": name, "right": bool(guess == gold)} for name, guess, gold in triples]

    def after_evaluation(self, val_result: Any, split_name: str, epoch: Any, **kwargs: Any) -> dict[str, Any]:
        right = [row["right"] for row in val_result]
        return {"agg_metrics": sum(right) / len(right), "n": len(right)}


RUN = {
    "task": "toy",
    "lr_sched": "linear_warmup_cosine_lr",
    "init_lr": 0.05,
    "min_lr": 0.001,
    "max_epoch": 3,
    "batch_size_train": 8,
    "batch_size_eval": 16,
    "num_workers": 0,
    "seed": 5,
    "device": "cpu",
    "train_splits": ["train"],
    "valid_splits": ["val"],
    "test_splits": ["test"],
    "save_freq": 1,
}


def seed_everything(seed: int = 0) -> None:
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def lines(path: Path) -> list[dict[str, Any]]:
    """Read one JSON value per line; NaN is none."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def assert_equal_states(a: Any, b: Any) -> None:
    """Bit for bit, through every nesting."""
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal_states(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_equal_states(left, right)
    else:
        assert a == b


def same_outcome(one: Path, other: Path) -> None:
    """Compare two checkpoints but for their configuration, which names the checkpoint resumed from."""
    a, b = (torch.load(path, weights_only=True) for path in (one, other))
    a.pop("config"), b.pop("config")
    assert_equal_states(a, b)


@pytest.fixture
def toy(tmp_path: Path) -> Any:
    """What a test builds a run from; each start seeds anew, as a process does."""

    class Toy:
        Points, Classify, Net = PointData, ClassifyTask, TinyNet
        same_outcome = staticmethod(same_outcome)
        folder = tmp_path

        @staticmethod
        def lines(job: str, name: str) -> list[dict[str, Any]]:
            return lines(tmp_path / "out" / job / name)

        @staticmethod
        def checkpoint(job: str, name: object) -> Path:
            return tmp_path / "out" / job / f"checkpoint_{name}.pth"

        @staticmethod
        def config(**run: Any) -> Config:
            return Config(OmegaConf.create({**RUN, "output_dir": str(tmp_path / "out"), **run}))

        @staticmethod
        def datasets() -> dict[str, Any]:
            return {"points": {"train": PointData(45), "val": PointData(20, 1, 0.0), "test": PointData(21, 2, 0.0)}}

        @classmethod
        def runner(
            cls, runner_cls: Any, job: str, *, seed: int = 0, task: Any = None, model: Any = None, **run: Any
        ) -> Any:
            seed_everything(0)  # what is frozen comes from elsewhere and is the same in every run
            model = model or TinyNet()
            seed_everything(seed)
            return runner_cls(cls.config(**run), task or ClassifyTask(), model, cls.datasets(), job)

    return Toy
