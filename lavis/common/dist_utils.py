"""Ranks: who this process is among others, and the few moments when they talk.

One process needs no group: rank 0 of 1, and every collective does nothing.
"""

from __future__ import annotations

import builtins
import functools
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from lavis.common.errors import ConfigError

Result = TypeVar("Result")

# A rank may look at media for hours before the next collective; a hang is still an error in the end.
GROUP_TIMEOUT = timedelta(hours=12)
DEFAULT_MASTER_PORT = "29500"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DistributedState:
    """Who this process is.

    Attributes:
        rank: its number among all processes.
        world_size: how many there are.
        local_rank: its number on this machine; the GPU that it uses.
        backend: ``nccl``, ``gloo``, or empty without a group.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    backend: str = ""


_state = DistributedState()


def state_of(environment: Mapping[str, str]) -> DistributedState:
    """Read torchrun's or SLURM's variables; a single process where there are none.

    Raises:
        ConfigError: the variables contradict each other.
    """
    if "RANK" in environment and "WORLD_SIZE" in environment:
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    elif "SLURM_PROCID" in environment and int(environment.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        # The step's size, not the job's: a shell inside an allocation is a step of one.
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
    elif "SLURM_PROCID" in environment and "SLURM_STEP_NUM_TASKS" not in environment and "SLURM_NTASKS" in environment:
        names = ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID")
    else:
        return DistributedState()
    try:
        rank, world_size, local_rank = (int(environment.get(name, "0")) for name in names)
    except ValueError as error:
        raise ConfigError(f"{', '.join(names)} in the environment must be whole numbers: {error}.") from error
    if not 0 <= rank < world_size:
        raise ConfigError(f"{names[0]}={rank} is not below {names[1]}={world_size} in the environment.")
    return DistributedState(rank, world_size, local_rank)


def init_distributed_mode(args: Any) -> DistributedState:
    """Join the group that the environment describes, or stay a single process.

    The backend follows ``args.device``: gloo on a CPU, nccl on CUDA. The outcome is kept in this
    module and in ``args.distributed``; ranks and GPUs are not written into a configuration, which
    would end in saved files.

    Args:
        args: ``run_cfg`` or a namespace; ``device`` and ``dist_url`` are read.

    Returns:
        The state, which :func:`get_rank` and the others answer from.
    """
    global _state
    _state = state_of(os.environ)
    args.distributed = _state.world_size > 1
    if _state.world_size == 1:
        return _state
    import torch
    import torch.distributed as dist
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]  # documented, not in the stubs
    from torch.distributed.rendezvous import rendezvous

    device = str(args.get("device", "cuda") if hasattr(args, "get") else getattr(args, "device", "cuda"))
    on_gpu = device.startswith("cuda") and torch.cuda.is_available()
    backend = "nccl" if on_gpu else "gloo"
    if on_gpu:
        torch.cuda.set_device(_state.local_rank)
    if "SLURM_PROCID" in os.environ:
        os.environ.setdefault("MASTER_ADDR", os.environ.get("SLURM_LAUNCH_NODE_IPADDR", "127.0.0.1"))
        os.environ.setdefault("MASTER_PORT", DEFAULT_MASTER_PORT)
    dist_url = args.get("dist_url", "env://") if hasattr(args, "get") else getattr(args, "dist_url", "env://")
    if not dist.is_initialized():
        # torchrun starts ranks again with the store of the group that died; a prefix keeps its addresses apart.
        store, _, _ = next(rendezvous(dist_url or "env://", _state.rank, _state.world_size, timeout=GROUP_TIMEOUT))
        restart = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        dist.init_process_group(
            backend,
            store=PrefixStore(f"restart{restart}", store),
            world_size=_state.world_size,
            rank=_state.rank,
            timeout=GROUP_TIMEOUT,
        )
    _state = DistributedState(_state.rank, _state.world_size, _state.local_rank, backend)
    barrier()
    return _state


def leave_group() -> None:
    """Leave the group, if there is one."""
    global _state
    if is_dist_avail_and_initialized():
        import torch.distributed as dist

        dist.destroy_process_group()
    _state = DistributedState()


def is_dist_avail_and_initialized() -> bool:
    """Return True inside a group; imports torch only where there is one."""
    if not _state.backend and "torch.distributed" not in sys.modules:
        return False
    import torch.distributed as dist

    return dist.is_available() and dist.is_initialized()


def get_world_size() -> int:
    """Return the number of processes."""
    if is_dist_avail_and_initialized():
        import torch.distributed as dist

        return dist.get_world_size()
    return _state.world_size


def get_rank() -> int:
    """Return this process's number."""
    if is_dist_avail_and_initialized():
        import torch.distributed as dist

        return dist.get_rank()
    return _state.rank


def get_dist_info() -> tuple[int, int]:
    """Return (rank, world size)."""
    return get_rank(), get_world_size()


def is_main_process() -> bool:
    """Return True on rank 0."""
    return get_rank() == 0


def main_process(function: Callable[..., Result]) -> Callable[..., Result | None]:
    """Make a function run on rank 0 alone; it returns None elsewhere."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Result | None:
        return function(*args, **kwargs) if is_main_process() else None

    return wrapper


def setup_for_distributed(is_master: bool) -> None:
    """Silence ``print`` on other ranks than the first; ``print(…, force=True)`` still prints."""
    original = getattr(builtins.print, "__wrapped__", builtins.print)

    @functools.wraps(original)
    def print_on_master(*args: Any, force: bool = False, **kwargs: Any) -> None:
        if is_master or force:
            original(*args, **kwargs)

    builtins.print = print_on_master


def barrier() -> None:
    """Wait for every rank; nothing without a group."""
    if is_dist_avail_and_initialized():
        import torch.distributed as dist

        dist.barrier()


def broadcast_object(obj: Any) -> Any:
    """Return rank 0's object on every rank."""
    if not is_dist_avail_and_initialized():
        return obj
    import torch.distributed as dist

    box = [obj]
    dist.broadcast_object_list(box, src=0)
    return box[0]


def download_cached_file(url: str, check_hash: bool = True, progress: bool = False) -> str:
    """Download a file into the cache on rank 0, let the others wait, and return its path.

    Raises:
        ConfigError: the file cannot be had, or its name carries a hash that it does not have.
    """
    from lavis.common.utils import cache_url

    cached = ""
    problem: str | None = None
    if is_main_process():
        try:
            cached = cache_url(url, check_hash=check_hash, progress=progress)
        except (OSError, ConfigError) as error:
            problem = str(error)
    cached, problem = broadcast_object((cached, problem))
    if problem is not None:
        raise ConfigError(problem)
    return str(Path(cached))
