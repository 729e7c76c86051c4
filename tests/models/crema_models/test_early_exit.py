"""Early exit: by gradients that shrink or have stopped to, step by step of a real optimizer."""

from __future__ import annotations

import logging

import pytest
import torch

from lavis.models.crema_models.early_exit import EarlyExit


class Adapters:
    """One adapter still finds its way to a minimum far off; the other jitters about its own."""

    def __init__(self, exit_: EarlyExit) -> None:
        self.far = torch.nn.Parameter(torch.full((4,), 10.0))
        self.near = torch.nn.Parameter(torch.zeros(4))
        self.optimizer = torch.optim.SGD([self.far, self.near], lr=0.05)
        self.exit = exit_
        self.noise = torch.Generator().manual_seed(0)

    def epoch(self, number: int) -> dict[str, float]:
        handle = self.exit.follow({"depth": [self.near], "rgb": [self.far]}, self.optimizer)
        for _ in range(20):
            self.optimizer.zero_grad()
            jitter = torch.randn(4, generator=self.noise)
            (0.5 * self.far.square().sum() + (0.5 * (self.near - jitter).square()).sum()).backward()
            self.optimizer.step()
        handle.remove()
        return self.exit.end_epoch(number)


def test_exactly_the_modality_whose_adapter_has_converged_stops(caplog: pytest.LogCaptureFixture) -> None:
    adapters = Adapters(EarlyExit(["rgb", "depth"], temperature=0.8, first_epoch=2))
    with caplog.at_level(logging.INFO):
        learning = []
        for number in range(5):
            adapters.epoch(number)
            learning.append(adapters.exit.learning())
    assert learning == [["rgb", "depth"], ["rgb", "depth"], ["rgb"], ["rgb"], ["rgb"]]
    assert "depth stops learning after epoch 2" in caplog.text


def test_the_norm_is_that_of_all_adapters_of_a_modality_averaged_over_steps() -> None:
    exit_ = EarlyExit(["rgb", "depth"], temperature=1.0, first_epoch=0)
    one, other, unused = (torch.nn.Parameter(torch.zeros(1)) for _ in range(3))
    optimizer = torch.optim.SGD([one, other, unused], lr=0.1)
    handle = exit_.follow({"rgb": [one, other], "depth": [unused]}, optimizer)
    for scale in (1.0, 3.0):
        optimizer.zero_grad()
        (scale * (3 * one + 4 * other)).sum().backward()
        optimizer.step()
    handle.remove()
    assert exit_.end_epoch(0) == {"rgb_gradient": 10.0, "rgb_stopped": 0.0}, "depth had no turn and is not judged"
    optimizer.step()
    assert exit_.end_epoch(1) == {}, "nothing is noted after the handle is removed"


def test_without_es_gradients_are_logged_and_nothing_stops() -> None:
    adapters = Adapters(EarlyExit(["rgb", "depth"], temperature=0.01, first_epoch=0, stops=False))
    told = [adapters.epoch(number) for number in range(3)]
    assert adapters.exit.learning() == ["rgb", "depth"]
    assert told[2]["rgb_gradient"] < told[0]["rgb_gradient"]


def test_the_state_lies_in_a_checkpoint_and_goes_on_from_there() -> None:
    whole, first = (Adapters(EarlyExit(["rgb", "depth"], temperature=0.8, first_epoch=2)) for _ in range(2))
    for number in range(4):
        whole.epoch(number)
    first.epoch(0), first.epoch(1)
    resumed = EarlyExit(["rgb", "depth"], temperature=0.8, first_epoch=2)
    resumed.load_state_dict(first.exit.state_dict())
    first.exit = resumed
    first.epoch(2), first.epoch(3)
    assert all(torch.equal(one, resumed.state_dict()[name]) for name, one in whole.exit.state_dict().items())
    assert resumed.learning() == ["rgb"]
