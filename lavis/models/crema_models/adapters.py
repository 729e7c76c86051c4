"""Low-rank adapters of one linear layer, one for each modality (LoRA, arXiv 2106.09685; CREMA, section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn


class ModalityLinear(nn.Module):
    """A frozen linear layer with a low-rank addition for the modality that is active.

    Weights are named as published: ``w`` the frozen layer, ``w_a_<m>`` [r, in] and ``w_b_<m>`` [out, r] of
    modality m. The addition has no scale of its own; it is zero before training.

    Args:
        w: the layer.
        modalities: names that get an adapter.
        rank: of every adapter.
        dropout: share of the adapter's input that is dropped in training.
    """

    def __init__(self, w: nn.Linear, modalities: Sequence[str], *, rank: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.w = w
        self.dropout = nn.Dropout(dropout)
        self.active: str | None = None
        for name in modalities:
            down = nn.Linear(w.in_features, rank, bias=False, device=w.weight.device)
            up = nn.Linear(rank, w.out_features, bias=False, device=w.weight.device)
            nn.init.kaiming_uniform_(down.weight, a=math.sqrt(5))
            nn.init.zeros_(up.weight)
            self.add_module(f"w_a_{name}", down)
            self.add_module(f"w_b_{name}", up)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map [..., in] to [..., out], with the active modality's addition."""
        mapped: torch.Tensor = self.w(inputs)
        if self.active is None:
            return mapped
        down, up = self.get_submodule(f"w_a_{self.active}"), self.get_submodule(f"w_b_{self.active}")
        added: torch.Tensor = up(down(self.dropout(inputs)))
        return mapped + added


@contextmanager
def adapted_to(module: nn.Module, modality: str | None) -> Iterator[None]:
    """Let every adapter below a module add that modality's part; None adds nothing."""
    layers = [layer for layer in module.modules() if isinstance(layer, ModalityLinear)]
    for layer in layers:
        layer.active = modality
    try:
        yield
    finally:
        for layer in layers:
            layer.active = None
