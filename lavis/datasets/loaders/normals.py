"""Surface normals: a folder of RGB-coded images or arrays per medium, or one array file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.sequence import ARRAY_SUFFIXES, Order, SequenceLoader, read_image

# Coding to 8 bits moves a unit vector's length by 0.7 % at most; lossy files and resized edges by more.
LENGTH_TOLERANCE = 0.15
FAR_OFF_SHARE = 0.2
UNKNOWN_BELOW = 0.5


class NormalsLoader(SequenceLoader):
    """Loads normals [t, h, w, 3] float32 unit vectors in the camera frame: x right, y down, z forward.

    A surface that is seen faces the camera, so its z is below 0. NaN where unknown: black or middle grey in
    images, zero vectors or NaN in arrays. Images code a normal as ``rgb / 127.5 - 1``.

    Args:
        negate: axes to turn round for files in another frame, ``"yz"`` for y up and z towards the camera.
        rate_hz: frames per s; None where unknown.
        order: ``natural`` or ``lexicographic``, see :class:`SequenceLoader`.
        follow_links: read links that lead out, see :class:`SequenceLoader`.
    """

    modality = "norm"
    shape = "t h w c"
    unit = "unit vectors"

    def __init__(
        self,
        *,
        negate: str = "",
        rate_hz: float | None = None,
        order: Order = "natural",
        follow_links: bool = False,
    ) -> None:
        super().__init__(rate_hz=rate_hz, order=order, follow_links=follow_links)
        if set(negate) - set("xyz") or len(set(negate)) < len(negate):
            raise ConfigError(f"norm: negate names axes out of 'xyz', each once, not {negate!r}.")
        self.signs = np.array([-1.0 if axis in negate else 1.0 for axis in "xyz"], dtype=np.float32)

    def decode(self, path: Path, *, media_id: str) -> Array:
        """Read one map [h, w, 3]."""
        if path.suffix.lower() in ARRAY_SUFFIXES:
            return self._array_map(path, media_id=media_id)
        image = read_image(path, media_id=media_id, modality=self.modality)
        if image.mode != "RGB":
            raise ModalityError(f"{media_id}: normals image {path} is {image.mode!r}; store x, y, z as RGB.")
        return self.convert(np.asarray(image), path=path, media_id=media_id)

    def convert(self, array: Array, *, path: Path, media_id: str) -> Array:
        """Turn stored numbers (8-bit codes or floats) into unit vectors."""
        if array.ndim != 3 or array.shape[-1] != 3:
            raise ModalityError(f"{media_id}: normals at {path} have shape {array.shape} per frame, not [h, w, 3].")
        if array.dtype == np.uint8:
            vectors = array.astype(np.float32) / np.float32(127.5) - 1
            vectors = np.where((array == 0).all(axis=-1, keepdims=True), np.float32(np.nan), vectors)
        elif array.dtype.kind == "f":
            vectors = np.asarray(array, dtype=np.float32)
        else:
            raise ModalityError(
                f"{media_id}: normals at {path} are stored as {array.dtype}; use 8-bit codes or floats."
            )
        return self._unit(vectors * self.signs, path=path, media_id=media_id)

    def _unit(self, vectors: Array, *, path: Path, media_id: str) -> Array:
        lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
        given = np.isfinite(lengths) & (lengths > 0.05)
        far_off = given & (np.abs(lengths - 1) > LENGTH_TOLERANCE)
        if given.any() and far_off.sum() > FAR_OFF_SHARE * given.sum():
            raise ModalityError(
                f"{media_id}: normals at {path} are no unit vectors (middle length {np.median(lengths[given]):.2f}); "
                f"images must code them as rgb / 127.5 - 1."
            )
        known = given & (lengths > UNKNOWN_BELOW)
        unit: Array = np.where(known, vectors / np.where(known, lengths, 1), np.float32(np.nan)).astype(np.float32)
        # Only at the border of a very wide view can a surface be seen whose normal points 60° away from the camera.
        facing = unit[..., 2][np.abs(unit[..., 2]) > 0.5]
        if facing.size and (facing > 0).mean() > 0.9:
            raise ModalityError(
                f"{media_id}: normals at {path} point away from the camera; they are in another frame than x right, "
                f"y down, z forward: set the norm option negate ('yz' for y up and z towards the camera)."
            )
        return unit
