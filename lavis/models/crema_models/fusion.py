"""Espresso fusion: what the other modalities say, squeezed to the length of one (CREMA, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from lavis.models.crema_models.modalities import Modality


class EspressoFusion(nn.Sequential):
    """Maps the tokens of all other modalities to tokens of one, which gate themselves.

    Args:
        width: of a token.
        n_others: modalities beside rgb.
    """

    def __init__(self, width: int, n_others: int) -> None:
        super().__init__(nn.Linear(width * n_others, width))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Fuse [..., n_others * width] to [..., width]."""
        fused: torch.Tensor = self[0](tokens)
        return fused.sigmoid() * fused


def side_by_side(tokens: Mapping[str, torch.Tensor], others: Sequence[Modality], n_frames: int) -> torch.Tensor:
    """Return the tokens of several modalities on one axis.

    Sound is averaged over its segments and, like points, repeated for each frame.

    Args:
        tokens: [b, k, q, width] by name: k frames, segments or 1.
        others: which, in the order of fusion.
        n_frames: t.

    Returns:
        [b, t, q, n * width].
    """
    framed = [
        tokens[one.name] if one.is_pictures else tokens[one.name].mean(dim=1, keepdim=True).expand(-1, n_frames, -1, -1)
        for one in others
    ]
    return torch.cat(framed, dim=-1)
