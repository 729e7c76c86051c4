"""A tiny model learns: from the modality that tells the answer, in turns, and the same way when it is resumed."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from crema_tiny import Config, MadeUp, run_keys, tiny

from lavis.common.errors import ConfigError
from lavis.models.crema_models.crema import Crema
from lavis.models.crema_models.sequential import Turns
from lavis.runners.runner_base import RunnerBase
from lavis.runners.runner_iter import RunnerIter
from lavis.tasks.crema_qa import Asking, GQATask
from lavis.tasks.results import json_ready

RANK = Asking(inference_method="rank")


def runner(
    folder: Path,
    model: Crema,
    datasets: dict[str, Any],
    job: str = "job",
    kind: type[RunnerBase] = RunnerBase,
    **run: Any,
) -> RunnerBase:
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    keys = run_keys(folder, **run)
    return kind(Config(keys), GQATask(RANK), model, {"made_up": datasets}, job)


def accuracy(folder: Path, modalities: str, told_by: str) -> float:
    """Train on 96 questions and return the share of 64 others that are answered right."""
    names = modalities.split("_")
    datasets = {"train": MadeUp(96, names, told_by, seed=1), "test": MadeUp(64, names, told_by, seed=2)}
    run = runner(folder, tiny(modalities=modalities), datasets, max_epoch=14, batch_size_train=16, test_splits=["test"])
    run.train()
    return float(json.loads(run.output.evaluation.read_text())["agg_metrics"]) / 100


@pytest.mark.parametrize("modality", ["rgb", "depth", "audio", "pc"])
def test_the_modality_that_tells_the_answer_is_learned_from(modality: str, tmp_path: Path) -> None:
    """The answer shows in one modality of the data, the other is noise; chance is one half."""
    other = "norm"
    assert accuracy(tmp_path / "with", f"{modality}_{other}", modality) > 0.95
    without = {"train": MadeUp(96, [modality, other], modality, seed=1)}
    blind = runner(tmp_path / "without", tiny(modalities=other), without, max_epoch=6, batch_size_train=16)
    blind.train()
    test = MadeUp(64, [modality, other], modality, seed=2)
    samples = test.collater([test[number] for number in range(64)])
    answers = blind.model.eval().predict_answers(samples, inference_method="rank", answer_list=["a", "b"])
    share = sum(one == gold for one, gold in zip(answers, test.gold, strict=True)) / 64
    assert 0.25 < share < 0.75


@pytest.mark.parametrize("task", ["train", "espresso-concat-seq", "seq-gradsel-es"])
def test_a_resumed_run_ends_bit_for_bit_like_one_that_was_not_interrupted(task: str, tmp_path: Path) -> None:
    names = ["rgb", "depth"]

    def start(job: str, **run: Any) -> RunnerBase:
        model = tiny(modalities="rgb_depth", task=task, lora_dropout=0.2, es_first_epoch=1, es_temperature=0.9)
        data = {"train": MadeUp(20, names, "rgb", seed=1), "val": MadeUp(8, names, "rgb", seed=2)}
        made = runner(
            tmp_path, model, data, job, max_epoch=4, batch_size_train=4, valid_splits=["val"], save_freq=1, **run
        )
        made.train()
        return made

    start("whole")
    for epoch in (0, 2):
        start(f"resumed_{epoch}", resume_ckpt_path=str(tmp_path / "whole" / f"checkpoint_{epoch}.pth"))
        one, other = (
            torch.load(tmp_path / job / "checkpoint_3.pth", weights_only=True) for job in ("whole", f"resumed_{epoch}")
        )
        for part in ("model", "optimizer", "lr_scheduler", "rng", "best"):
            assert repr(json_ready(one.get(part))) == repr(json_ready(other.get(part))), part


@pytest.mark.parametrize("task", ["train", "seq-gradsel-es"])
def test_a_run_resumes_at_any_step_bit_for_bit(task: str, tmp_path: Path) -> None:
    """Five batches are a pass, so that steps 1 to 4 and 6 lie in the middle of one."""
    n_steps = 7

    def start(job: str, **run: Any) -> None:
        model = tiny(modalities="rgb_depth", task=task, lora_dropout=0.2, es_first_epoch=1, es_temperature=0.9)
        data = {"train": MadeUp(20, ["rgb", "depth"], "rgb", seed=1)}
        steps = {"max_epoch": None, "max_iters": n_steps, "iters_per_inner_epoch": 1, "batch_size_train": 4}
        runner(tmp_path, model, data, job, RunnerIter, **steps, save_freq=1, **run).train()

    def left(job: str) -> dict[str, Any]:
        held: dict[str, Any] = torch.load(tmp_path / job / f"checkpoint_{n_steps}.pth", weights_only=True)
        return {part: repr(json_ready(held.get(part))) for part in ("model", "optimizer", "rng", "train_loader")}

    start("whole")
    for step in range(1, n_steps):
        start(f"resumed_{step}", resume_ckpt_path=str(tmp_path / "whole" / f"checkpoint_{step}.pth"))
        assert left(f"resumed_{step}") == left("whole"), step


def test_only_the_modality_whose_turn_it_is_changes(tmp_path: Path) -> None:
    """Of the others not a bit moves, weight decay and momentum of their own earlier turns included."""
    model = tiny(modalities="rgb_depth_audio", task="espresso-seq-gradsel-es")
    names = ["rgb", "depth", "audio"]
    run = runner(tmp_path, model, {"train": MadeUp(8, names, "rgb")}, max_epoch=1, weight_decay=0.1)
    run.train()
    assert model.early_exit is not None
    model.early_exit.stopped[:] = torch.tensor([1.0, 0.0, 1.0])
    before = {name: one.detach().clone() for name, one in model.named_parameters()}

    told = run.train_epoch(1)

    changed = {name for name, one in model.named_parameters() if not torch.equal(one, before[name])}
    assert changed and all("depth" in name or name.startswith("network.fusion") for name in changed)
    assert {name for name, one in model.named_parameters() if one.requires_grad and "_depth" in name} == {
        name for name in changed if "depth" in name
    }
    assert "depth_gradient" in told and "rgb_gradient" not in told
    model.early_exit.stopped[:] = 1.0
    assert run.train_epoch(2) == {}, "when every modality has stopped nothing learns, and the run goes on"


def test_a_turn_gives_a_modality_the_gradient_it_has_in_joint_training() -> None:
    model = tiny(modalities="rgb_depth", task="espresso-concat-seq").train()
    data = MadeUp(4, ["rgb", "depth"], "rgb")
    samples = data.collater([data[number] for number in range(4)])
    for name, parameter in model.named_parameters():
        if ".w_b_" in name:
            torch.nn.init.normal_(parameter.data, std=0.1)
    model(samples)["loss"].backward()
    joint = {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()

    model(samples, frozen=model.encode(samples), only="depth")["loss"].backward()

    turn = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    assert turn.keys() == {name for name in joint if "rgb" not in name}
    for name, gradient in turn.items():
        torch.testing.assert_close(gradient, joint[name], msg=name)


def test_frozen_encoders_see_a_batch_once_a_modality_and_every_modality_steps_by_itself(tmp_path: Path) -> None:
    """Five batches in steps of two: two steps of two batches and one of one, for each of two modalities."""
    model = tiny(modalities="rgb_depth", task="seq")
    passes, steps = [], []
    model.network.visual_encoder.register_forward_hook(lambda *_: passes.append(1))
    run = runner(
        tmp_path, model, {"train": MadeUp(20, ["rgb", "depth"], "rgb")}, max_epoch=1, batch_size_train=4,
        accum_grad_iters=2,
    )  # fmt: skip
    run.optimizer.register_step_pre_hook(
        lambda *_: steps.append({n for n in ("rgb", "depth") if any_gradient(model, n)})
    )
    run.train()
    assert len(passes) == 2 * 5
    assert steps == [{"rgb"}, {"depth"}] * 3


def any_gradient(model: Crema, modality: str) -> bool:
    return any(one.grad is not None for one in model.adapter_parameters()[modality])


def test_batches_without_samples_come_once() -> None:
    turns = Turns([{"x": 1}, {}, {"x": 2}], lambda batch: {}, ["rgb", "depth"], n_accumulated=3)
    assert [batch and (batch["x"], batch["turn"], batch["ends_step"]) for batch in turns] == [
        {},
        *[(1, "rgb", False), (2, "rgb", True), (1, "depth", False), (2, "depth", True)],
    ]


def test_checkpointing_changes_no_gradient() -> None:
    data = MadeUp(3, ["rgb", "audio"], "rgb")
    samples = data.collater([data[number] for number in range(3)])
    gradients = []
    for again in (False, True):
        model = tiny(modalities="rgb_audio", use_grad_checkpoint=again, lora_dropout=0.3).train()
        torch.manual_seed(3)
        model(samples)["loss"].backward()
        gradients.append({name: one.grad for name, one in model.named_parameters() if one.grad is not None})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, msg=name)


def test_frozen_parts_in_bfloat16_lose_little() -> None:
    """What a GPU does is done on the CPU here: bfloat16 weights under autocast."""
    model = tiny(vit_precision="bf16").eval()
    data = MadeUp(4, ["rgb"], "rgb")
    samples = data.collater([data[number] for number in range(4)])
    exact = float(model(samples)["loss"].detach())
    model.lower_frozen()
    assert model.network.t5_model.shared.weight.dtype == torch.bfloat16
    assert {one.dtype for one in model.parameters() if one.requires_grad} == {torch.float32}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(samples)["loss"]
        loss.backward()
    assert float(loss.detach()) == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "gradsel-es"}, "gradsel without seq"),
        ({"task": "seq-es"}, "gradsel-es"),
        ({"task": "concate"}, "Did you mean 'concat'"),
        ({"frame_nums": 4}, "Did you mean 'frame_num'"),
        ({"frame_num": "four"}, "is a number"),
        ({"feature_cache_mb": -1}, "0 or more"),
        ({"t5": {"vocab_size": 100}}, "vocab_size"),
        ({"size": {"vision": {"depths": 1}}}, "Did you mean 'depth'"),
        ({"task": "espresso"}, "another"),
    ],
)
def test_wrong_settings_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny(**change)
