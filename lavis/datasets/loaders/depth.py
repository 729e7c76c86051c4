"""Depth maps: a folder of 16-bit or 8-bit images or arrays per medium, or one array file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.sequence import ARRAY_SUFFIXES, Order, SequenceLoader, read_image

MILLIMETRE_M = 0.001


class DepthLoader(SequenceLoader):
    """Loads depth [t, h, w] float32 m along the camera's axis; NaN where unknown (stored 0, NaN or inf).

    Args:
        scale_m: metres per stored unit. Default: 0.001 for 16-bit integers, 1 for floats; 8-bit maps have none.
        relative: say so where 8-bit maps hold no metres: ``depth`` (larger is farther) or ``disparity`` (larger is
            nearer). Values are then 0 … 1 as stored and the clip's unit is ``relative depth``/``relative disparity``.
        rate_hz: frames per s; None where unknown.
        order: ``natural`` or ``lexicographic``, see :class:`SequenceLoader`.
        follow_links: read links that lead out, see :class:`SequenceLoader`.
    """

    modality = "depth"

    def __init__(
        self,
        *,
        scale_m: float | None = None,
        relative: Literal["depth", "disparity"] | None = None,
        rate_hz: float | None = None,
        order: Order = "natural",
        follow_links: bool = False,
    ) -> None:
        super().__init__(rate_hz=rate_hz, order=order, follow_links=follow_links)
        if scale_m is not None and not scale_m > 0:
            raise ConfigError(f"depth: scale_m must be above 0, not {scale_m}.")
        if relative not in (None, "depth", "disparity"):
            raise ConfigError(f"depth: relative must be 'depth' or 'disparity', not {relative!r}.")
        if relative and scale_m:
            raise ConfigError("depth: scale_m and relative exclude each other.")
        self.scale_m = scale_m
        self.relative = relative
        self.unit = f"relative {relative}" if relative else "m"

    def decode(self, path: Path, *, media_id: str) -> Array:
        """Read one map [h, w]."""
        if path.suffix.lower() in ARRAY_SUFFIXES:
            return self._array_map(path, media_id=media_id)
        image = read_image(path, media_id=media_id, modality=self.modality)
        stored = np.asarray(image)
        if image.mode in ("RGB", "RGBA", "LA"):
            # Grey maps are often stored as three equal channels; a colour map is no measure.
            colours = stored[..., : 1 if image.mode == "LA" else 3]
            if (colours != colours[..., :1]).any():
                raise ModalityError(
                    f"{media_id}: depth image {path} is in colour; store the depth itself (16-bit PNG or .npy)."
                )
            stored = colours[..., 0]
        elif image.mode == "I":
            stored = stored.astype(np.uint16)  # Pillow opens some 16-bit files as 32-bit
        elif image.mode not in ("L", "F") and not image.mode.startswith("I;16"):
            raise ModalityError(f"{media_id}: depth image {path} has mode {image.mode!r}; store 16-bit or 8-bit grey.")
        return self.convert(stored, path=path, media_id=media_id)

    def convert(self, array: Array, *, path: Path, media_id: str) -> Array:
        """Turn stored numbers [h, w] into metres (or 0 … 1)."""
        if array.ndim == 3 and array.shape[-1] == 1:
            array = array[..., 0]
        if array.ndim != 2:
            raise ModalityError(f"{media_id}: depth at {path} has shape {array.shape} per frame, not [h, w].")
        if self.relative:
            full = float(np.iinfo(array.dtype).max) if array.dtype.kind in "ui" else 1.0
            return (np.asarray(array, dtype=np.float32) / np.float32(full)).astype(np.float32)
        scale_m = self.scale_m if self.scale_m is not None else _default_scale_m(array.dtype)
        if scale_m is None:
            raise ModalityError(
                f"{media_id}: depth at {path} is stored as {array.dtype}, whose unit is not known; set the depth "
                f"option scale_m (metres per unit), or relative: depth or disparity where it holds no metres."
            )
        depth_m = np.asarray(array, dtype=np.float32) * np.float32(scale_m)
        return np.where(np.isfinite(depth_m) & (depth_m > 0), depth_m, np.float32(np.nan))


def _default_scale_m(dtype: np.dtype[np.generic]) -> float | None:
    if dtype.kind == "f":
        return 1.0
    return MILLIMETRE_M if dtype.kind in "ui" and dtype.itemsize == 2 else None
