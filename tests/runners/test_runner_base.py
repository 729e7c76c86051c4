"""Whole runs of a toy on a CPU, in this process; what a run leaves is read back from disk."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import IterableDataset

from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.runners import RunnerBase
from lavis.runners.runner_base import RunnerBase as Concrete


def state(path: Path) -> dict[str, Any]:
    return torch.load(path, weights_only=True)


def scripted(scores: list[float]) -> Any:
    """A task whose validation scores are given; the model is evaluated all the same."""

    def make(base: type) -> Any:
        class Scripted(base):  # type: ignore[misc]
            def after_evaluation(self, val_result: Any, split_name: str, epoch: Any, **kwargs: Any) -> Any:
                return {"agg_metrics": scores[epoch] if split_name == "val" else 0.0}

        return Scripted()

    return make


def test_the_door_is_lazy_and_the_registry_has_it() -> None:
    assert RunnerBase is Concrete is registry.get_runner_class("runner_base")


def test_a_run_trains_validates_tests_the_best_and_leaves_its_files(toy: Any) -> None:
    runner = toy.runner(RunnerBase, "job", max_epoch=6)
    runner.datasets["points"]["train"] = toy.Points(400)
    runner.train()

    out = toy.folder / "out" / "job"
    log, scores = toy.lines("job", "log.txt"), toy.lines("job", "evaluate.txt")
    assert log[0]["run"]["max_epoch"] == 6
    assert [line["epoch"] for line in log if "train_loss" in line] == list(range(6))
    assert float(log[1]["train_lr"]) == pytest.approx(0.05)
    assert [(line["split"], line["epoch"]) for line in scores] == [("val", n) for n in range(6)] + [("test", "best")]
    assert scores[-1]["agg_metrics"] > 0.85
    assert scores[-1]["n"] == 21
    assert {line["val_best_epoch"] for line in log if "val_n" in line} <= set(range(6))
    assert {path.name for path in out.iterdir()} >= {"checkpoint_0.pth", "checkpoint_5.pth", "checkpoint_best.pth"}
    assert registry.get_path("output_dir") == str(out)
    assert registry.get_path("result_dir") == str(out / "result")
    assert (out / "result").is_dir()


def test_a_second_runner_in_one_process_has_paths_of_its_own(toy: Any) -> None:
    toy.runner(RunnerBase, "one")
    toy.runner(RunnerBase, "two")
    assert registry.get_path("output_dir") == str(toy.folder / "out" / "two")


@pytest.mark.parametrize("accum", [1, 4])
def test_a_resumed_run_ends_in_the_same_bits_as_one_that_was_not_interrupted(toy: Any, accum: int) -> None:
    """Weights, optimizer, random states, best epoch: the network has dropout, the data noise."""
    options = {"max_epoch": 4, "accum_grad_iters": accum}
    toy.runner(RunnerBase, "whole", **options).train()

    # Another process: other weights and other random numbers until the checkpoint is read.
    resume = str(toy.checkpoint("whole", 1))
    again = toy.runner(RunnerBase, "again", seed=99, resume_ckpt_path=resume, **options)
    again._model.head.weight.data.zero_()
    again.train()

    toy.same_outcome(toy.checkpoint("whole", 3), toy.checkpoint("again", 3))
    toy.same_outcome(toy.checkpoint("whole", "best"), toy.checkpoint("again", "best"))
    assert toy.lines("whole", "evaluate.txt")[-3:] == toy.lines("again", "evaluate.txt")[-3:]


def test_workers_do_not_change_the_order_of_the_data(toy: Any) -> None:
    orders = []
    for workers in (0, 1):
        runner = toy.runner(RunnerBase, f"w{workers}", num_workers=workers)
        runner._begin_pass(2)
        orders.append([name for batch in runner.train_loader for name in batch["instance_id"]])
    assert orders[0] == orders[1]
    assert orders[0] != sorted(orders[0], key=int)
    assert len(orders[0]) == len(set(orders[0])) == 40  # 45 samples, the incomplete batch left out


def test_a_checkpoint_keeps_what_is_trained_and_buffers_without_the_backbone(toy: Any) -> None:
    runner = toy.runner(RunnerBase, "job", max_epoch=1)
    runner.train()

    kept = state(toy.folder / "out" / "job" / "checkpoint_best.pth")

    assert set(kept["model"]) == {
        "norm.weight",
        "norm.bias",
        "norm.running_mean",
        "norm.running_var",
        "norm.num_batches_tracked",
        "head.weight",
        "head.bias",
    }
    assert {"optimizer", "config", "scaler", "epoch", "rng", "best"} <= set(kept)


def test_what_a_method_freezes_for_a_moment_is_kept(toy: Any) -> None:
    """CREMA toggles requires_grad per modality; its checkpoints then lack all modalities but the last."""
    runner = toy.runner(RunnerBase, "job")
    runner.model.norm.requires_grad_(False)

    runner._save_checkpoint(0)

    assert "norm.weight" in state(toy.folder / "out" / "job" / "checkpoint_0.pth")["model"]


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ([-0.5, -0.2, -0.9], 1),
        ([0.0, 0.0, 0.0], 0),
        ([math.nan, 0.1, math.nan], 1),
        ([0.3, math.nan, 0.2], 0),
        ([5.0, 7.0, 6.0], 1),
    ],
)
def test_the_first_score_counts_whatever_it_is_and_nan_never_does(toy: Any, scores: list[float], best: int) -> None:
    runner = toy.runner(RunnerBase, "job", task=scripted(scores)(toy.Classify))
    runner.train()

    out = toy.folder / "out" / "job"
    assert state(out / "checkpoint_best.pth")["epoch"] == best
    recorded = [line["agg_metrics"] for line in toy.lines("job", "evaluate.txt") if line["split"] == "val"]
    assert recorded == [None if math.isnan(score) else score for score in scores]


def test_without_any_best_the_last_weights_are_tested(toy: Any, caplog: pytest.LogCaptureFixture) -> None:
    runner = toy.runner(RunnerBase, "job", task=scripted([math.nan] * 3)(toy.Classify))
    with caplog.at_level(logging.WARNING):
        runner.train()

    assert toy.lines("job", "evaluate.txt")[-1]["epoch"] == 2
    assert "not a number" in caplog.text


def test_the_first_of_the_validation_splits_chooses(toy: Any) -> None:
    class Split(toy.Classify):  # type: ignore[misc]
        def after_evaluation(self, val_result: Any, split_name: str, epoch: Any, **kwargs: Any) -> Any:
            return {"agg_metrics": {"dev": [1, 2, 0], "val": [9, 8, 7], "test": [0, 0, 0]}[split_name][int(epoch)]}

    runner = toy.runner(RunnerBase, "job", task=Split(), valid_splits=["dev", "val"], test_splits=[])
    runner.datasets["points"]["dev"] = toy.Points(10, 3)
    runner.train()

    assert state(toy.folder / "out" / "job" / "checkpoint_best.pth")["epoch"] == 1


def test_scores_without_agg_metrics_are_refused_and_none_is_no_best(toy: Any) -> None:
    class Lacks(toy.Classify):  # type: ignore[misc]
        def after_evaluation(self, **kwargs: Any) -> Any:
            return {"accuracy": 1.0}

    with pytest.raises(ConfigError, match="agg_metrics"):
        toy.runner(RunnerBase, "a", task=Lacks()).train()

    class Silent(toy.Classify):  # type: ignore[misc]
        def after_evaluation(self, **kwargs: Any) -> Any:
            return None

    toy.runner(RunnerBase, "b", task=Silent()).train()
    assert not (toy.folder / "out" / "b" / "checkpoint_best.pth").exists()
    assert (toy.folder / "out" / "b" / "checkpoint_2.pth").exists()


def test_saving_follows_its_keys(toy: Any) -> None:
    def saved(job: str, **run: Any) -> list[str]:
        toy.runner(RunnerBase, job, max_epoch=4, **run).train()
        return sorted(path.stem.removeprefix("checkpoint_") for path in (toy.folder / "out" / job).glob("*.pth"))

    assert saved("a", save_freq=2) == ["0", "2", "3", "best"]
    assert saved("b", save_freq=0, save_last=False) == ["best"]
    assert saved("c", save_freq=None, valid_splits=[]) == ["0", "1", "2", "3"]
    assert saved("d", save_freq=0, save_last=True, valid_splits=[]) == ["3"]


def test_validation_follows_its_key_and_the_last_epoch_is_always_validated(toy: Any) -> None:
    toy.runner(RunnerBase, "job", max_epoch=4, val_freq=2).train()
    scored = toy.lines("job", "evaluate.txt")
    assert [line["epoch"] for line in scored if line["split"] == "val"] == [0, 2, 3]


def test_batch_size_and_augmentation_follow_what_a_split_is_for(toy: Any) -> None:
    runner = toy.runner(RunnerBase, "job", train_splits=["train_small"])
    runner.datasets["points"]["train_small"] = runner.datasets["points"].pop("train")

    loaders = runner.dataloaders

    assert {split: loader.batch_size for split, loader in loaders.items()} == {"train_small": 8, "val": 16, "test": 16}
    assert runner.train_loader is loaders["train_small"]
    assert [name for batch in loaders["test"] for name in batch["instance_id"]] == [str(n) for n in range(21)]


def test_evaluation_alone_loads_the_given_checkpoint_and_trains_nothing(toy: Any) -> None:
    toy.runner(RunnerBase, "job").train()
    out = toy.folder / "out"
    best = str(out / "job" / "checkpoint_best.pth")
    expected = toy.lines("job", "evaluate.txt")[-1]["agg_metrics"]

    evaluated = toy.runner(RunnerBase, "eval", evaluate=True, resume_ckpt_path=best, train_splits=["absent"])
    metrics = evaluated.evaluate(skip_reload=True)

    assert metrics["test"]["agg_metrics"] == expected
    evaluated.train()  # evaluates, too
    assert not list((out / "eval").glob("*.pth"))


def test_resuming_is_strict_about_what_is_trained_and_only_about_that(toy: Any) -> None:
    toy.runner(RunnerBase, "job").train()
    path = toy.folder / "out" / "job" / "checkpoint_0.pth"
    kept = state(path)

    def resumed(job: str, change: Any) -> Any:
        edited = {**kept, "model": dict(kept["model"])}
        change(edited["model"])
        torch.save(edited, toy.folder / "edited.pth")
        return toy.runner(RunnerBase, job, resume_ckpt_path=str(toy.folder / "edited.pth"))

    resumed("a", lambda model: model.update(gone=torch.zeros(1))).train()
    with pytest.raises(ConfigError, match=r"edited\.pth: lacks 1 of 4.*head\.bias"):
        resumed("b", lambda model: model.pop("head.bias")).train()
    with pytest.raises(ConfigError, match=r"head\.bias have another shape"):
        resumed("c", lambda model: model.update({"head.bias": torch.zeros(3)})).train()
    with pytest.raises(ConfigError, match=r"none\.pth"):
        toy.runner(RunnerBase, "d", resume_ckpt_path=str(toy.folder / "none.pth")).train()


def test_the_best_epoch_survives_a_resume(toy: Any) -> None:
    scores = [0.9, 0.1, 0.2]
    toy.runner(RunnerBase, "job", task=scripted(scores)(toy.Classify)).train()
    out = toy.folder / "out"

    resume = str(out / "job" / "checkpoint_1.pth")
    toy.runner(RunnerBase, "again", task=scripted(scores)(toy.Classify), resume_ckpt_path=resume).train()

    toy.same_outcome(toy.checkpoint("job", "best"), toy.checkpoint("again", "best"))
    assert toy.lines("again", "evaluate.txt")[-1]["epoch"] == "best"


def test_a_best_epoch_whose_weights_are_gone_is_forgotten(toy: Any, caplog: pytest.LogCaptureFixture) -> None:
    scores = [0.9, 0.1, 0.2]
    toy.runner(RunnerBase, "job", task=scripted(scores)(toy.Classify)).train()
    out = toy.folder / "out"
    (out / "job" / "checkpoint_best.pth").unlink()

    resume = str(out / "job" / "checkpoint_1.pth")
    toy.runner(RunnerBase, "again", task=scripted(scores)(toy.Classify), resume_ckpt_path=resume).train()

    assert state(out / "again" / "checkpoint_best.pth")["epoch"] == 2
    assert "forgotten" in caplog.text


def test_a_stream_without_length_is_trained_to_its_end(toy: Any) -> None:
    class Stream(IterableDataset):
        def __iter__(self) -> Any:
            return iter([toy.Points(40)[index] for index in range(40)])

        collater = toy.Points(0).collater

    runner = toy.runner(RunnerBase, "job", max_epoch=2)
    runner.datasets["points"]["train"] = Stream()
    runner.train()

    log = toy.lines("job", "log.txt")
    assert len([line for line in log if "train_loss" in line]) == 2


def test_a_mixture_of_both_kinds_has_the_length_of_the_indexed(toy: Any) -> None:
    class Stream(IterableDataset):
        def __iter__(self) -> Any:
            return iter([toy.Points(40)[index] for index in range(40)])

        collater = toy.Points(0).collater

    runner = toy.runner(RunnerBase, "job", max_epoch=2)
    runner.datasets["stream"] = {"train": Stream()}
    runner.train()
    assert len(runner.train_loader) == 5


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"max_epoch": None}, r"run\.max_epoch is missing"),
        ({"output_dir": None}, r"run\.output_dir is missing"),
        ({"device": None}, r"run\.device is missing"),
        ({"batch_size_train": 46}, r"'train' has 45 samples.*batch_size_train"),
        ({"valid_splits": ["vall"]}, r"'vall'.*'val'"),
        ({"train_splits": []}, "train_splits"),
        ({"train_splits": ["train", "val"]}, "train_splits"),
        ({"lr_sched": "linear_warmup_cosine"}, "linear_warmup_cosine_lr"),
    ],
)
def test_a_wrong_configuration_is_named_before_training(toy: Any, run: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        toy.runner(RunnerBase, "job", **run).train()


@pytest.mark.skipif(torch.cuda.is_available(), reason="checks what is said without a GPU")
def test_a_missing_gpu_is_said_and_amp_without_one_is_left_out(toy: Any, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ConfigError, match=r"run\.device=cpu"):
        toy.runner(RunnerBase, "job", device="cuda").train()
    with caplog.at_level(logging.WARNING):
        assert toy.runner(RunnerBase, "job", amp=True).scaler is None
    assert "amp" in caplog.text


def test_a_frozen_model_cannot_be_trained(toy: Any) -> None:
    model = toy.Net().requires_grad_(False)
    with pytest.raises(ConfigError, match="no trainable parameter"):
        toy.runner(RunnerBase, "job", model=model).train()
