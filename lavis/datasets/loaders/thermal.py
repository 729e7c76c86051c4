"""Thermal pictures: ``<root>/<question_id>/%05d.jpg`` as CREMA's tools write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from lavis.datasets.loaders.frames import FramesLoader
from lavis.datasets.loaders.sequence import Order


class ThermalLoader(FramesLoader):
    """Loads thermal frames [t, h, w, c] uint8 RGB; options, order and errors are those of ``frame``.

    Thermal cameras write grey pictures, so ``convert`` is true by default: grey is taken as three equal channels,
    16-bit grey is scaled to 8 bits. Values are brightness, not degrees.
    The tools cut 3 frames per s and count from 1: ``thermal_frames/<question_id>/00001.jpg`` is frame 0 at 0 s.
    """

    modality = "thermal"

    def __init__(
        self,
        *,
        size_px: Sequence[int] | None = None,
        resampling: Literal["torch", "pillow"] = "torch",
        convert: bool = True,
        rate_hz: float | None = None,
        order: Order = "natural",
        follow_links: bool = False,
    ) -> None:
        super().__init__(
            size_px=size_px,
            resampling=resampling,
            convert=convert,
            rate_hz=rate_hz,
            order=order,
            follow_links=follow_links,
        )
