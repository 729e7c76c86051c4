"""When a modality has learned enough: by the gradients of its adapters, epoch by epoch (CREMA, section 3.4)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

logger = logging.getLogger(__name__)


class EarlyExit(nn.Module):
    """Follows the gradients of each modality's adapters and stops those that have converged.

    At the end of an epoch, from ``first_epoch`` on, a modality stops whose mean gradient norm of the epoch exceeds
    ``temperature`` times its mean over the epochs before: while an adapter learns its gradients shrink, and then
    they no longer do. The state is in buffers, so that a checkpoint holds it.

    Args:
        names: of the modalities.
        temperature: above 1 trains longer, below 1 shorter.
        first_epoch: the first epoch, from 0, at whose end one may stop.
        stops: False only follows and logs.
    """

    # Of every modality: sum and number of the steps of this epoch, the same of the epochs before, and 1 if stopped.
    step_sum: torch.Tensor
    step_count: torch.Tensor
    epoch_sum: torch.Tensor
    epoch_count: torch.Tensor
    stopped: torch.Tensor

    def __init__(self, names: Sequence[str], *, temperature: float, first_epoch: int, stops: bool = True) -> None:
        super().__init__()
        self.names = tuple(names)
        self.temperature = temperature
        self.first_epoch = first_epoch
        self.stops = stops
        for buffer in ("step_sum", "step_count", "epoch_sum", "epoch_count", "stopped"):
            self.register_buffer(buffer, torch.zeros(len(self.names), dtype=torch.float64, device="cpu"))

    def learning(self) -> list[str]:
        """Return the modalities that still learn, in order."""
        return [name for name, stopped in zip(self.names, self.stopped.tolist(), strict=True) if not stopped]

    def follow(self, parameters: Mapping[str, Iterable[nn.Parameter]], optimizer: torch.optim.Optimizer) -> Any:
        """Note the gradients before every step of an optimizer, when ranks have averaged them.

        Args:
            parameters: a modality's adapters by name.
            optimizer: steps them.

        Returns:
            A handle whose ``remove()`` ends it.
        """
        kept = {name: list(found) for name, found in parameters.items()}

        def note(*_: Any) -> None:
            for number, name in enumerate(self.names):
                gradients = [one.grad for one in kept[name] if one.grad is not None]
                if gradients:
                    norms = torch.stack([gradient.detach().double().norm() for gradient in gradients])
                    self.step_sum[number] += norms.norm().to(self.step_sum.device)
                    self.step_count[number] += 1

        return optimizer.register_step_pre_hook(note)

    def end_epoch(self, epoch: int) -> dict[str, float]:
        """Judge an epoch.

        Returns:
            ``{"<modality>_gradient": mean norm, "<modality>_stopped": 0 or 1}``, of modalities that learned in it.
        """
        told: dict[str, float] = {}
        for number, name in enumerate(self.names):
            if not self.step_count[number]:
                continue
            current = self.step_sum[number] / self.step_count[number]
            if self.stops and epoch >= self.first_epoch and self.epoch_count[number]:
                before = self.epoch_sum[number] / self.epoch_count[number]
                if bool(before * self.temperature < current):
                    self.stopped[number] = 1
                    logger.info(
                        "%s stops learning after epoch %d: the mean norm of its gradients, %.4g, exceeds %g times that "
                        "of the epochs before, %.4g.",
                        *(name, epoch, float(current), self.temperature, float(before)),
                    )
            self.epoch_sum[number] += current
            self.epoch_count[number] += 1
            told |= {f"{name}_gradient": float(current), f"{name}_stopped": float(self.stopped[number])}
        self.step_sum.zero_()
        self.step_count.zero_()
        return told
