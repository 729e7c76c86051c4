"""Meters and the log, in this process and over a real group of two."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, IterableDataset

from lavis.common.logger import AttrDict, MetricLogger, SmoothedValue


def test_a_meter_knows_its_window_and_the_mean_of_all() -> None:
    """Values 1 to 5 through a window of 3: the window holds 3, 4, 5."""
    meter = SmoothedValue(window_size=3, fmt="{median} {avg} {global_avg} {max} {value}")
    for value in (1.0, 2.0, 5.0, 3.0, 4.0):
        meter.update(value)
    assert (meter.median, meter.avg, meter.global_avg, meter.max, meter.value) == (4.0, 4.0, 3.0, 5.0, 4.0)
    assert str(meter) == "4.0 4.0 3.0 5.0 4.0"


def test_a_value_counts_n_times_in_the_mean() -> None:
    meter = SmoothedValue()
    meter.update(1.0, n=3)
    meter.update(5.0)
    assert meter.global_avg == 2.0


def test_an_empty_or_cleared_meter_is_nan_and_not_zero() -> None:
    meter = SmoothedValue()
    meter.update(2.0)
    meter.clear()
    assert meter.count == 0
    assert all(math.isnan(number) for number in (meter.median, meter.avg, meter.global_avg, meter.max, meter.value))
    meter.update(7.0)
    assert meter.global_avg == 7.0


def test_meters_take_numbers_and_tensors_of_one() -> None:
    meters = MetricLogger(delimiter=" | ")
    meters.update(loss=torch.tensor(0.5), lr=1)
    meters.update(loss=1.5)
    assert meters.loss.global_avg == 1.0
    assert meters.global_avg() == "loss: 1.0000 | lr: 1.0000"
    with pytest.raises(TypeError, match="'loss'"):
        meters.update(loss="much")
    with pytest.raises(AttributeError, match="accuracy"):
        _ = meters.accuracy


class Stream(IterableDataset[int]):
    def __iter__(self) -> Iterator[int]:
        return iter(range(5))


@pytest.mark.parametrize(
    ("iterable", "total"),
    [(range(5), "/5]"), ((number for number in range(5)), None), (DataLoader(Stream(), batch_size=None), None)],
    ids=["sized", "generator", "loader over a stream"],
)
def test_the_loop_yields_everything_and_logs_sized_and_unsized(
    iterable: Any, total: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """A loader over a stream has ``__len__``, which raises: it must be logged without a total."""
    meters = MetricLogger(delimiter="  ")
    with caplog.at_level(logging.INFO, logger="lavis"):
        seen = []
        for item in meters.log_every(iterable, 2, header="Look:"):
            meters.update(n=item)
            seen.append(int(item))
    assert seen == [0, 1, 2, 3, 4]
    progress = [record.getMessage() for record in caplog.records if "Total time" not in record.getMessage()]
    assert len(progress) == 3  # items 0, 2 and 4
    assert all(line.startswith("Look:") and "n: " in line for line in progress)
    assert all((total in line and "eta" in line) if total else "eta" not in line for line in progress)
    assert "Total time" in caplog.records[-1].getMessage()


def test_nothing_to_loop_over_is_no_error() -> None:
    assert list(MetricLogger().log_every([], 10)) == []


def test_keys_are_attributes() -> None:
    node = AttrDict(a=1)
    node.b = 2
    assert (node.a, node["b"], dict(node)) == (1, 2, {"a": 1, "b": 2})


LOG = """
import logging, sys
from lavis.common.logger import setup_logger
setup_logger(); setup_logger()
print(len(logging.getLogger().handlers), file=sys.stdout)
logging.getLogger("x").info("an info with %s", "sesame-opens-1234")
logging.getLogger("x").warning("a warning")
"""


@pytest.mark.parametrize(("rank", "told"), [("0", True), ("1", False)])
def test_rank_0_tells_and_others_warn_once_without_secrets(rank: str, told: bool, repo_root: Path) -> None:
    environment = os.environ | {"OPEN_KEY": "sesame-opens-1234", "RANK": rank, "WORLD_SIZE": "2"}
    script = (
        "import os, lavis.common.dist_utils as d\nd._state = d.state_of(os.environ)\n" + LOG
    )  # a rank, without its partner to wait for
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=repo_root, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "1"
    assert done.stderr.count("a warning") == 1
    assert ("an info with [hidden]" in done.stderr) is told
    assert "sesame" not in done.stderr


SYNC = """
import json, sys
from types import SimpleNamespace
from lavis.common.dist_utils import get_rank, init_distributed_mode, leave_group
from lavis.common.logger import MetricLogger
init_distributed_mode(SimpleNamespace(device="cpu", dist_url="env://"))
meters = MetricLogger()
names = ("loss", "lr") if get_rank() == 0 else ("lr", "loss")
for _ in range(1 + get_rank() * 2):
    meters.update(**{name: {"loss": 1.0 + get_rank(), "lr": 0.5}[name] for name in names})
meters.synchronize_between_processes()
text = json.dumps([meters.loss.global_avg, meters.lr.global_avg, meters.loss.count, meters.loss.value])
open(f"{sys.argv[1]}/{get_rank()}.json", "w").write(text)
leave_group()
"""


def test_means_are_over_all_ranks_whatever_the_order_of_meters(tmp_path: Path, run_ranks: Any) -> None:
    """Rank 0 saw a loss of 1 once, rank 1 a loss of 2 three times: the mean is 7/4 on both."""
    run_ranks(SYNC, tmp_path)
    for rank in (0, 1):
        loss, lr, count, last = json.loads((tmp_path / f"{rank}.json").read_text())
        assert (loss, lr, count, last) == (1.75, 0.5, 4, 1.0 + rank)


def test_without_a_group_the_means_stay() -> None:
    meters = MetricLogger()
    meters.update(loss=3.0)
    meters.synchronize_between_processes()
    assert meters.loss.global_avg == 3.0
