"""Maps, slices and tables as pictures that a vision model can read; every convention is told in words beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lavis.datasets.loaders.base import Array

# The nearest surface is white, the farthest nearly black, and what is not known is blue, which no grey is.
FARTHEST_GREY, NEAREST_GREY = 24, 255
UNKNOWN_RGB = (0, 0, 160)
CELL_CHARS = 40
FONT_PX = 18


def depth_picture(values: Array, *, near: float, far: float) -> Array:
    """Return a depth map [h, w] as grey [h, w, 3] uint8, nearest white.

    Args:
        values: in any unit, NaN where unknown.
        near: what is shown white; above ``far`` where larger values are nearer (disparity).
        far: what is shown darkest.
    """
    share = np.clip((values - far) / ((near - far) or 1.0), 0.0, 1.0)
    grey = FARTHEST_GREY + np.nan_to_num(share) * (NEAREST_GREY - FARTHEST_GREY)
    return _with_unknown(np.repeat(grey[..., None], 3, axis=-1), np.isfinite(values))


def flow_picture(flow_px: Array, *, full_px: float) -> Array:
    """Return flow [h, w, 2] px (right, down) by a colour wheel as [h, w, 3] uint8; what stands still is white.

    The hue is the direction, clockwise from red for motion to the right over yellow-green (down) and cyan (left) to
    violet (up); the colour is full from ``full_px`` on; what is not known is black.
    """
    known = np.asarray(np.isfinite(flow_px).all(axis=-1))
    right, down = np.nan_to_num(flow_px[..., 0]), np.nan_to_num(flow_px[..., 1])
    hue = np.degrees(np.arctan2(down, right)) % 360.0
    fullness = np.clip(np.hypot(right, down) / full_px, 0.0, 1.0)
    return _with_unknown(255.0 * _rgb_of(hue, fullness), known, (0, 0, 0))


def normals_picture(normals: Array) -> Array:
    """Return unit normals [h, w, 3] as [h, w, 3] uint8: ``(n + 1) * 127.5``, black where unknown (NaN)."""
    known = np.asarray(np.isfinite(normals).all(axis=-1))
    return _with_unknown((np.nan_to_num(normals) + 1.0) * 127.5, known, (0, 0, 0))


def window_picture(values: Array, *, low: float, high: float) -> Array:
    """Return a slice [h, w] as grey [h, w, 3] uint8: ``low`` black, ``high`` white, what was not measured black."""
    share = np.clip((np.nan_to_num(values, nan=low) - low) / ((high - low) or 1.0), 0.0, 1.0)
    grey: Array = np.rint(share * 255.0).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=-1)


def table_picture(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Array:
    """Return a table as a picture [h, w, 3] uint8 with ruled columns; a long cell is cut and ends in ``…``."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(FONT_PX)
    lines = [[_cell(cell) for cell in line] for line in (header, *rows)]
    widths_px = [max(int(font.getlength(line[k])) for line in lines) + FONT_PX for k in range(len(header))]
    height_px = round(1.6 * FONT_PX)
    image = Image.new("RGB", (sum(widths_px) + 1, height_px * len(lines) + 1), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, image.width, height_px), fill=(225, 225, 225))
    lefts_px = np.cumsum([0, *widths_px]).tolist()
    for n, line in enumerate(lines):
        top_px = n * height_px
        draw.line((0, top_px, image.width, top_px), fill=(160, 160, 160))
        for left_px, cell in zip(lefts_px, line, strict=False):
            draw.text((left_px + FONT_PX // 2, top_px + height_px // 2), cell, fill="black", font=font, anchor="lm")
    for left_px in lefts_px:
        draw.line((left_px, 0, left_px, image.height), fill=(160, 160, 160))
    return np.asarray(image)


def _cell(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= CELL_CHARS else line[: CELL_CHARS - 1] + "…"


def _with_unknown(picture: Array, known: Array, unknown: tuple[int, int, int] = UNKNOWN_RGB) -> Array:
    whole: Array = np.rint(np.clip(picture, 0, 255)).astype(np.uint8)
    whole[~known] = unknown
    return whole


def _rgb_of(hue_deg: Array, saturation: Array) -> Array:
    """Return colours of full value [h, w, 3], 0 … 1 (the hexcone model of HSV)."""
    sector = hue_deg / 60.0
    channels = [np.clip(np.abs((sector + shift) % 6.0 - 3.0) - 1.0, 0.0, 1.0) for shift in (0.0, 4.0, 2.0)]
    return np.asarray(1.0 - saturation[..., None] * (1.0 - np.stack(channels, axis=-1)))
