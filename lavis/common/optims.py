"""Learning-rate schedules: a linear warm-up within epoch 0, then steps, a cosine, or nothing, by epoch."""

from __future__ import annotations

import math
from typing import Any


class Schedule:
    """What the schedules share: the warm-up, and how a rate reaches the optimizer.

    Args:
        optimizer: anything with ``param_groups``; a group's ``lr_scale`` multiplies its rate.
        init_lr: the rate after the warm-up.
        min_lr: the rate is never below it once the warm-up is over.
        max_epoch: epochs of the whole training.
        warmup_start_lr: the rate of the first step; below 0: ``init_lr``.
        warmup_steps: steps of epoch 0 until ``init_lr`` is reached; the warm-up ends with epoch 0 in any case.
        decay_rate: what a step schedule multiplies by after each epoch.
    """

    def __init__(
        self,
        optimizer: Any,
        max_epoch: int | None = None,
        min_lr: float = 0.0,
        init_lr: float | None = None,
        decay_rate: float = 1.0,
        warmup_start_lr: float = -1,
        warmup_steps: int = 0,
        **kwargs: Any,
    ) -> None:
        if init_lr is None:
            raise TypeError(f"{type(self).__name__} needs init_lr.")
        self.optimizer = optimizer
        self.max_epoch = max_epoch
        self.min_lr = min_lr
        self.init_lr = init_lr
        self.decay_rate = decay_rate
        self.warmup_steps = warmup_steps
        self.warmup_start_lr = init_lr if warmup_start_lr < 0 else warmup_start_lr

    def step(self, cur_epoch: int, cur_step: int) -> None:
        """Set the rate of a step; both numbers from 0."""
        rate = self.warmup_rate(cur_step) if cur_epoch == 0 else self.rate(cur_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("lr_scale", 1.0)

    def warmup_rate(self, cur_step: int) -> float:
        """Return the rate of a step of epoch 0: a line from ``warmup_start_lr`` to ``init_lr``, then flat."""
        done = cur_step / max(self.warmup_steps, 1)
        return min(self.init_lr, self.warmup_start_lr + (self.init_lr - self.warmup_start_lr) * done)

    def rate(self, cur_epoch: int) -> float:
        """Return the rate of a later epoch."""
        raise NotImplementedError(f"{type(self).__name__} does not write rate(cur_epoch).")


class LinearWarmupStepLRScheduler(Schedule):
    """After the warm-up: init_lr · decay_rate^epoch, at least min_lr."""

    def rate(self, cur_epoch: int) -> float:
        """Return the rate of a later epoch."""
        return max(self.min_lr, self.init_lr * self.decay_rate**cur_epoch)


class LinearWarmupCosineLRScheduler(Schedule):
    """After the warm-up: half a cosine from init_lr at epoch 0 to min_lr at max_epoch."""

    def __init__(self, optimizer: Any, max_epoch: int, *args: Any, **kwargs: Any) -> None:
        super().__init__(optimizer, max_epoch, *args, **kwargs)
        self.epochs = max(max_epoch, 1)

    def rate(self, cur_epoch: int) -> float:
        """Return the rate of a later epoch."""
        share = min(cur_epoch / self.epochs, 1.0)  # past the end, the cosine would rise again
        return self.min_lr + (self.init_lr - self.min_lr) * 0.5 * (1.0 + math.cos(math.pi * share))


class ConstantLRScheduler(Schedule):
    """After the warm-up: init_lr."""

    def rate(self, cur_epoch: int) -> float:
        """Return the rate of a later epoch."""
        return self.init_lr
