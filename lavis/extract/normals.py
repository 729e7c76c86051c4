"""Surface normals from depth maps: the plane through each pixel and its neighbours."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.depth import DepthLoader
from lavis.datasets.loaders.sequence import ARRAY_SUFFIXES, IMAGE_SUFFIXES
from lavis.extract.base import MapExtractor
from lavis.extract.layouts import Layout, normal_codes, npy, png
from lavis.extract.media import Medium
from lavis.extract.source import Pictures

# Neighbours whose depths differ by more than this share of the nearer one belong to two surfaces.
EDGE_SHARE = 0.1
# As the flow expert's: a phone held upright sees less, one held across or a webcam somewhat more.
DEFAULT_FOV_DEG = 60.0


class NormalsExtractor(MapExtractor):
    """Writes unit normals of depth maps: x right, y down, z forward; NaN (black in images) where unknown.

    The media are what :class:`lavis.datasets.loaders.depth.DepthLoader` reads, a folder of maps in m each. Maps
    that are not proportional to metres (disparity, or depth stretched per frame) have no normals.

    Args:
        focal_px: focal length in px of the depth maps; None takes it from ``fov_deg``.
        fov_deg: angle of view across the width, where ``focal_px`` is not known.
        scale_m: metres per stored unit, as of the depth loader.
        layout, fps: as of :class:`MapExtractor`; there is a map for each depth map.
    """

    loader_name = "norm"
    files = ()
    folders = (*ARRAY_SUFFIXES, *IMAGE_SUFFIXES)

    def __init__(
        self,
        *,
        focal_px: float | None = None,
        fov_deg: float | None = None,
        scale_m: float | None = None,
        layout: str | None = None,
    ) -> None:
        if focal_px is not None and fov_deg is not None:
            raise ConfigError("norm: focal_px and fov_deg say the same; give one of them.")
        if focal_px is not None and not focal_px > 0:
            raise ConfigError(f"norm: focal_px must be above 0, not {focal_px}.")
        if fov_deg is not None and not 1 <= fov_deg < 180:
            raise ConfigError(f"norm: fov_deg lies between 1 and 180, not at {fov_deg}.")
        self.focal_px = focal_px
        self.fov_deg = None if focal_px is not None else fov_deg or DEFAULT_FOV_DEG
        self.scale_m = scale_m
        self.loader = DepthLoader(scale_m=scale_m)
        super().__init__(layout=layout)

    def layouts(self) -> dict[str, Layout]:
        """Return ``float`` (.npy) and ``image`` (8-bit PNG, ``rgb / 127.5 - 1``)."""
        return {
            "float": Layout(".npy", npy("<f4")),
            "image": Layout(".png", lambda normals: png(normal_codes(normals))),
        }

    def settings(self) -> dict[str, Any]:
        """Return everything that decides what the files hold."""
        camera = {"focal_px": self.focal_px, "fov_deg": self.fov_deg, "scale_m": self.scale_m}
        return {"layout": self.layout_name, "method": "depth", **camera}

    def open(self, medium: Medium) -> Pictures:
        """Look at the depth maps of a medium."""
        files = self.loader.files(medium.path, media_id=medium.media_id)
        return Pictures(len(files), None, lambda: self._depths(files, medium.media_id))

    def maps(self, pictures: Iterator[Array], *, media_id: str) -> Iterator[Array]:
        """Yield normals [h, w, 3] float32 of depth [h, w] m."""
        for depth_m in pictures:
            focal_px = self.focal_px or focal_of_fov(depth_m.shape[1], self.fov_deg or DEFAULT_FOV_DEG)
            normals = normals_of_depth(depth_m, focal_px=focal_px)
            self.notes["unknown_share"] += float(np.isnan(normals[..., 0]).mean())
            yield normals

    def _depths(self, files: Sequence[Path], media_id: str) -> Iterator[Array]:
        for file in files:
            depth_m = self.loader.decode(file, media_id=media_id)
            if min(depth_m.shape) < 3:
                raise ModalityError(f"{media_id}: depth map {file} of {depth_m.shape} px has no inside.")
            yield depth_m


def focal_of_fov(width: int, fov_deg: float) -> float:
    """Return the focal length in px of a camera that sees ``fov_deg`` across ``width`` px."""
    return width / 2 / math.tan(math.radians(fov_deg) / 2)


def normals_of_depth(depth_m: Array, *, focal_px: float) -> Array:
    """Return the normals of the surface that a depth map shows.

    Args:
        depth_m: depth [h, w] along the camera's axis in m, NaN where unknown.
        focal_px: focal length in px; the axis goes through the middle of the picture.

    Returns:
        Unit vectors [h, w, 3] float32 towards the camera (x right, y down, z forward). The border takes its inner
        neighbour's. NaN where the depth of the pixel or of both neighbours along an axis is not known or jumps.
    """
    height, width = depth_m.shape
    depth = depth_m.astype(np.float64)
    columns = (np.arange(width) + 0.5 - width / 2) / focal_px
    rows = (np.arange(height) + 0.5 - height / 2) / focal_px
    points = np.stack([depth * columns, depth * rows[:, None], depth], axis=-1)
    across = _tangent(points, axis=1)
    down = _tangent(points, axis=0)
    # right × down points away from the camera; the other way round towards it.
    normals = np.cross(down, across)
    lengths = np.linalg.norm(normals, axis=-1, keepdims=True)
    # What is seen faces the ray; a surface seen edge-on may be turned away by noise, and is not known then.
    facing = (normals * points).sum(axis=-1, keepdims=True) < 0
    unit: Array = (normals / np.where(facing & (lengths > 0), lengths, np.nan)).astype(np.float32)
    return unit


def _tangent(points: Array, *, axis: int) -> Array:
    """Return how the points move along an axis; over both neighbours where they are one surface, else over one."""
    step = np.diff(points, axis=axis)
    depth = points[..., 2]
    ahead = np.take(depth, range(1, depth.shape[axis]), axis=axis)
    behind = np.take(depth, range(depth.shape[axis] - 1), axis=axis)
    with np.errstate(invalid="ignore"):
        joined = np.abs(ahead - behind) <= EDGE_SHARE * np.minimum(ahead, behind)
    step = np.where(joined[..., None], step, np.nan)
    pad = [(0, 0)] * 3
    pad[axis] = (0, 1)
    onward = np.pad(step, pad, constant_values=np.nan)
    pad[axis] = (1, 0)
    back = np.pad(step, pad, constant_values=np.nan)
    one = np.where(np.isnan(onward), back, onward)
    other = np.where(np.isnan(back), onward, back)
    mean: Array = (one + other) / 2
    return mean
