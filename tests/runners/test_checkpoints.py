"""Checkpoint files: whole or not there, and read without pickles."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from lavis.common.errors import ConfigError, WeightsError
from lavis.runners import checkpoints, rng


class Tied(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(3, 2)
        self.head = torch.nn.Linear(2, 3, bias=False)
        self.head.weight = self.embed.weight
        self.frozen = torch.nn.Linear(2, 2).requires_grad_(False)
        self.register_buffer("steps", torch.zeros(1))
        self.register_buffer("scratch", torch.zeros(1), persistent=False)


def test_tied_parameters_are_kept_under_both_names_and_frozen_ones_not() -> None:
    model = Tied()
    kept = checkpoints.trimmed_state(model, checkpoints.trainable_names(model))
    assert set(kept) == {"embed.weight", "head.weight", "steps"}


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint_best.pth"
    checkpoints.save({"model": {"w": torch.ones(1)}}, path)

    with pytest.raises((AttributeError, pickle.PicklingError)):
        checkpoints.save({"model": lambda: None}, path)

    assert os.listdir(tmp_path) == ["checkpoint_best.pth"]
    assert checkpoints.load(path)["model"]["w"].item() == 1


def test_what_is_no_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no checkpoint")
    with pytest.raises(WeightsError, match=r"text\.pth"):
        checkpoints.load(tmp_path / "text.pth")
    checkpoints.save({"model": {"w": torch.ones(100)}}, tmp_path / "torn.pth")
    whole = (tmp_path / "torn.pth").read_bytes()
    (tmp_path / "torn.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match=r"torn\.pth"):
        checkpoints.load(tmp_path / "torn.pth")
    torch.save({"weights": 1}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="no 'model'"):
        checkpoints.load(tmp_path / "other.pth")
    with pytest.raises(ConfigError, match=r"none\.pth"):
        checkpoints.load(tmp_path / "none.pth")


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "harmed"),)

    torch.save({"model": Harm()}, tmp_path / "harm.pth")
    with pytest.raises(WeightsError):
        checkpoints.load(tmp_path / "harm.pth")
    assert not (tmp_path / "harmed").exists()


def test_random_states_survive_a_file(tmp_path: Path) -> None:
    import random

    import numpy as np

    def draw() -> tuple[float, float, float, float]:
        return random.random(), float(np.random.rand()), float(np.random.randn()), float(torch.rand(()))

    draw()
    torch.save(rng.gather(), tmp_path / "rng.pth")
    expected = draw()
    draw()
    rng.restore(torch.load(tmp_path / "rng.pth", weights_only=True))
    assert draw() == expected


def test_random_states_of_another_number_of_ranks_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    before = torch.get_rng_state()
    rng.restore(rng.gather() * 2)
    assert torch.equal(torch.get_rng_state(), before)
    assert "2 rank(s), this run 1" in caplog.text
