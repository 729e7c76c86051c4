"""Frames as pictures for a model that sees."""

from __future__ import annotations

import io
from collections.abc import Sequence

from lavis.datasets.loaders.base import Array
from lavis.experts.words import spread
from lavis.reasoners.base import PromptImage

# What served models look at for the price of a few hundred tokens.
LONGEST_SIDE_PX = 512
JPEG_QUALITY = 85


def encoded(frame: Array, *, longest_side_px: int = LONGEST_SIDE_PX) -> PromptImage:
    """Return a frame [h, w, 3] uint8 RGB as JPEG, at most so many pixels on a side."""
    from PIL import Image

    image = Image.fromarray(frame)
    image.thumbnail((longest_side_px, longest_side_px))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return PromptImage(buffer.getvalue(), "image/jpeg")


def chosen(frames: Sequence[Array] | Array, n: int) -> list[int]:
    """Return the positions of up to ``n`` frames, evenly spread, the first and the last among them."""
    return spread(len(frames), n)
