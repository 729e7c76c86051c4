"""What a sample's tensors become before the frozen encoders read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lavis.common.errors import ConfigError
from lavis.models.crema_models.modalities import Modality

N_CHANNELS = 3
LAYOUTS = ("frame", "video")


def sample_tensor(samples: Mapping[str, Any], modality: Modality) -> torch.Tensor:
    """Return a modality's tensor of a batch.

    Raises:
        ConfigError: the samples have none; says which they have.
    """
    found = samples.get(modality.spec.sample_key)
    if isinstance(found, torch.Tensor):
        return found
    there = sorted(key for key, value in samples.items() if isinstance(value, torch.Tensor))
    raise ConfigError(
        f"model.modalities has {modality.name!r}, and the samples have no tensor {modality.spec.sample_key!r} "
        f"(theirs: {', '.join(there) or 'none'}); add its loader to datasets.<name>.data_type, or take it out."
    )


def frames_first(
    pictures: torch.Tensor, modality: Modality, n_frames: int, *, layout: str | None, quirks: bool
) -> torch.Tensor:
    """Return pictures as [b, t, 3, h, w], whichever of t and 3 comes first.

    Args:
        pictures: [b, t, 3, h, w] or [b, 3, t, h, w].
        modality: named in errors.
        n_frames: t.
        layout: ``frame`` ([b, t, 3, h, w]) or ``video`` ([b, 3, t, h, w]); None finds it from the shape.
        quirks: take three in the second place for channels whatever follows, as the reference does.

    Raises:
        ConfigError: another number of frames, or a shape that can be either.
    """
    where = f"{modality.name} [{', '.join(map(str, pictures.shape))}]"
    if pictures.ndim != 5:
        raise ConfigError(f"{where} is no batch of clips [b, t, 3, h, w].")
    second, third = pictures.shape[1:3]
    if quirks:
        layout = "video" if second == N_CHANNELS else "frame"
    elif layout is None:
        if (second, third) == (N_CHANNELS, N_CHANNELS):
            raise ConfigError(
                f"{where} has three frames of three channels, which may lie either way; set model.rgb_layout: frame "
                "where data_type has frame, video where it has video."
            )
        layout = "frame" if third == N_CHANNELS else "video"
    first = pictures if layout == "frame" else pictures.transpose(1, 2)
    if first.shape[1] != n_frames or first.shape[2] != N_CHANNELS:
        raise ConfigError(
            f"{where} does not have model.frame_num = {n_frames} frames of 3 channels; make frame_num and the data "
            "set's n_frms equal."
        )
    return first
