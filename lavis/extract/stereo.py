"""Depth in m from two rectified cameras by OpenCV's semi-global block matching."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array
from lavis.extract.base import MapExtractor
from lavis.extract.depth import depth_layouts
from lavis.extract.layouts import Layout
from lavis.extract.media import Medium
from lavis.extract.source import Pictures

BLOCK_PX = 5
# OpenCV stores disparities in sixteenths of a px.
SUBPIXELS = 16


class StereoDepthExtractor(MapExtractor):
    """Writes depth in m of the left camera; NaN (or 0 in images) where nothing matches.

    The pictures are rectified: a point lies in the same row of both, and as far or farther left in the right one.

    Args:
        focal_px: focal length in px of the pictures as they are matched (after ``size_px``).
        baseline_m: distance of the cameras.
        max_disparity_px: a multiple of 16; nothing nearer than focal_px · baseline_m / this is seen.
        layout, fps, fps_rule, rate_hz, size_px: as of :class:`MapExtractor`.
    """

    loader_name = "depth"

    def __init__(
        self,
        *,
        focal_px: float,
        baseline_m: float,
        max_disparity_px: int = 128,
        layout: str | None = None,
        fps: float | str = "all",
        fps_rule: str = "shown",
        rate_hz: float | None = None,
        size_px: Sequence[int] | None = None,
    ) -> None:
        if not focal_px > 0 or not baseline_m > 0:
            raise ConfigError(f"depth: focal_px and baseline_m must be above 0, not {focal_px} and {baseline_m}.")
        if max_disparity_px < 16 or max_disparity_px % 16:
            raise ConfigError(f"depth: max_disparity_px must be a multiple of 16, not {max_disparity_px}.")
        self.focal_px, self.baseline_m, self.max_disparity_px = focal_px, baseline_m, max_disparity_px
        super().__init__(layout=layout, fps=fps, fps_rule=fps_rule, rate_hz=rate_hz, size_px=size_px)

    def layouts(self) -> dict[str, Layout]:
        """Return the layouts of depth in m."""
        return depth_layouts("m")

    def settings(self) -> dict[str, Any]:
        """Return everything that decides what the files hold."""
        names = ("focal_px", "baseline_m", "max_disparity_px")
        return {**super().settings(), "method": "SGBM", **{name: getattr(self, name) for name in names}}

    def open(self, medium: Medium) -> Pictures:
        """Pair the pictures of both cameras, side by side in one array.

        Raises:
            ModalityError: the right camera is missing, or has another number of pictures.
        """
        if medium.right is None or not medium.right.exists():
            raise ModalityError(f"{medium.media_id}: {medium.path} has no right camera ({medium.right}).")
        left = self.sampler.open(medium.path, media_id=medium.media_id)
        right = self.sampler.open(medium.right, media_id=medium.media_id)
        if left.count != right.count:
            raise ModalityError(
                f"{medium.media_id}: {medium.path} gives {left.count} pictures and {medium.right} {right.count}; "
                f"both cameras must have run together."
            )
        return Pictures(left.count, left.rate_hz, lambda: _pairs(left, right, medium.path, medium.media_id))

    def maps(self, pictures: Iterator[Array], *, media_id: str) -> Iterator[Array]:
        """Yield depth [h, w] float32 m."""
        import cv2

        make: Any = cv2  # its stubs leave the class out
        matcher = make.StereoSGBM_create(
            minDisparity=0,
            numDisparities=self.max_disparity_px,
            blockSize=BLOCK_PX,
            P1=8 * 3 * BLOCK_PX**2,
            P2=32 * 3 * BLOCK_PX**2,
            disp12MaxDiff=1,
            uniquenessRatio=10,
            speckleWindowSize=100,
            speckleRange=2,
        )
        for pair in pictures:
            disparity_px = matcher.compute(pair[0], pair[1]).astype(np.float32) / SUBPIXELS
            known = disparity_px > 0
            self.notes["unknown_share"] += float(1 - known.mean())
            metres = np.float32(self.focal_px * self.baseline_m) / np.where(known, disparity_px, np.float32(1))
            yield np.where(known, metres, np.float32(np.nan))


def pair_media(media: Sequence[Medium], right: Sequence[Medium]) -> list[Medium]:
    """Return the left media with the right camera's file of the same id; None where there is none."""
    by_id = {medium.media_id: medium.path for medium in right}
    return [Medium(medium.media_id, medium.path, by_id.get(medium.media_id)) for medium in media]


def _pairs(left: Pictures, right: Pictures, path: Path, media_id: str) -> Iterator[Array]:
    for one, other in zip(left.read(), right.read(), strict=True):
        if one.shape != other.shape:
            raise ModalityError(f"{media_id}: {path} is {one.shape[:2]} px and its right camera {other.shape[:2]}.")
        yield np.stack([one, other])
