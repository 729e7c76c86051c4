"""Iterations over endless loaders: positions, mixtures, and a resume that loses and repeats none."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch

from lavis.common.errors import ConfigError
from lavis.runners import RunnerBase, RunnerIter

ITERS: dict[str, Any] = {"max_epoch": None, "max_iters": 14, "iters_per_inner_epoch": 4, "batch_size_train": 8}


def spied(base: type) -> Any:
    """A task that notes the instances of every batch it trains on."""

    class Spied(base):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[tuple[str, ...]] = []
            self.steps: list[tuple[int, int]] = []

        def train_step(self, model: Any, samples: Any) -> Any:
            self.seen.append(tuple(samples["instance_id"]))
            self.steps.append((samples["epoch"], samples["iters"]))
            return super().train_step(model, samples)

    return Spied()


def test_it_runs_exactly_max_iters_and_names_files_by_iterations_done(toy: Any) -> None:
    task = spied(toy.Classify)
    toy.runner(RunnerIter, "job", task=task, **ITERS).train()

    assert len(task.seen) == 14
    assert task.steps == [(number // 4, number % 4) for number in range(14)]
    scored = [line["iters"] for line in toy.lines("job", "evaluate.txt") if line["split"] == "val"]
    assert scored == [4, 8, 12, 14]
    assert toy.checkpoint("job", 4).exists()
    assert toy.checkpoint("job", 14).exists()
    assert [line["iters"] for line in toy.lines("job", "log.txt") if "train_loss" in line] == [4, 8, 12, 14]


@pytest.mark.parametrize("iterations", [4, 8])
def test_a_resumed_run_takes_the_same_batches_and_ends_in_the_same_bits(toy: Any, iterations: int) -> None:
    """One pass is 5 batches of 45 samples: both checkpoints lie in the middle of a pass."""
    whole, again = spied(toy.Classify), spied(toy.Classify)
    toy.runner(RunnerIter, "whole", task=whole, **ITERS).train()

    resume = str(toy.checkpoint("whole", iterations))
    toy.runner(RunnerIter, "again", seed=99, task=again, resume_ckpt_path=resume, **ITERS).train()

    assert again.seen == whole.seen[iterations:]
    toy.same_outcome(toy.checkpoint("whole", 14), toy.checkpoint("again", 14))


def mixed(toy: Any, job: str, task: Any, **run: Any) -> Any:
    runner_run = {**ITERS, "max_iters": 40, "iters_per_inner_epoch": 20, "valid_splits": [], "test_splits": [], **run}
    toy_datasets = toy.datasets
    try:
        toy.datasets = staticmethod(lambda: {"a": {"train": named(toy, "a", 30)}, "b": {"train": named(toy, "b", 50)}})
        return toy.runner(RunnerIter, job, task=task, **runner_run)
    finally:
        toy.datasets = toy_datasets


def named(toy: Any, letter: str, count: int) -> Any:
    dataset = toy.Points(count)
    for record in dataset.annotation:
        record["instance_id"] = letter + record["instance_id"]
    return dataset


def test_a_mixture_follows_its_ratios_and_goes_on_after_a_resume(toy: Any) -> None:
    ratios = {"b": 1, "a": 3}
    whole, again = spied(toy.Classify), spied(toy.Classify)
    mixed(toy, "whole", whole, train_dataset_ratios=ratios).train()

    origins = Counter(batch[0][0] for batch in whole.seen)
    assert all(len({name[0] for name in batch}) == 1 for batch in whole.seen)
    assert 22 <= origins["a"] <= 38  # 30 of 40 expected

    resume = str(toy.checkpoint("whole", 20))
    mixed(toy, "again", again, train_dataset_ratios=ratios, resume_ckpt_path=resume).train()
    assert again.seen == whole.seen[20:]
    toy.same_outcome(toy.checkpoint("whole", 40), toy.checkpoint("again", 40))


def test_without_ratios_data_sets_are_joined(toy: Any) -> None:
    task = spied(toy.Classify)
    mixed(toy, "job", task).train()
    assert any(len({name[0] for name in batch}) == 2 for batch in task.seen)


def test_wrong_keys_are_named(toy: Any) -> None:
    with pytest.raises(ConfigError, match="a, c; the data sets are a, b"):
        mixed(toy, "job", None, train_dataset_ratios={"a": 1, "c": 1})
    for key in ("max_iters", "iters_per_inner_epoch"):
        with pytest.raises(ConfigError, match=rf"run\.{key} is missing"):
            toy.runner(RunnerIter, "job", **{**ITERS, key: None})
        with pytest.raises(ConfigError, match=rf"run\.{key} must be at least 1"):
            toy.runner(RunnerIter, "job", **{**ITERS, key: 0})


def test_checkpoints_of_the_other_runner_are_refused(toy: Any) -> None:
    toy.runner(RunnerBase, "epochs", max_epoch=1).train()
    toy.runner(RunnerIter, "iters", **ITERS).train()

    with pytest.raises(ConfigError, match="runner_base"):
        toy.runner(RunnerIter, "a", resume_ckpt_path=str(toy.checkpoint("epochs", 0)), **ITERS).train()
    with pytest.raises(ConfigError, match="runner_iter"):
        toy.runner(RunnerBase, "b", resume_ckpt_path=str(toy.checkpoint("iters", 4))).train()


def test_the_best_iterations_are_tested(toy: Any) -> None:
    toy.runner(RunnerIter, "job", **ITERS).train()
    best = torch.load(toy.checkpoint("job", "best"), weights_only=True)["iters"]
    assert best in {4, 8, 12, 14}
    assert toy.lines("job", "evaluate.txt")[-1]["iters"] == "best"
