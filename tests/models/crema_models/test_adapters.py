"""One frozen layer, a low-rank addition for each modality: what is added, when, and what learns."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lavis.models.crema_models.adapters import ModalityLinear, adapted_to

WIDTH, RANK = 6, 2


def layer(*, dropout: float = 0.0) -> ModalityLinear:
    torch.manual_seed(0)
    made = ModalityLinear(nn.Linear(WIDTH, WIDTH), ("rgb", "depth"), rank=RANK, dropout=dropout)
    made.w.requires_grad_(False)
    return made


def learned(*, dropout: float = 0.0) -> ModalityLinear:
    made = layer(dropout=dropout)
    for name in ("rgb", "depth"):
        nn.init.normal_(made.get_submodule(f"w_b_{name}").weight)
    return made


def test_before_training_nothing_is_added() -> None:
    made, inputs = layer(), torch.randn(3, WIDTH)
    for modality in ("rgb", "depth", None):
        with adapted_to(made, modality):
            torch.testing.assert_close(made(inputs), made.w(inputs), rtol=0, atol=0)


def test_the_addition_is_two_matrices_of_the_active_modality_without_a_scale() -> None:
    made, inputs = learned(), torch.randn(3, WIDTH)
    for name in ("rgb", "depth"):
        down, up = made.get_submodule(f"w_a_{name}").weight, made.get_submodule(f"w_b_{name}").weight
        assert down.shape == (RANK, WIDTH)
        assert up.shape == (WIDTH, RANK)
        with adapted_to(made, name):
            torch.testing.assert_close(made(inputs), made.w(inputs) + inputs @ down.T @ up.T)


def test_a_modality_is_active_below_a_module_until_the_block_ends_even_by_an_error() -> None:
    first, second = learned(), learned()
    outer, inputs = nn.Sequential(first, nn.Sequential(second)), torch.randn(3, WIDTH)
    plain = second.w(first.w(inputs))
    with pytest.raises(RuntimeError, match="on purpose"), adapted_to(outer, "rgb"):
        assert not torch.allclose(outer(inputs), plain)
        raise RuntimeError("on purpose")
    torch.testing.assert_close(outer(inputs), plain)


def test_only_the_active_modality_s_matrices_get_gradients() -> None:
    made = learned()
    with adapted_to(made, "depth"):
        made(torch.randn(3, WIDTH)).square().sum().backward()
    found = {name for name, parameter in made.named_parameters() if parameter.grad is not None}
    assert found == {"w_a_depth.weight", "w_b_depth.weight"}


def test_a_first_step_moves_the_upper_matrix_alone_and_a_second_both() -> None:
    """The upper one begins at zero, so that it lets no gradient through to the lower."""
    made = layer()
    with adapted_to(made, "rgb"):
        made(torch.randn(3, WIDTH)).square().sum().backward()
    down, up = made.get_submodule("w_a_rgb").weight, made.get_submodule("w_b_rgb").weight
    assert float(down.grad.abs().max()) == 0.0
    assert float(up.grad.abs().max()) > 0.0


def test_dropout_falls_on_the_addition_alone_and_in_training_alone() -> None:
    made, inputs = learned(dropout=0.5), torch.randn(64, WIDTH)
    torch.manual_seed(1)
    with adapted_to(made, "rgb"):
        dropped = made.train()(inputs)
        kept = made.eval()(inputs)
        again = made(inputs)
    torch.testing.assert_close(kept, again, rtol=0, atol=0)
    assert not torch.allclose(dropped, kept)
    with adapted_to(made.train(), None):
        torch.testing.assert_close(made(inputs), made.w(inputs), rtol=0, atol=0)


def test_a_modality_without_an_adapter_is_an_error() -> None:
    made = layer()
    with pytest.raises(AttributeError, match="w_a_flow"), adapted_to(made, "flow"):
        made(torch.randn(1, WIDTH))
