"""What every model inherits: building, weights, parameter groups, queues, gathering."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from lavis.common.errors import ConfigError, WeightsError
from lavis.common.paths import LIBRARY_ROOT
from lavis.models.base_model import (
    BaseEncoder,
    BaseModel,
    MomentumDistilationMixin,
    SharedQueueMixin,
    all_gather_with_grad,
    concat_all_gather,
    tile,
)

# -- building --------------------------------------------------------------------------------


def test_a_types_yaml_is_relative_to_the_package_or_absolute(tiny: Any, tmp_path: Path) -> None:
    assert tiny.default_config_path("base") == str(tmp_path / "base.yaml")
    assert tiny.default_config_path("absent") == str(LIBRARY_ROOT / "configs/none.yaml")
    assert tiny.from_pretrained().first.out_features == 2  # the tutorials' form: "base"


def test_a_model_must_say_how_it_is_built() -> None:
    class Unfinished(BaseModel):
        pass

    with pytest.raises(NotImplementedError, match="Unfinished"):
        Unfinished.from_config(OmegaConf.create({}))
    with pytest.raises(ConfigError, match=r"'base' of Unfinished\. Known: none"):
        Unfinished.from_pretrained("base")


def test_the_device_is_that_of_the_parameters(tiny: Any) -> None:
    assert tiny().device == torch.device("cpu")
    assert tiny().to("meta").device == torch.device("meta")
    assert BaseModel().device == torch.device("cpu")
    encoder = BaseEncoder()
    with pytest.raises(NotImplementedError, match="BaseEncoder"):
        encoder.forward_features(None)


# -- weights ---------------------------------------------------------------------------------


def test_keys_that_differ_are_logged_both_ways(tiny: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A trimmed checkpoint, as runners save it, must load: strict only says what it did not find."""
    torch.save({"first.bias": torch.ones(2), "old.weight": torch.ones(1)}, tmp_path / "c.pth")
    model = tiny()
    with caplog.at_level(logging.INFO):
        report = model.load_checkpoint(tmp_path / "c.pth")
    assert torch.equal(model.first.bias, torch.ones(2))
    assert "first.weight" in report.missing_keys and report.unexpected_keys == ["old.weight"]
    assert "missing in" in caplog.text and "first.weight" in caplog.text and "old.weight" in caplog.text


def test_weights_that_do_not_fit_name_file_and_key(tiny: Any, tmp_path: Path) -> None:
    torch.save({"model": {"first.weight": torch.ones(5, 5)}}, tmp_path / "c.pth")
    with pytest.raises(WeightsError, match=r"(?s)c\.pth does not fit .*first\.weight"):
        tiny().load_checkpoint(tmp_path / "c.pth")


