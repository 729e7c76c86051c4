"""Depth, flow and normals drawn as pictures for a vision model, with their scale in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Array, Clip
from lavis.experts.card import ExpertCard
from lavis.experts.served.rendering import depth_picture, flow_picture, normals_picture
from lavis.experts.served.vision import VisionExpert
from lavis.experts.words import metres

NEAREST_PERCENTILE, FARTHEST_PERCENTILE = 2.0, 98.0  # single stray pixels have no say
FULL_PERCENTILE = 99.0
LEAST_FULL_PX = 1.0  # what moves less would fill the picture with noise


def _known(values: Array, clip: Clip) -> Array:
    known = values[np.isfinite(values)]
    if not known.size:
        raise ModalityError(f"{clip.media_id}: no {clip.modality} is known in any frame that is shown ({clip.path}).")
    return known


class DepthPictureExpert(VisionExpert):
    """Shows depth maps in grey, the nearest surface white."""

    card = ExpertCard(
        name="vlm_depth",
        modality="depth",
        skill="A2",
        summary="the layout in depth: what is in front, what is behind, free space and obstacles",
        version="1",
        cost="served",
    )
    usual_images = 4
    instruction = (
        "Say in at most 150 words how the view is laid out in depth: which shapes are nearest and farthest and where "
        "in the picture, what stands in front of what, where there is free space, and what changes. Name an object "
        "only where its outline tells it, with 'probably'."
    )

    def draw(self, clip: Clip, views: list[int]) -> list[Array]:
        """Return maps on one scale, so that a grey means one distance in all of them."""
        near, far = self._range(clip, views)
        return [depth_picture(clip.array[view], near=near, far=far) for view in views]

    def words(self, clip: Clip, views: list[int], **needs: Any) -> str:
        """Say what white and dark mean."""
        near, far = self._range(clip, views)
        scale = (
            f"white is {metres(near)} away or nearer, the darkest grey {metres(far)} or farther"
            if clip.unit == "m"
            else "white is nearest, dark is farthest, without a scale in metres"
        )
        return f"These are depth maps, not photographs: {scale}, and blue is not known."

    def _range(self, clip: Clip, views: list[int]) -> tuple[float, float]:
        known = _known(clip.array[views], clip)
        low, high = (float(one) for one in np.percentile(known, [NEAREST_PERCENTILE, FARTHEST_PERCENTILE]))
        return (high, low) if clip.unit == "relative disparity" else (low, high)


class FlowPictureExpert(VisionExpert):
    """Shows optical flow by a colour wheel."""

    card = ExpertCard(
        name="vlm_flow",
        modality="flow",
        skill="A1",
        summary="motion: what moves which way and how fast, the camera's own motion",
        version="1",
        cost="served",
    )
    usual_images = 4
    instruction = (
        "Say in at most 150 words what moves in which direction and how fast, what stands still, whether the whole "
        "picture moves (then the camera probably does, the other way), and what changes from picture to picture. Name "
        "an object only where its outline tells it, with 'probably'."
    )

    def draw(self, clip: Clip, views: list[int]) -> list[Array]:
        """Return flow on one scale."""
        full_px = self._full_px(clip, views)
        return [flow_picture(clip.array[view], full_px=full_px) for view in views]

    def words(self, clip: Clip, views: list[int], **needs: Any) -> str:
        """Say what the colours mean."""
        full_px = self._full_px(clip, views)
        return (
            "These are maps of optical flow, not photographs. The hue is the direction in which what is seen moves: "
            "red right, yellow-green down, cyan left, violet up. White stands still, the full colour moves "
            f"{full_px:.1f} px or more from one frame to the next in a picture {clip.array.shape[2]} px wide; "
            "black is not known."
        )

    def _full_px(self, clip: Clip, views: list[int]) -> float:
        shown = clip.array[views]
        lengths_px = _known(np.hypot(shown[..., 0], shown[..., 1]), clip)
        return max(LEAST_FULL_PX, float(np.percentile(lengths_px, FULL_PERCENTILE)))


class NormalsPictureExpert(VisionExpert):
    """Shows surface normals as colours."""

    card = ExpertCard(
        name="vlm_normals",
        modality="norm",
        skill="A2",
        summary="surfaces and their directions: floor, walls, furniture's faces, flat and curved shapes",
        version="1",
        cost="served",
    )
    usual_images = 4
    instruction = (
        "Say in at most 150 words which surfaces there are and how they face: floor, ceiling, walls, tops and sides of "
        "things, what is flat and what is curved, where in the picture, and what they probably are by their outline."
    )

    def draw(self, clip: Clip, views: list[int]) -> list[Array]:
        """Return normals as colours."""
        _known(clip.array[views], clip)
        return [normals_picture(clip.array[view]) for view in views]

    def words(self, clip: Clip, views: list[int], **needs: Any) -> str:
        """Say what the colours mean."""
        return (
            "These are maps of surface normals, not photographs. Red is how far a surface faces right, green how far "
            "down, blue how far away from the camera (0 is -1, 255 is 1). So a surface that faces the camera is olive "
            "(128, 128, 0), one that faces up, like a floor, purplish red (128, 0, 128), one that faces down green "
            "(128, 255, 128), one that faces right pink (255, 128, 128), one that faces left turquoise (0, 128, 128). "
            "Black is not known."
        )
