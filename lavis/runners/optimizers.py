"""Optimizer and schedule of a run."""

from __future__ import annotations

from typing import Any

import torch

from lavis.common.calls import accepted
from lavis.common.errors import ConfigError
from lavis.common.registry import registry

WEIGHT_DECAY = 0.05


def create_optimizer(
    model: Any, *, init_lr: float, weight_decay: float = WEIGHT_DECAY, beta2: float = 0.999, lr_layer_decay: float = 1.0
) -> torch.optim.Optimizer:
    """Make AdamW over what is trained.

    Args:
        model: not wrapped. Its ``get_optimizer_params(weight_decay, lr_scale)`` makes the groups
            where it has one; else biases and normalisations are not decayed.
        init_lr: learning rate.
        weight_decay: of matrices.
        beta2: AdamW's.
        lr_layer_decay: handed to the model, which may scale rates by layer with it.

    Raises:
        ConfigError: nothing is trained.
    """
    if hasattr(model, "get_optimizer_params"):
        groups = model.get_optimizer_params(weight_decay, lr_layer_decay)
    else:
        groups = parameter_groups(model, weight_decay)
    groups = [group for group in groups if group["params"]]
    if not groups:
        raise ConfigError("The model has no trainable parameter; set run.evaluate, or unfreeze what is to be trained.")
    return torch.optim.AdamW(groups, lr=init_lr, weight_decay=weight_decay, betas=(0.9, beta2))


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return what is trained in two groups: decayed matrices, and all that is not decayed."""
    decayed: list[torch.nn.Parameter] = []
    rest: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        is_plain = parameter.ndim < 2 or any(part in name for part in ("bias", "ln", "bn"))
        (rest if is_plain else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]


def create_schedule(name: str, arguments: dict[str, Any]) -> Any:
    """Make the schedule registered under a name, with those arguments that it takes.

    Raises:
        UnknownNameError: no schedule carries the name.
    """
    schedule = registry.require("lr_scheduler", name)
    return schedule(**accepted(schedule, arguments))
