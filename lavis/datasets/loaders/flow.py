"""Optical flow: one map between each frame and the next, as ``.flo``, arrays or two-channel images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.sequence import ARRAY_SUFFIXES, IMAGE_SUFFIXES, Order, SequenceLoader, read_image

FLO_MAGIC = np.float32(202021.25)
# The .flo format writes 1e9 and above where the flow is not known.
UNKNOWN_PX = 1e9


class FlowLoader(SequenceLoader):
    """Loads flow [t, h, w, 2] float32 px (right, down) from each frame to the next; NaN where unknown.

    There is one file fewer than there are frames: the last frame takes the last flow.

    Args:
        range_px: (low, high) for flow stored as 8-bit images: red is the flow to the right and green the flow
            down, 0 meaning low and 255 high.
        rate_hz: frames per s; None where unknown.
        order: ``natural`` or ``lexicographic``, see :class:`SequenceLoader`.
        follow_links: read links that lead out, see :class:`SequenceLoader`.
    """

    modality = "flow"
    shape = "t h w c"
    suffixes = (".flo", *ARRAY_SUFFIXES, *IMAGE_SUFFIXES)
    missing_files = 1
    unit = "px"

    def __init__(
        self,
        *,
        range_px: Sequence[float] | None = None,
        rate_hz: float | None = None,
        order: Order = "natural",
        follow_links: bool = False,
    ) -> None:
        super().__init__(rate_hz=rate_hz, order=order, follow_links=follow_links)
        if range_px is not None and (len(range_px) != 2 or not range_px[0] < range_px[1]):
            raise ConfigError(f"flow: range_px must be [low, high] with low < high, not {range_px!r}.")
        self.range_px = None if range_px is None else (float(range_px[0]), float(range_px[1]))

    def decode(self, path: Path, *, media_id: str) -> Array:
        """Read one map [h, w, 2]."""
        suffix = path.suffix.lower()
        if suffix in ARRAY_SUFFIXES:
            return self._array_map(path, media_id=media_id)
        stored = read_flo(path, media_id=media_id) if suffix == ".flo" else self._image(path, media_id=media_id)
        return self.convert(stored, path=path, media_id=media_id)

    def convert(self, array: Array, *, path: Path, media_id: str) -> Array:
        """Turn stored numbers into float32 px."""
        if array.ndim != 3 or array.shape[-1] != 2:
            raise ModalityError(f"{media_id}: flow at {path} has shape {array.shape} per frame, not [h, w, 2].")
        if array.dtype.kind != "f":
            raise ModalityError(f"{media_id}: flow at {path} is stored as {array.dtype}; store floats in px.")
        flow_px = np.asarray(array, dtype=np.float32)
        known = np.isfinite(flow_px) & (np.abs(flow_px) < UNKNOWN_PX)
        return np.where(known.all(axis=-1, keepdims=True), flow_px, np.float32(np.nan))

    def _image(self, path: Path, *, media_id: str) -> Array:
        if self.range_px is None:
            raise ModalityError(
                f"{media_id}: flow image {path} does not say how many px its colours mean; set the flow option "
                f"range_px: [low, high], or store .flo or .npz."
            )
        image = read_image(path, media_id=media_id, modality=self.modality)
        if image.mode != "RGB":
            raise ModalityError(f"{media_id}: flow image {path} is {image.mode!r}; store right in red, down in green.")
        low, high = self.range_px
        stored: Array = np.asarray(image)[..., :2].astype(np.float32)
        return low + stored / np.float32(255) * (high - low)


def read_flo(path: Path, *, media_id: str) -> Array:
    """Read a ``.flo`` file [h, w, 2] float32 (magic 202021.25, width, height, then the values, little-endian).

    Raises:
        ModalityError: no ``.flo`` file, or not as long as its header says; names medium and path.
    """
    data = path.read_bytes()
    if len(data) < 12 or np.frombuffer(data, "<f4", 1)[0] != FLO_MAGIC:
        raise ModalityError(f"{media_id}: flow file {path} does not begin like a .flo file; write it again.")
    width, height = (int(side) for side in np.frombuffer(data, "<i4", 2, offset=4))
    if width < 1 or height < 1 or len(data) != 12 + width * height * 8:
        raise ModalityError(
            f"{media_id}: flow file {path} has {len(data)} bytes, its header ({width}×{height}) says "
            f"{12 + width * height * 8}; it is truncated, write it again."
        )
    return np.frombuffer(data, "<f4", offset=12).reshape(height, width, 2)


def write_flo(path: Path, flow_px: Array) -> None:
    """Write a ``.flo`` file from flow [h, w, 2] px."""
    height, width, _ = flow_px.shape
    header = FLO_MAGIC.astype("<f4").tobytes() + np.array([width, height], "<i4").tobytes()
    path.write_bytes(header + np.ascontiguousarray(flow_px, "<f4").tobytes())
