"""Colour frames as JPEG files, as ffmpeg's ``-vf fps=3 %05d.jpg`` lays them out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lavis.common.errors import ConfigError
from lavis.datasets.loaders.base import Array
from lavis.extract.base import MapExtractor
from lavis.extract.layouts import Layout, jpeg


class FramesExtractor(MapExtractor):
    """Writes ``<media_id>/00001.jpg`` and so on.

    Args:
        fps: frames per s, or ``all``; CREMA's tools take 3.
        quality: of JPEG, 1 … 100.
        layout, fps_rule, rate_hz, size_px: as of :class:`MapExtractor`.
    """

    loader_name = "frame"

    def __init__(
        self,
        *,
        layout: str | None = None,
        fps: float | str = 3,
        fps_rule: str = "shown",
        rate_hz: float | None = None,
        size_px: Sequence[int] | None = None,
        quality: int = 95,
    ) -> None:
        self.quality = check_quality(quality)
        super().__init__(layout=layout, fps=fps, fps_rule=fps_rule, rate_hz=rate_hz, size_px=size_px)

    def layouts(self) -> dict[str, Layout]:
        """Return ``image``, a folder of JPEG files, and ``shards``, a tar of them."""
        encode = jpeg(self.quality)
        return {"image": Layout(".jpg", encode), "shards": Layout(".jpg", encode, packed=True)}

    def settings(self) -> dict[str, Any]:
        """Return everything that decides what the files hold."""
        return {**super().settings(), "quality": self.quality}

    def maps(self, pictures: Iterator[Array], *, media_id: str) -> Iterator[Array]:
        """Return the pictures themselves."""
        return pictures


def check_quality(quality: int) -> int:
    """Return a JPEG quality.

    Raises:
        ConfigError: not 1 … 100.
    """
    if not 1 <= quality <= 100:
        raise ConfigError(f"quality lies between 1 and 100, not at {quality}.")
    return quality
