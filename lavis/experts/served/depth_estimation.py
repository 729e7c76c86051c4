"""Depth estimated from single frames by a local model, in the words of the depth expert."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array, Clip
from lavis.experts.card import ExpertCard
from lavis.experts.depth import DepthExpert, measure
from lavis.experts.served.local_model import LocalModelExpert
from lavis.experts.words import at_moment, capital, spread

if TYPE_CHECKING:
    from lavis.extract.depth import DepthExtractor

ESTIMATED = "Depth estimated by a model from single pictures, not measured; distances are rough."
RELATIVE = (
    "Depth estimated by a model from single pictures, without a scale: only what is nearer and farther within one "
    "picture is told, not how far."
)
# Of the range from the nearest to the farthest: sides that differ less are equally far.
AS_FAR = 0.1


class DepthEstimationExpert(LocalModelExpert):
    """Estimates depth and says it in metres, or what is nearer where the model gives no metres.

    Args:
        model, device: as of :class:`LocalModelExpert`.
        unit: what the model gives: ``m``, ``depth`` or ``disparity`` (larger is nearer); None asks its config.json.
        max_views: views described one by one at most, evenly spread, the last among them.
    """

    card = ExpertCard(
        name="depth_estimation",
        modality="frame",
        skill="A2",
        summary="estimated distances: nearest and farthest surface, which side is nearer, free space straight ahead",
        version="1",
        cost="local",
    )

    def __init__(
        self, *, model: str | None = None, device: str | None = None, unit: str | None = None, max_views: int = 3
    ) -> None:
        from lavis.extract.depth import UNITS

        super().__init__(model=model, device=device)
        if unit not in (None, *UNITS):
            raise ConfigError(f"model.experts.depth_estimation.unit: {unit!r} is none of {', '.join(UNITS)}.")
        if max_views < 1:
            raise ConfigError(f"model.experts.depth_estimation.max_views: {max_views} shows nothing; give 1 or more.")
        self.unit = unit
        self.max_views = max_views
        self._extractor: DepthExtractor | None = None

    def write(self, loaded: Clip, **needs: Any) -> str:
        """Describe the depth of frames.

        Args:
            loaded: frames [t, h, w, 3] uint8 RGB.
            needs: nothing.

        Raises:
            ModalityError: there is no frame; names the medium and the path.
            WeightsError: the model cannot be loaded.
        """
        if not len(loaded.array):
            raise ModalityError(f"{loaded.media_id}: {loaded.modality} at {loaded.path} has no frame.")
        from lavis.extract.depth import DepthExtractor

        with self.turn:
            if self._extractor is None:
                self._extractor = DepthExtractor(model=self.place(), unit=self.unit, device=self.device)
            unit = self._extractor.unit
            maps = list(self._extractor.maps(iter(loaded.array), media_id=loaded.media_id))
        values = np.stack([np.where(np.isfinite(one), one, np.nan) for one in maps]).astype(np.float32)
        if unit != "m":
            views = [
                f"{capital(at_moment(loaded, view))}: {_order(-values[view] if unit == 'disparity' else values[view])}."
                for view in spread(len(values), self.max_views)
            ]
            return "\n".join([RELATIVE, *views])
        metres = np.where(values > 0, values, np.float32(np.nan))
        clip = dataclasses.replace(loaded, modality="depth", array=metres, shape="t h w", unit="m")
        return f"{ESTIMATED}\n{DepthExpert(max_views=self.max_views, objects=False).write(clip)}"


def _order(farness: Array) -> str:
    """Return which side is nearer and how the middle lies to the sides, from values that grow with distance [h, w]."""
    numbers = measure(farness)
    if numbers is None:
        return "nothing is known"
    range_of = numbers.farthest_m - numbers.nearest_m
    if not range_of > 0:
        return "everything is equally far"
    left, middle, right = (
        (value - numbers.nearest_m) / range_of for value in (numbers.left_m, numbers.ahead_m, numbers.right_m)
    )
    sides = (
        "left and right are about equally far"
        if abs(left - right) < AS_FAR
        else f"the {'left' if left < right else 'right'} side is nearer than the {'right' if left < right else 'left'}"
    )
    around = (left + right) / 2
    ahead = (
        "the middle is about as far as the sides"
        if abs(middle - around) < AS_FAR
        else f"the middle is {'nearer' if middle < around else 'farther'} than the sides"
    )
    return f"{sides}, {ahead}"
