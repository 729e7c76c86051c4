"""Point features with their place in the voxel grid (3D-LLM's form, arXiv 2307.12981)."""

from __future__ import annotations

import torch

N_VOXELS = 256
WEIGHT = 0.01


def position_table(width: int) -> torch.Tensor:
    """Return a code [256, width // 3] for every coordinate of one axis: sines and cosines in turn."""
    channels = width // 3
    even = channels + channels % 2
    rates = 1.0 / 10000.0 ** (torch.arange(0, even, 2).float() / even)
    angles = torch.arange(N_VOXELS).float()[:, None] * rates[None]
    return torch.stack((angles.sin(), angles.cos()), dim=-1).flatten(1)[:, :channels]


def placed(features: torch.Tensor, voxels: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Add to features a little of the code of their voxel.

    Args:
        features: [n, p, width].
        voxels: whole coordinates [n, p, 3], 0 … 255.
        table: [256, width // 3], of :func:`position_table`.

    Returns:
        [n, p, width]; the features that are left over after three codes stay as they are.
    """
    codes = table[voxels.long()].flatten(2)
    spare = features.shape[-1] - codes.shape[-1]
    return features + WEIGHT * torch.nn.functional.pad(codes, (0, spare)).to(features.dtype)
