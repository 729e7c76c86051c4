"""The hooks of a task: what the loop does with gradients is checked against arithmetic by hand."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from lavis.common.errors import ConfigError, LavisError, UnknownNameError
from lavis.common.registry import registry
from lavis.datasets.builders import BaseDatasetBuilder
from lavis.datasets.datasets import BaseDataset
from lavis.tasks import BaseTask, setup_task
from lavis.tasks.results import json_ready


class Weight(torch.nn.Module):
    """One number w; the loss of a batch x is w * x, so its gradient is x."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(1))

    def forward(self, samples: dict[str, Any]) -> dict[str, Any]:
        loss = (self.w * samples["x"]).sum()
        return {"loss": loss, "loss_aux": 2 * loss.detach() + 1, "other": 5}


class Schedule:
    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def step(self, cur_epoch: int, cur_step: int) -> None:
        self.calls.append((cur_epoch, cur_step))


def train(task: BaseTask, values: list[float], **more: Any) -> tuple[list[float], dict[str, str], Schedule]:
    """Return w after each update, the averages and the schedule."""
    model, schedule, after = Weight(), Schedule(), []

    class Noting(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:
            super().step()
            after.append(round(model.w.item(), 6))

    batches = [{"x": torch.tensor([value])} if value else {} for value in values]
    optimizer = Noting(model.parameters(), lr=1.0)
    stats = task.train_epoch(3, model, more.pop("loader", batches), optimizer=optimizer, lr_scheduler=schedule, **more)
    return after, stats, schedule


def test_every_batch_is_a_step_and_the_schedule_is_told_first() -> None:
    after, stats, schedule = train(BaseTask(), [1.0, 2.0, 4.0])

    assert after == [-1.0, -3.0, -7.0]
    assert schedule.calls == [(3, 0), (3, 1), (3, 2)]
    assert float(stats["loss"]) == pytest.approx((0 + -2 + -12) / 3, rel=1e-4)
    assert float(stats["loss_aux"]) == pytest.approx((1 - 3 - 23) / 3, rel=1e-4)
    assert float(stats["lr"]) == 1.0
    assert "other" not in stats


def test_gradients_are_averaged_over_the_batches_of_a_step_and_the_rest_is_stepped() -> None:
    after, _, _ = train(BaseTask(), [1.0, 3.0, 4.0], accum_grad_iters=2)

    assert after == [-2.0, -4.0]  # (1 + 3) / 2, then the left-over 4 / 2


def test_the_older_form_of_train_step_is_accepted_and_a_wrong_one_refused() -> None:
    class Old(BaseTask):
        def train_step(self, model: Any, samples: Any) -> Any:
            return model(samples)["loss"]

    class Wrong(BaseTask):
        def train_step(self, model: Any, samples: Any) -> Any:
            return model(samples)["loss"], 3.0

    after, stats, _ = train(Old(), [1.0])
    assert after == [-1.0]
    assert set(stats) == {"lr", "loss"}
    with pytest.raises(LavisError, match="train_step"):
        train(Wrong(), [1.0])


def test_a_stream_is_taken_to_its_end_and_an_empty_batch_is_skipped() -> None:
    batches = ({"x": torch.tensor([value])} for value in (1.0, 2.0))
    assert train(BaseTask(), [], loader=batches)[0] == [-1.0, -3.0]
    assert train(BaseTask(), [1.0, 0.0, 2.0])[0] == [-1.0, -3.0]
    with pytest.raises(ConfigError, match="no batch"):
        train(BaseTask(), [])


def test_samples_know_where_training_is() -> None:
    seen = []

    class Noting(BaseTask):
        def train_step(self, model: Any, samples: Any) -> Any:
            seen.append((samples["epoch"], samples["num_iters_per_epoch"], samples["iters"]))
            return super().train_step(model, samples)

    train(Noting(), [1.0, 2.0])
    assert seen == [(3, 2, 0), (3, 2, 1)]


def test_iterations_take_their_share_of_an_endless_loader() -> None:
    model, endless = Weight(), ({"x": torch.ones(1)} for _ in iter(int, 1))
    optimizer, schedule = torch.optim.SGD(model.parameters(), lr=1.0), Schedule()

    BaseTask().train_iters(2, 10, 5, model, endless, optimizer, schedule)

    assert model.w.item() == -5.0
    assert schedule.calls == [(2, step) for step in range(5)]


def test_evaluation_collects_rows_on_a_cpu_and_skips_what_is_empty(caplog: pytest.LogCaptureFixture) -> None:
    class Rows(BaseTask):
        def valid_step(self, model: Any, samples: Any) -> Any:
            return [{"n": value} for value in samples["x"]]

    assert Rows().evaluation(None, [{"x": [1, 2]}, {}, {"x": [3]}], cuda_enabled=False) == [
        {"n": 1},
        {"n": 2},
        {"n": 3},
    ]
    assert "empty" in caplog.text
    assert Rows().evaluation(None, iter([{"x": [1]}]), cuda_enabled=False) == [{"n": 1}]


def test_what_a_subclass_must_write_says_so() -> None:
    with pytest.raises(NotImplementedError, match="BaseTask must write valid_step"):
        BaseTask().valid_step(None, {})
    with pytest.raises(NotImplementedError):
        BaseTask().inference_step()
    assert BaseTask().after_evaluation([], "val", 0) is None
    assert BaseTask.inst_id_key == "instance_id"


def test_models_are_told_before_training_and_evaluation() -> None:
    told: list[tuple[str, Any, Any]] = []
    model = SimpleNamespace(
        before_training=lambda dataset, task_type: told.append(("train", dataset, task_type)),
        before_evaluation=lambda dataset, task_type: told.append(("eval", dataset, task_type)),
    )
    BaseTask().before_training(model, "data")
    BaseTask().before_evaluation(model, "data")
    BaseTask().before_evaluation(object(), "data")
    assert told == [("train", "data", BaseTask), ("eval", "data", BaseTask)]


# -- results -----------------------------------------------------------------------------------------


def test_results_are_valid_json_in_order_without_duplicates(tmp_path: Path) -> None:
    result = [
        {"instance_id": "10", "score": math.nan, "x": torch.tensor([1.5])},
        {"instance_id": "9", "score": np.float32(0.5), "x": np.int64(3)},
        {"instance_id": "10", "score": 2.0, "x": 0},
    ]

    path = BaseTask.save_result(result, str(tmp_path / "result"), "val", remove_duplicate="instance_id")

    assert path == str(tmp_path / "result" / "val.json")
    rows = json.loads(Path(path).read_text())
    assert rows == [{"instance_id": "9", "score": 0.5, "x": 3}, {"instance_id": "10", "score": None, "x": [1.5]}]
    assert (tmp_path / "result" / "val_rank0.json").is_file()


def test_results_without_instance_ids_stay_in_their_order(tmp_path: Path) -> None:
    rows = [{"qid": "b"}, {"qid": "a"}, {"qid": "b"}]
    path = BaseTask.save_result(rows, str(tmp_path), "val", "qid")
    assert json.loads(Path(path).read_text()) == rows[:2]
    path = BaseTask.save_result(rows, str(tmp_path), "val")
    assert json.loads(Path(path).read_text()) == rows
    with pytest.raises(LavisError, match="'question_id'"):
        BaseTask.save_result(rows, str(tmp_path), "val", "question_id")


def test_removing_duplicates_is_not_quadratic(tmp_path: Path) -> None:
    import time

    rows = [{"instance_id": str(number)} for number in range(60_000)]
    began_s = time.monotonic()
    BaseTask.save_result(rows, str(tmp_path), "val", "instance_id")
    assert time.monotonic() - began_s < 10.0  # a list scan needs minutes


def test_what_json_cannot_hold_is_named() -> None:
    with pytest.raises(TypeError, match="object"):
        json_ready({"a": [object()]})
    assert json_ready({1: {"b"}, "p": Path("x")}) == {"1": ["b"], "p": "x"}


# -- set-up ------------------------------------------------------------------------------------------


def config(**run: Any) -> Any:
    return SimpleNamespace(run_cfg=OmegaConf.create(run), datasets_cfg=OmegaConf.create({}))


def test_the_task_is_set_up_by_name() -> None:
    @registry.register_task("base_task_test")
    class Named(BaseTask):
        @classmethod
        def setup_task(cls, **kwargs: Any) -> BaseTask:
            task = cls()
            task.beams = kwargs["cfg"].run_cfg.num_beams  # type: ignore[attr-defined]
            return task

    try:
        assert setup_task(config(task="base_task_test", num_beams=3)).beams == 3  # type: ignore[attr-defined]
        with pytest.raises(UnknownNameError, match="base_task_test"):
            setup_task(config(task="base_tast_test"))
        with pytest.raises(ConfigError, match="Task name must be provided"):
            setup_task(config())
    finally:
        del registry.mapping["task_name_mapping"]["base_task_test"]


def test_only_the_splits_of_the_run_are_built(tmp_path: Path) -> None:
    """CREMA's trap: the training annotations must exist to evaluate."""

    @registry.register_builder("base_task_test")
    class Builder(BaseDatasetBuilder):
        train_dataset_cls = type("Train", (BaseDataset,), {})
        eval_dataset_cls = BaseDataset

    (tmp_path / "a.json").write_text("[{}]")
    there, absent = {"storage": str(tmp_path / "a.json")}, {"storage": str(tmp_path / "absent.json")}
    node = {"build_info": {"annotations": {"train": absent, "val": there, "test": there}}}

    def built(**run: Any) -> dict[str, Any]:
        cfg = config(**run)
        cfg.datasets_cfg = OmegaConf.create({"base_task_test": node})
        return BaseTask().build_datasets(cfg)["base_task_test"]

    try:
        assert list(built(test_splits=["test"])) == ["test"]
        assert list(built(train_splits=["train"], valid_splits=["val"], evaluate=True)) == ["val"]
        with pytest.raises(ConfigError, match=r"absent\.json"):
            built()
        with pytest.raises(ConfigError, match=r"'tets'.*'test'"):
            built(test_splits=["tets", "test"])
        roles = built(train_splits=["val"], test_splits=["test"])
        assert [type(roles[split]).__name__ for split in ("val", "test")] == ["Train", "BaseDataset"]
        with pytest.raises(ConfigError, match="At least one dataset"):
            BaseTask().build_datasets(config())
    finally:
        del registry.mapping["builder_name_mapping"]["base_task_test"]


def test_a_builder_in_lavis_form_is_called_in_it(tmp_path: Path) -> None:
    class Plain(BaseDatasetBuilder):
        def build_datasets(self) -> dict[str, Any]:  # type: ignore[override]
            return {"val": "data"}

    registry.add("builder", "base_task_test", Plain)
    try:
        cfg = config(valid_splits=["val"])
        cfg.datasets_cfg = OmegaConf.create({"base_task_test": {"build_info": {}}})
        assert BaseTask().build_datasets(cfg) == {"base_task_test": {"val": "data"}}
    finally:
        del registry.mapping["builder_name_mapping"]["base_task_test"]


def test_tasks_are_imported_without_torch() -> None:
    code = "import sys, lavis.tasks, lavis.runners.outputs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
