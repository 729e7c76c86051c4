"""The rates that the schedules set, against their closed forms."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lavis.common.optims import ConstantLRScheduler, LinearWarmupCosineLRScheduler, LinearWarmupStepLRScheduler
from lavis.common.registry import registry

SCHEDULES = (LinearWarmupStepLRScheduler, LinearWarmupCosineLRScheduler, ConstantLRScheduler)


def rates(schedule: Any, steps: list[tuple[int, int]]) -> list[float]:
    found = []
    for epoch, step in steps:
        schedule.step(cur_epoch=epoch, cur_step=step)
        found.append(schedule.optimizer.param_groups[0]["lr"])
    return found


def optimizer(*groups: dict[str, Any]) -> Any:
    return SimpleNamespace(param_groups=list(groups) or [{"lr": 0.0}])


@pytest.mark.parametrize("cls", SCHEDULES)
def test_warm_up_is_linear_by_step_and_only_in_epoch_0(cls: Any) -> None:
    """Four steps from 0.2 to 1.0 rise by 0.2 each, then the rate stays until the epoch ends."""
    schedule = cls(optimizer(), max_epoch=10, min_lr=0.1, init_lr=1.0, warmup_start_lr=0.2, warmup_steps=4)
    found = rates(schedule, [(0, step) for step in range(7)])
    assert found == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0])
    # The first step of epoch 1 is not warmed up again.
    assert rates(schedule, [(1, 0)]) == rates(schedule, [(1, 3)])


@pytest.mark.parametrize("cls", SCHEDULES)
def test_without_a_warm_up_rate_the_first_step_has_init_lr(cls: Any) -> None:
    schedule = cls(optimizer(), max_epoch=3, min_lr=0.0, init_lr=0.5, warmup_start_lr=-1, warmup_steps=5)
    assert rates(schedule, [(0, 0), (0, 4)]) == [0.5, 0.5]


def test_cosine_goes_from_init_to_min_by_epoch_and_does_not_rise_again() -> None:
    schedule = LinearWarmupCosineLRScheduler(optimizer(), max_epoch=4, min_lr=0.1, init_lr=0.9)
    found = rates(schedule, [(epoch, 7) for epoch in range(6)])
    half = math.sqrt(0.5) / 2
    assert found == pytest.approx([0.9, 0.1 + 0.8 * (0.5 + half), 0.5, 0.1 + 0.8 * (0.5 - half), 0.1, 0.1])


def test_steps_multiply_by_epoch_down_to_min_lr() -> None:
    schedule = LinearWarmupStepLRScheduler(optimizer(), max_epoch=9, min_lr=0.2, init_lr=1.0, decay_rate=0.5)
    assert rates(schedule, [(epoch, 3) for epoch in range(5)]) == [1.0, 0.5, 0.25, 0.2, 0.2]


def test_constant_stays() -> None:
    schedule = ConstantLRScheduler(optimizer(), max_epoch=9, min_lr=0.2, init_lr=1.0, decay_rate=0.5)
    assert rates(schedule, [(0, 0), (5, 0), (8, 99)]) == [1.0, 1.0, 1.0]


def test_each_group_gets_the_rate_times_its_scale() -> None:
    """A real optimizer; a group without ``lr_scale`` has the scale 1."""
    first, second = torch.nn.Parameter(torch.zeros(1)), torch.nn.Parameter(torch.zeros(1))
    adam = torch.optim.AdamW([{"params": [first], "lr_scale": 0.1}, {"params": [second]}], lr=1.0)
    ConstantLRScheduler(adam, max_epoch=1, min_lr=0.0, init_lr=0.4).step(cur_epoch=0, cur_step=0)
    assert [group["lr"] for group in adam.param_groups] == pytest.approx([0.04, 0.4])


def test_every_schedule_is_listed_and_takes_arguments_of_others() -> None:
    """A row of LAVIS's lists is empty until train.py imports the schedules; here it never is."""
    assert registry.list_lr_schedulers() == ["constant_lr", "linear_warmup_cosine_lr", "linear_warmup_step_lr"]
    for name in registry.list_lr_schedulers():
        cls = registry.get_lr_scheduler_class(name)
        schedule = cls(optimizer(), max_epoch=2, min_lr=0.0, init_lr=0.3, decay_rate=0.9, iters_per_epoch=7)
        assert rates(schedule, [(0, 0)]) == [0.3]