class Opens:
    """What an evil pickle holds: reading it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (str(self.path), "w"))


def test_a_checkpoint_is_data_and_runs_nothing(tiny: Any, tmp_path: Path) -> None:
    torch.save({"model": Opens(tmp_path / "was_run")}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match=r"evil\.pth"):
        tiny().load_checkpoint(tmp_path / "evil.pth")
    assert not (tmp_path / "was_run").exists()
    (tmp_path / "text.pth").write_text("no checkpoint")
    with pytest.raises(WeightsError, match=r"text\.pth"):
        tiny().load_checkpoint(tmp_path / "text.pth")
    torch.save(torch.ones(2), tmp_path / "tensor.pth")
    with pytest.raises(WeightsError, match="holds Tensor"):
        tiny().load_checkpoint(tmp_path / "tensor.pth")


@pytest.mark.parametrize(
    ("node", "loaded"),
    [
        ({"finetuned": "f.pth", "pretrained": "p.pth"}, 1.0),
        ({"load_finetuned": False, "finetuned": "f.pth", "pretrained": "p.pth"}, 2.0),
        ({"load_finetuned": False, "load_pretrained": False, "pretrained": "p.pth"}, 0.0),
    ],
)
def test_a_model_node_says_which_weights(node: dict[str, Any], loaded: float, tiny: Any, tmp_path: Path) -> None:
    for name, value in (("f.pth", 1.0), ("p.pth", 2.0)):
        torch.save({"first.bias": torch.full((2,), value)}, tmp_path / name)
    model = tiny()
    nn.init.zeros_(model.first.bias)
    full = {key: str(tmp_path / value) if isinstance(value, str) else value for key, value in node.items()}
    model.load_checkpoint_from_config(OmegaConf.create(full))
    assert model.first.bias.tolist() == [loaded, loaded]


@pytest.mark.parametrize(("node", "key"), [({}, "finetuned"), ({"load_finetuned": False}, "pretrained")])
def test_weights_that_are_wanted_and_not_named_are_an_error(node: dict[str, Any], key: str, tiny: Any) -> None:
    with pytest.raises(ConfigError, match=rf"model\.{key} is not set though model\.load_{key} is true"):
        tiny().load_checkpoint_from_config(OmegaConf.create(node))


# -- for the optimizer -----------------------------------------------------------------------


def test_vectors_biases_and_norms_do_not_decay_and_frozen_ones_are_left_out(tiny: Any) -> None:
    model = tiny()
    decayed, spared = model.get_optimizer_params(weight_decay=0.1, lr_scale=0.5)
    names = {parameter: name for name, parameter in model.named_parameters()}
    assert [names[parameter] for parameter in decayed["params"]] == ["first.weight"]
    assert [names[parameter] for parameter in spared["params"]] == ["first.bias", "ln_post.weight", "ln_post.bias"]
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.1, 0)
    assert (decayed["lr_scale"], spared["lr_scale"]) == (0.5, 0.5)


@pytest.mark.parametrize(("shape", "text"), [((1, 4500), "4.5K"), ((3000, 4100), "12.3M"), ((10,), "0.0K")])
def test_parameters_are_counted(shape: tuple[int, ...], text: str) -> None:
    model = BaseModel()
    model.weight = nn.Parameter(torch.empty(shape, device="meta"))
    assert model.show_n_params() == text
    assert model.show_n_params(return_str=False) == torch.Size(shape).numel()


# -- mixins ----------------------------------------------------------------------------------


class Queued(nn.Module, SharedQueueMixin):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.queue_size = size
        self.register_buffer("image_queue", torch.zeros(1, size))
        self.register_buffer("text_queue", torch.zeros(1, size))
        self.register_buffer("idx_queue", torch.full((1, size), -1))
        self.register_buffer("queue_ptr", torch.zeros(1, dtype=torch.long))


def test_the_queue_replaces_its_oldest_and_wraps_around() -> None:
    queue: Any = Queued(4)
    for first in (1.0, 3.0, 5.0):
        batch = torch.tensor([[first], [first + 1]])
        queue._dequeue_and_enqueue(batch, -batch, batch.long())
    assert queue.image_queue.tolist() == [[5.0, 6.0, 3.0, 4.0]]
    assert queue.text_queue.tolist() == [[-5.0, -6.0, -3.0, -4.0]]
    assert queue.idx_queue.tolist() == [[5, 6, 3, 4]]
    assert queue.queue_ptr.item() == 2
    with pytest.raises(ConfigError, match="queue_size 4 is no multiple of the batch over all ranks, 3"):
        queue._dequeue_and_enqueue(torch.ones(3, 1), torch.ones(3, 1))


def test_a_momentum_copy_follows_slowly_and_is_frozen() -> None:
    class Pair(nn.Module, MomentumDistilationMixin):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.slow = nn.Linear(1, 1), nn.Linear(1, 1)
            self.model_pairs, self.momentum = [[self.net, self.slow]], 0.75

    pair = Pair()
    pair.copy_params()
    assert torch.equal(pair.net.weight, pair.slow.weight) and not pair.slow.weight.requires_grad
    nn.init.constant_(pair.slow.weight, 4.0), nn.init.constant_(pair.net.weight, 8.0)
    pair._momentum_update()
    assert pair.slow.weight.item() == 0.75 * 4 + 0.25 * 8


def test_tiles_follow_their_original() -> None:
    assert tile(torch.tensor([[1, 2], [3, 4]]), 0, 2).tolist() == [[1, 2], [1, 2], [3, 4], [3, 4]]
    assert tile(torch.tensor([[1, 2]]), 1, 2).tolist() == [[1, 1, 2, 2]]


def test_one_process_gathers_its_own() -> None:
    tensor = torch.ones(2, 3, requires_grad=True)
    assert all_gather_with_grad(tensor) is tensor and concat_all_gather(tensor) is tensor


GATHER = """
import json, sys
from types import SimpleNamespace
import torch
from lavis.common.dist_utils import get_rank, init_distributed_mode, leave_group
from lavis.models.base_model import all_gather_with_grad, concat_all_gather
init_distributed_mode(SimpleNamespace(device="cpu", dist_url="env://"))
rank = get_rank()
tensor = torch.full((1, 2), rank + 1.0, requires_grad=True)
gathered = all_gather_with_grad(tensor)
(gathered * torch.tensor([[10.0], [100.0]]) * (rank + 1)).sum().backward()
plain = concat_all_gather(tensor)
seen = [gathered.tolist(), tensor.grad.tolist(), plain.tolist(), plain.requires_grad]
open(f"{sys.argv[1]}/{rank}.json", "w").write(json.dumps(seen))
leave_group()
"""


def test_two_ranks_gather_with_gradients_from_both(tmp_path: Path, repo_root: Path) -> None:
    """Row r is weighted 10^(r+1), rank k's loss k + 1: the gradient of row r is 10^(r+1) · (1 + 2)."""
    script = tmp_path / "gather.py"
    script.write_text(GATHER)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, str(script), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(repo_root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [[1.0, 1.0], [2.0, 2.0]]
    for rank, weight in ((0, 10.0), (1, 100.0)):
        seen = json.loads((tmp_path / f"{rank}.json").read_text())
        assert seen == [rows, [[weight * 3] * 2], rows, False]
