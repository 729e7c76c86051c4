"""Scans and medical pictures described by a vision model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array, Clip
from lavis.experts.asking import AskingExpert, Shown
from lavis.experts.card import ExpertCard
from lavis.experts.pictures import encoded
from lavis.experts.served.rendering import window_picture
from lavis.experts.served.vision import VisionExpert
from lavis.experts.words import spread

# In Hounsfield units air is -1000; nothing else that is stored as a scan reaches so far below 0.
AIR_BELOW = -500.0
SOFT_TISSUE_HU = (-160.0, 240.0)
LOW_PERCENTILE, HIGH_PERCENTILE = 0.5, 99.5
PLANES = ("sagittal", "coronal", "axial")
# By axis (right, anterior, superior): where slices go whose coordinate grows.
ONWARD = ("from left to right", "from back to front", "from feet to head")
BACKWARD = ("from right to left", "from front to back", "from head to feet")


class CTDescriptionExpert(AskingExpert):
    """Shows evenly spread slices of a volume through one window of values.

    Args:
        reasoner, instruction, max_tokens: as of :class:`AskingExpert`.
        n_images: slices shown at most.
        longest_side_px: pictures are made smaller than this.
        window: [low, high] of stored values, shown black and white; None finds it: soft tissue where the values
            are in Hounsfield units, else from what the slices hold.
    """

    card = ExpertCard(
        name="vlm_ct",
        modality="volume",
        skill="D1",
        summary="what slices of the scan show: region of the body, plane, organs, findings and where they are",
        version="1",
        cost="served",
    )
    sees = True
    instruction = (
        "These are slices of one scan, in order. Report like a radiologist, in at most 200 words: the region of the "
        "body and the plane, whether contrast medium was probably given, the organs that are seen, and what is not as "
        "usual (place, side, size, brightness, on which slices). The patient's right is at the left of an axial "
        "picture only if the picture itself tells so; say where you can't be sure. It is a description, no diagnosis."
    )

    def __init__(
        self,
        *,
        reasoner: Mapping[str, Any] | None = None,
        instruction: str | None = None,
        max_tokens: int = 768,
        n_images: int = 12,
        longest_side_px: int = 512,
        window: Sequence[float] | None = None,
    ) -> None:
        super().__init__(reasoner=reasoner, instruction=instruction, max_tokens=max_tokens)
        if n_images < 1 or longest_side_px < 32:
            raise ConfigError("model.experts.vlm_ct: n_images is 1 or more, longest_side_px 32 or more.")
        if window is not None and (len(window) != 2 or not window[0] < window[1]):
            raise ConfigError(f"model.experts.vlm_ct.window: {window!r} is not [low, high] with low below high.")
        self.n_images = n_images
        self.longest_side_px = longest_side_px
        self.window = None if window is None else (float(window[0]), float(window[1]))

    def show(self, loaded: Clip, **needs: Any) -> Shown:
        """Show slices.

        Args:
            loaded: volume [d, h, w]; NaN where not measured.
            needs: nothing.

        Raises:
            ModalityError: nothing was measured in the slices; names the medium and the path.
        """
        chosen = spread(len(loaded.array), self.n_images)
        slices = [np.asarray(loaded.array[k], dtype=np.float32) for k in chosen]
        (low, high), named = self._window(slices, loaded)
        plane, course = _plane(loaded.extras.get("affine"))
        spacing = loaded.extras.get("spacing_mm")
        labels = []
        for k in chosen:
            depth = "" if spacing is None else f", {k * float(spacing[0]):.0f} mm from the first"
            labels.append(f"slice {k + 1} of {len(loaded.array)}{depth}")
        return Shown(
            words=f"The slices are {plane}{course}. Black is {low:g} or less, white {high:g} or more ({named}).",
            images=tuple(
                encoded(window_picture(one, low=low, high=high), longest_side_px=self.longest_side_px) for one in slices
            ),
            labels=tuple(labels),
        )

    def _window(self, slices: Sequence[Array], clip: Clip) -> tuple[tuple[float, float], str]:
        """Return (low, high) and what they are."""
        known = np.concatenate([one[np.isfinite(one)] for one in slices])
        if not known.size:
            raise ModalityError(f"{clip.media_id}: no value is known in the slices that are shown ({clip.path}).")
        if self.window is not None:
            return self.window, "as configured"
        low, high = (float(one) for one in np.percentile(known, [LOW_PERCENTILE, HIGH_PERCENTILE]))
        if low <= AIR_BELOW:
            return SOFT_TISSUE_HU, "probably Hounsfield units; a window for soft tissue"
        return (low, high), "values without a known unit, nearly their whole range"


class MedicalImageExpert(VisionExpert):
    """Describes single medical pictures."""

    card = ExpertCard(
        name="vlm_medical",
        modality="frame",
        skill="D2",
        summary="a medical picture: its kind, region of the body, findings with place, size and side",
        version="1",
        cost="served",
    )
    usual_images = 4
    usual_side_px = 1024
    instruction = (
        "Report like a specialist, in at most 150 words: which kind of picture it is (X-ray, CT, MRI, ultrasound, "
        "histology, endoscopy, photograph …) and how you tell, the region of the body and the view, what is seen, and "
        "what is not as usual, with place, side, size and appearance. Say where the picture does not suffice. It is a "
        "description, no diagnosis. If it is no medical picture, say so."
    )


def _plane(affine: Array | None) -> tuple[str, str]:
    """Return the plane of the slices [d] and where they go, from an affine of (d, h, w, 1) to mm (right, front, up)."""
    if affine is None:
        return "taken as axial", ""
    step = np.asarray(affine)[:3, 0]
    axis = int(np.abs(step).argmax())
    return PLANES[axis], f", {(ONWARD if step[axis] > 0 else BACKWARD)[axis]}"
