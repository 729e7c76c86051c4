"""Ranks: read from the environment, joined over gloo, silent without a group."""

from __future__ import annotations

import builtins
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from omegaconf import OmegaConf

from lavis.common import dist_utils
from lavis.common.errors import ConfigError

RANK_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")


@pytest.fixture(autouse=True)
def no_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in RANK_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def own_print() -> Iterator[None]:
    original = builtins.print
    yield
    builtins.print = original


# -- one process -----------------------------------------------------------------------------


def test_one_process_is_rank_0_of_1_and_collectives_do_nothing() -> None:
    args = SimpleNamespace(device="cpu", distributed=True)
    state = dist_utils.init_distributed_mode(args)
    assert args.distributed is False
    assert (state.rank, state.world_size, state.backend) == (0, 1, "")
    assert dist_utils.get_dist_info() == (0, 1)
    assert dist_utils.is_main_process()
    assert not dist_utils.is_dist_avail_and_initialized()
    dist_utils.barrier()
    assert dist_utils.broadcast_object({"a": 1}) == {"a": 1}
    dist_utils.leave_group()


def test_a_launcher_with_one_process_makes_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    """One GPU under torchrun: a barrier must not be reached without a group."""
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    args = SimpleNamespace(device="cpu")
    assert dist_utils.init_distributed_mode(args).backend == ""
    assert args.distributed is False
    dist_utils.barrier()


def test_ranks_stay_out_of_the_configuration() -> None:
    """What is written into run_cfg ends in saved configurations: only ``distributed`` may be."""
    run = OmegaConf.create({"device": "cpu", "dist_url": "env://", "distributed": True})
    dist_utils.init_distributed_mode(run)
    assert OmegaConf.to_container(run) == {"device": "cpu", "dist_url": "env://", "distributed": False}


# -- the environment -------------------------------------------------------------------------


def test_torchruns_variables_come_before_slurms() -> None:
    slurm = {"SLURM_PROCID": "5", "SLURM_NTASKS": "8", "SLURM_LOCALID": "1"}
    torchrun = {"RANK": "2", "WORLD_SIZE": "4", "LOCAL_RANK": "0"}
    assert dist_utils.state_of(slurm) == dist_utils.DistributedState(5, 8, 1)
    assert dist_utils.state_of(slurm | torchrun) == dist_utils.DistributedState(2, 4, 0)
    assert dist_utils.state_of({}) == dist_utils.DistributedState()


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"RANK": "4", "WORLD_SIZE": "4"}, "RANK=4"),
        ({"RANK": "one", "WORLD_SIZE": "2"}, "whole numbers"),
        ({"SLURM_PROCID": "-1", "SLURM_NTASKS": "2"}, "SLURM_PROCID=-1"),
    ],
)
def test_variables_that_contradict_are_refused_by_name(environment: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        dist_utils.state_of(environment)


# -- two real processes ----------------------------------------------------------------------

TALK = """
import json, sys
from types import SimpleNamespace
import torch
from lavis.common import dist_utils as d
args = SimpleNamespace(device="cpu", dist_url="env://")
state = d.init_distributed_mode(args)
d.setup_for_distributed(d.is_main_process())
print("quiet on others")
print("forced", force=True)
total = torch.tensor([d.get_rank() + 1])
torch.distributed.all_reduce(total)
d.barrier()
seen = {
    "info": d.get_dist_info(), "backend": state.backend, "distributed": args.distributed,
    "sum": int(total), "shared": d.broadcast_object(f"from {d.get_rank()}"),
    "main": d.main_process(lambda: "main")(), "keys": sorted(vars(args)),
}
d.leave_group()
seen["after"] = [d.is_dist_avail_and_initialized(), *d.get_dist_info()]
open(f"{sys.argv[1]}/{seen['info'][0]}.json", "w").write(json.dumps(seen))
"""


def check_talk(folder: Path) -> None:
    for rank in (0, 1):
        seen = json.loads((folder / f"{rank}.json").read_text())
        assert seen == {
            "info": [rank, 2],
            "backend": "gloo",
            "distributed": True,
            "sum": 3,
            "shared": "from 0",
            "main": "main" if rank == 0 else None,
            "keys": ["device", "dist_url", "distributed"],
            "after": [False, 0, 1],
        }


def test_two_ranks_under_torchrun_talk_over_gloo(tmp_path: Path, run_ranks: Any) -> None:
    done = run_ranks(TALK, tmp_path)
    check_talk(tmp_path)
    assert done.stdout.count("quiet on others") == 1
    assert done.stdout.count("forced") == 2


def test_two_ranks_under_slurm_talk_over_gloo(tmp_path: Path, repo_root: Path) -> None:
    """SLURM sets no master: its launch node is taken."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"SLURM_NTASKS": "2", "SLURM_LAUNCH_NODE_IPADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    environment = {name: value for name, value in os.environ.items() if name != "MASTER_ADDR"} | common
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", TALK, str(tmp_path)],
            env=environment | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "OMP_NUM_THREADS": "1"},
            cwd=repo_root,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        errors = [rank.communicate(timeout=120)[1] for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    assert [rank.returncode for rank in ranks] == [0, 0], errors
    check_talk(tmp_path)


DOWNLOAD = """
import sys
from types import SimpleNamespace
from lavis.common import dist_utils as d
from lavis.common.errors import ConfigError
d.init_distributed_mode(SimpleNamespace(device="cpu", dist_url="env://"))
try:
    told = open(d.download_cached_file(sys.argv[2])).read()
except ConfigError as error:
    told = f"ConfigError {error}"
open(f"{sys.argv[1]}/{d.get_rank()}.txt", "w").write(told)
d.leave_group()
"""


def test_rank_0_downloads_and_the_other_waits(
    tmp_path: Path, run_ranks: Any, file_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path / "cache"))
    file_server.files["/weights.txt"] = b"the weights"
    run_ranks(DOWNLOAD, tmp_path, file_server.url + "/weights.txt")
    assert [(tmp_path / f"{rank}.txt").read_text() for rank in (0, 1)] == ["the weights"] * 2
    assert file_server.asked == ["/weights.txt"]


def test_a_failed_download_fails_on_every_rank(
    tmp_path: Path, run_ranks: Any, file_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rank 1 must not wait for a file that rank 0 could not get."""
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path / "cache"))
    run_ranks(DOWNLOAD, tmp_path, file_server.url + "/absent.txt")
    for rank in (0, 1):
        told = (tmp_path / f"{rank}.txt").read_text()
        assert told.startswith("ConfigError") and "/absent.txt" in told and "404" in told


# -- print -----------------------------------------------------------------------------------


def test_print_is_silenced_and_restored_however_often(own_print: None, capsys: pytest.CaptureFixture[str]) -> None:
    for is_master in (False, False, True, False):
        dist_utils.setup_for_distributed(is_master)
        print(f"on master {is_master}")
    print("anyway", force=True)  # type: ignore[call-overload]
    assert capsys.readouterr().out.splitlines() == ["on master True", "anyway"]
