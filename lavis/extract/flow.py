"""Optical flow by OpenCV's DIS between each picture and the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from lavis.common.errors import ConfigError
from lavis.datasets.loaders.base import Array
from lavis.extract.base import MapExtractor
from lavis.extract.layouts import Layout, flo, flow_codes, npy, png

PRESETS = ("ultrafast", "fast", "medium")
# 0.16 px a step, and no motion is exactly code 128.
RANGE_PX = (-20.48, 20.32)


class FlowExtractor(MapExtractor):
    """Writes flow in px at the size of the pictures: one file fewer than there are pictures.

    Args:
        preset: of DIS: ``ultrafast``, ``fast`` or ``medium``, ever finer and slower.
        range_px: (low, high) that the ``image`` layout can say; what is beyond is clipped and counted.
        layout, fps, fps_rule, rate_hz, size_px: as of :class:`MapExtractor`.
    """

    loader_name = "flow"
    missing_files = 1

    def __init__(
        self,
        *,
        layout: str | None = None,
        fps: float | str = "all",
        fps_rule: str = "shown",
        rate_hz: float | None = None,
        size_px: Sequence[int] | None = None,
        preset: str = "medium",
        range_px: Sequence[float] | None = None,
    ) -> None:
        if preset not in PRESETS:
            raise ConfigError(f"flow: preset {preset!r} is not known; use one of {', '.join(PRESETS)}.")
        low, high = RANGE_PX if range_px is None else (float(range_px[0]), float(range_px[1]))
        if not low < high:
            raise ConfigError(f"flow: range_px must be low then high, not {low} {high}.")
        self.preset = preset
        self.range_px = (low, high)
        super().__init__(layout=layout, fps=fps, fps_rule=fps_rule, rate_hz=rate_hz, size_px=size_px)
        self.sampler = dataclasses.replace(self.sampler, grey=True)
        if range_px is not None and self.layout_name != "image":
            raise ConfigError(f"flow: range_px belongs to the layout image; {self.layout_name} stores px.")

    def layouts(self) -> dict[str, Layout]:
        """Return ``float`` (.flo), ``half`` (.npy of float16), ``image`` (8-bit PNG) and ``shards`` (a tar of .flo)."""
        code = flow_codes(*self.range_px)
        return {
            "float": Layout(".flo", flo),
            "half": Layout(".npy", npy("<f2")),
            "image": Layout(".png", lambda flow_px: png(code(flow_px)), {"range_px": list(self.range_px)}),
            "shards": Layout(".flo", flo, packed=True),
        }

    def settings(self) -> dict[str, Any]:
        """Return everything that decides what the files hold."""
        coded = {"range_px": list(self.range_px)} if self.layout_name == "image" else {}
        return {**super().settings(), "method": f"DIS {self.preset}", **coded}

    def maps(self, pictures: Iterator[Array], *, media_id: str) -> Iterator[Array]:
        """Yield flow [h, w, 2] float32 px, right and down, from each picture to the next."""
        dis = make_dis(self.preset)
        before = None
        for after in pictures:
            if before is not None:
                flow_px = dis.calc(before, after, None)
                if self.layout_name == "image":
                    low, high = self.range_px
                    self.notes["clipped_share"] += float(((flow_px < low) | (flow_px > high)).mean())
                yield flow_px
            before = after


def make_dis(preset: str) -> Any:
    """Return OpenCV's DIS of a preset."""
    import cv2

    make: Any = cv2  # its stubs leave the class out
    return make.DISOpticalFlow_create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{preset.upper()}"))
