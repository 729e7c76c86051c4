"""Pictures of text, drawn with the font that Pillow carries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from lavis.datasets.loaders.base import Clip

Picture = npt.NDArray[np.uint8]
Text = tuple[str, int, int, int]  # text, left px, top px, size px


def drawn(size: tuple[int, int], texts: Sequence[Text], *, ground: str = "white", ink: str = "black") -> Picture:
    """Draw texts on a plain ground [h, w, 3]; ``size`` is (width, height)."""
    image = Image.new("RGB", size, ground)
    draw = ImageDraw.Draw(image)
    for text, left, top, size_px in texts:
        draw.text((left, top), text, fill=ink, font=ImageFont.load_default(size=size_px))
    return np.asarray(image)


def frames(*pictures: Picture, rate_hz: float | None = 1.0) -> Clip:
    """Return pictures of one size as a clip of frames, one every 1 / rate_hz s."""
    indices = tuple(range(len(pictures)))
    times = tuple(index / rate_hz for index in indices) if rate_hz else ()
    stacked = np.stack(pictures) if pictures else np.zeros((0, 4, 4, 3), np.uint8)
    return Clip("clip1", "frame", stacked, "t h w c", "uint8 RGB", Path("data/clip1"), indices, times, rate_hz)


def drawn_table(
    rows: Sequence[Sequence[str]],
    *,
    ruled: bool,
    merged: Sequence[tuple[int, int, int, int]] = (),
    title: str = "",
    size_px: int = 20,
    gap_px: int = 16,
) -> Picture:
    """Draw a table [h, w, 3]; ``merged`` are (first row, first column, last row, last column), told by their first."""
    font = ImageFont.load_default(size=size_px)
    widths = [max(int(font.getlength(cell)) for cell in column) + 2 * gap_px for column in zip(*rows, strict=True)]
    height, margin = size_px + 20, 20
    top = margin + (height if title else 0)
    image = Image.new("RGB", (sum(widths) + 2 * margin, top + height * len(rows) + margin), "white")
    draw = ImageDraw.Draw(image)
    draw.text((margin, margin // 2), title, fill="black", font=font)
    for r, row in enumerate(rows):
        for c, cell in enumerate(row):
            first, left, last, right = next(
                (one for one in merged if one[0] <= r <= one[2] and one[1] <= c <= one[3]), (r, c, r, c)
            )
            if (r, c) != (first, left):
                continue
            x, y = margin + sum(widths[:c]), top + height * r
            end_x, end_y = margin + sum(widths[: right + 1]), top + height * (last + 1)
            if ruled:
                draw.rectangle((x, y, end_x, end_y), outline="black")
            draw.text((x + gap_px, (y + end_y - size_px) // 2 - 3), cell, fill="black", font=font)
    return np.asarray(image)
