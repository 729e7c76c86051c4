"""The inner training loop that epoch-based and iteration-based training share."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch

from lavis.common.dist_utils import is_dist_avail_and_initialized
from lavis.common.errors import ConfigError, LavisError
from lavis.common.logger import MetricLogger, SmoothedValue
from lavis.datasets.data_utils import prepare_sample

if TYPE_CHECKING:
    from lavis.tasks.base_task import BaseTask

logger = logging.getLogger(__name__)


def train_inner_loop(
    task: BaseTask,
    *,
    epoch: int,
    iters_per_epoch: int | None,
    model: Any,
    data_loader: Any,
    optimizer: Any,
    lr_scheduler: Any,
    scaler: Any = None,
    start_iters: int | None = None,
    log_freq: int = 50,
    cuda_enabled: bool = False,
    accum_grad_iters: int = 1,
) -> dict[str, str]:
    """Train over one epoch, or over one inner epoch of an endless loader.

    A loss counts 1 / accum_grad_iters; gradients that are left over at the end are stepped, too, and so are those up to
    a batch with ``ends_step``.

    Args:
        task: whose ``train_step`` returns a loss, or a loss and named losses.
        epoch: number of the (inner) epoch, from 0; what the schedule is told.
        iters_per_epoch: batches to take; None takes what a stream has.
        model: what the task's step is called with.
        data_loader: batches, as an iterable or an iterator.
        optimizer: stepped every ``accum_grad_iters`` batches.
        lr_scheduler: stepped before every batch.
        scaler: a gradient scaler; with it, the step runs under CUDA's autocast.
        start_iters: batches taken before this inner epoch; None for epoch-based training.
        log_freq: batches between two lines of the log.
        cuda_enabled: move batches to the GPU.
        accum_grad_iters: batches per step of the optimizer.

    Returns:
        {meter: its average as text, over all ranks}.

    Raises:
        ConfigError: there was no batch.
        LavisError: a batch was empty while other ranks wait for this one, or a loss is no number: nothing is learned
            from that batch, and checkpoints stay as they are.
    """
    meters = MetricLogger(delimiter="  ")
    meters.add_meter("lr", SmoothedValue(window_size=1, fmt="{value:.6f}"))
    meters.add_meter("loss", SmoothedValue(window_size=1, fmt="{value:.4f}"))
    header = f"Train: data epoch: [{epoch}]" if start_iters is None else f"Train: iters from {start_iters}"
    batches = meters.log_every(_batches(data_loader, iters_per_epoch), log_freq, header)
    optimizer.zero_grad()
    taken = pending = 0
    for step, samples in enumerate(batches):
        if not samples:
            _refuse_when_others_wait(step)
            continue
        samples = prepare_sample(samples, cuda_enabled=cuda_enabled)
        if isinstance(samples, dict):
            samples |= {"epoch": epoch, "num_iters_per_epoch": iters_per_epoch, "iters": step}
        lr_scheduler.step(cur_epoch=epoch, cur_step=step)
        with torch.autocast("cuda", enabled=scaler is not None):
            loss, named = split_losses(task.train_step(model=model, samples=samples))
        _refuse_no_number(loss, epoch, step)
        loss = loss / accum_grad_iters
        (loss if scaler is None else scaler.scale(loss)).backward()
        taken, pending = taken + 1, pending + 1
        if pending == accum_grad_iters or (isinstance(samples, dict) and samples.get("ends_step")):
            _update(optimizer, scaler)
            pending = 0
        meters.update(**named, lr=optimizer.param_groups[0]["lr"])
    if pending:
        _update(optimizer, scaler)
    if not taken:
        raise ConfigError(f"Epoch {epoch} had no batch to train on; is the training split empty?")
    meters.synchronize_between_processes()
    logger.info("Averaged stats: %s", meters.global_avg())
    return {name: f"{meter.global_avg:.6g}" for name, meter in meters.meters.items()}


def split_losses(outcome: Any) -> tuple[torch.Tensor, dict[str, float]]:
    """Return (loss, named losses as numbers) of what a task's ``train_step`` returns in either form."""
    loss, named = outcome if isinstance(outcome, tuple) else (outcome, {"loss": outcome})
    if not isinstance(named, Mapping):
        raise LavisError(f"train_step returns a loss or (loss, dict of losses), not a {type(named).__name__} second.")
    return loss, {name: float(torch.as_tensor(value).detach()) for name, value in named.items()}


def _update(optimizer: Any, scaler: Any) -> None:
    if scaler is None:
        optimizer.step()
    else:
        scaler.step(optimizer)
        scaler.update()
    optimizer.zero_grad()


class _Counted:
    """So many batches of a loader; the log wants to know how many are left."""

    def __init__(self, batches: Iterator[Any], count: int) -> None:
        self.batches = batches
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Any]:
        return itertools.islice(self.batches, self.count)


def _batches(data_loader: Any, count: int | None) -> Iterable[Any]:
    batches: Iterator[Any] = data_loader if hasattr(data_loader, "__next__") else iter(data_loader)
    if count is not None:
        return _Counted(batches, count)
    return _while_all_have_one(batches) if is_dist_avail_and_initialized() else batches


def _while_all_have_one(batches: Iterator[Any]) -> Iterator[Any]:
    """Yield batches until the first rank has no more: a rank that went on alone would wait forever."""
    for batch in itertools.chain(batches, itertools.repeat(None)):
        have = torch.tensor(float(batch is not None), device="cuda" if torch.cuda.is_available() else "cpu")
        torch.distributed.all_reduce(have, op=torch.distributed.ReduceOp.MIN)
        if not have:
            return
        yield batch


def _refuse_no_number(loss: torch.Tensor, epoch: int, step: int) -> None:
    if not bool(torch.isfinite(loss.detach()).all()):
        raise LavisError(
            f"The loss of batch {step} of epoch {epoch} is {loss.detach().item()}. Training ends here; the checkpoints"
            " that were saved before are as they were. Lower run.init_lr, or look for the record that causes it."
        )


def _refuse_when_others_wait(step: int) -> None:
    if is_dist_avail_and_initialized():
        raise LavisError(
            f"Batch {step} is empty on this rank, and the others wait for its gradients."
            " Take records that cannot be read out of the training annotations."
        )
    logger.warning("Batch %d is empty and skipped.", step)
