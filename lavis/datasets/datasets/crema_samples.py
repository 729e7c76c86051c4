"""How a modality's clip becomes the tensors of a CREMA sample: key, shape and picture form."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from lavis.datasets.loaders.base import Array, Clip

FRAME_SIDE_PX = 224
N_POINTS = 5000
FEATURE_WIDTH = 1408


@dataclasses.dataclass(frozen=True)
class SampleForm:
    """One modality's place in a sample.

    Attributes:
        tensors: (clip, processor or None) → sample keys with their tensors.
        loader_options: how the loader must read for it.
    """

    tensors: Callable[[Clip, Any], dict[str, Any]]
    loader_options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def _picture_form(key: str, picture: Callable[[Array], Array]) -> Callable[[Clip, Any], dict[str, Any]]:
    def tensors(clip: Clip, processor: Any) -> dict[str, Any]:
        pictures = _resized(picture(clip.array))
        if not pictures.flags.writeable:  # it belongs to a cache, and a sample belongs to whoever asked for it
            pictures = pictures.copy()
        return {key: pictures if processor is None else processor(pictures)}

    return tensors


def _resized(pictures: Array) -> Array:
    """Resize [t, h, w, 3] uint8 to CREMA's 224 x 224 px (bicubic, aspect ratio not kept)."""
    from PIL import Image

    size = (FRAME_SIDE_PX, FRAME_SIDE_PX)
    if pictures.shape[1:3] == size:
        return pictures
    return np.stack(
        [np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)) for picture in pictures]
    )


def depth_picture(depth: Array) -> Array:
    """Turn depth [t, h, w] into grey [t, h, w, 3] uint8: 0 the nearest of the clip, 255 the farthest; unknown is 0."""
    known = np.isfinite(depth)
    low, high = (float(np.nanmin(depth)), float(np.nanmax(depth))) if known.any() else (0.0, 0.0)
    scaled = np.zeros(depth.shape) if high == low else (depth - low) / (high - low) * 255.0
    grey = np.where(known, np.rint(scaled), 0.0).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def flow_picture(flow: Array) -> Array:
    """Turn flow [t, h, w, 2] px into [t, h, w, 3] uint8: right, down, speed; 0 px is 128, the clip's largest 255."""
    known = np.nan_to_num(flow, nan=0.0)
    largest = max(float(np.abs(known).max()), 1e-6)
    signed = known / largest
    speed = np.linalg.norm(known, axis=-1, keepdims=True) / (largest * np.sqrt(2.0))
    return np.rint(128.0 + 127.0 * np.concatenate([signed, speed], axis=-1)).clip(0, 255).astype(np.uint8)


def normals_picture(normals: Array) -> Array:
    """Turn unit normals [t, h, w, 3] into [t, h, w, 3] uint8, -1 at 0 and 1 at 255; unknown is 0."""
    return np.where(np.isfinite(normals), np.rint((normals + 1.0) * 127.5), 0.0).astype(np.uint8)


def _point_tensors(clip: Clip, processor: Any) -> dict[str, Any]:
    """Return ``pc`` [5000, 3], ``pc_feat`` [5000, 1408] and ``pc_mask`` [5000], False where padded."""
    import torch

    n_points = len(clip.array)
    mask = torch.zeros(N_POINTS, dtype=torch.bool)
    mask[:n_points] = True
    tensors: dict[str, Any] = {"pc_mask": mask, "pc": _padded(clip.array, 3)}
    if "features" in clip.extras:
        tensors["pc_feat"] = _padded(clip.extras["features"], FEATURE_WIDTH)
    return tensors


def _padded(array: Array, width: int) -> Any:
    import torch

    padded = torch.zeros((N_POINTS, width), dtype=torch.float32)
    padded[: len(array)] = torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
    return padded


def _sound_tensors(clip: Clip, processor: Any) -> dict[str, Any]:
    """Return ``audio``: what the processor makes of the sound (``beats_audio``: [2, 512, 128]), or the samples [n]."""
    import torch

    return {"audio": torch.from_numpy(np.array(clip.array)) if processor is None else processor(clip)}


# Modalities that a CREMA sample can hold; texts and instances are read by experts alone.
SAMPLE_FORMS: dict[str, SampleForm] = {
    "frame": SampleForm(_picture_form("rgb", lambda frames: frames), {"size_px": (FRAME_SIDE_PX, FRAME_SIDE_PX)}),
    "video": SampleForm(_picture_form("rgb", lambda frames: frames), {"size_px": (FRAME_SIDE_PX, FRAME_SIDE_PX)}),
    "touch": SampleForm(_picture_form("touch", lambda frames: frames), {"size_px": (FRAME_SIDE_PX, FRAME_SIDE_PX)}),
    "thermal": SampleForm(_picture_form("thermal", lambda frames: frames), {"size_px": (FRAME_SIDE_PX, FRAME_SIDE_PX)}),
    "audio": SampleForm(_sound_tensors),
    "depth": SampleForm(_picture_form("depth", depth_picture)),
    "flow": SampleForm(_picture_form("flow", flow_picture)),
    "norm": SampleForm(_picture_form("norm", normals_picture)),
    "pc": SampleForm(_point_tensors, {"max_points": N_POINTS}),
}
