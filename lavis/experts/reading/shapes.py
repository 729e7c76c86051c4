"""Plain shapes of one colour in a drawn picture: bars, slices, keys of a legend."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from lavis.datasets.loaders.base import Array
from lavis.experts.reading.engine import TextLine

# One colour as it was drawn, with what JPEG does to it.
SAME_COLOR = 24
MIN_SHAPE_PX = 4  # of the shorter side
# A blend is so much rarer than what it is a blend of.
BLEND_SHARE = 0.25
MIN_SHARE = 0.0004  # of the picture's pixels that have a colour
# A ground is light and without colour, or the colour of the picture's rim.
LIGHT, GREYNESS = 215, 20


@dataclasses.dataclass(frozen=True)
class Shape:
    """A connected area of one colour.

    Attributes:
        color: its RGB.
        box_px: left, top, right, bottom; right and bottom are the first px outside.
        n_px: its area.
        center_px: its centre of gravity, x and y.
    """

    color: tuple[int, int, int]
    box_px: tuple[int, int, int, int]
    n_px: int
    center_px: tuple[float, float]

    @property
    def is_rectangle(self) -> bool:
        """Whether it fills its box."""
        left, top, right, bottom = self.box_px
        return self.n_px >= 0.88 * (right - left) * (bottom - top)


def is_ground(color: Sequence[int], rim: Sequence[int]) -> bool:
    """Return whether a colour is that of the paper or of the plot behind the shapes."""
    light = min(color) >= LIGHT and max(color) - min(color) <= GREYNESS
    return light or near(color, rim)


def near(one: Sequence[int], other: Sequence[int]) -> bool:
    """Return whether two colours are one."""
    return max(abs(int(a) - int(b)) for a, b in zip(one, other, strict=True)) <= SAME_COLOR


def rim_color(picture: Array) -> tuple[int, int, int]:
    """Return the usual colour of a picture's outermost pixels."""
    rim = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    red, green, blue = np.median(rim, axis=0).astype(int).tolist()
    return red, green, blue


def main_colors(picture: Array) -> list[tuple[int, int, int]]:
    """Return the colours of what is drawn on the ground, the most frequent first; shades of one are one.

    Args:
        picture: [h, w, 3] uint8 RGB.
    """
    rim = rim_color(picture)
    coarse = (picture >> 3).astype(np.int32)
    codes = (coarse[..., 0] << 10 | coarse[..., 1] << 5 | coarse[..., 2]).ravel()
    counts = np.bincount(codes, minlength=1 << 15)
    pixels = picture.reshape(-1, 3)
    colors: list[tuple[tuple[int, int, int], int]] = []
    for code in np.argsort(-counts, kind="stable")[:200]:
        if counts[code] < max(20, MIN_SHARE * len(codes)):
            break
        red, green, blue = np.median(pixels[codes == code], axis=0).astype(int).tolist()
        color = (red, green, blue)
        if is_ground(color, rim) or any(near(color, known) for known, _ in colors):
            continue
        # The rims of letters and bars are blends of their colour and the ground.
        count = int(counts[code])
        if not any(count < BLEND_SHARE * most and _is_blend(color, known, rim) for known, most in colors):
            colors.append((color, count))
    return [color for color, _ in colors]


def _is_blend(color: Sequence[int], drawn: Sequence[int], ground: Sequence[int]) -> bool:
    way = np.array(ground, float) - np.array(drawn, float)
    share = float(np.dot(np.array(color, float) - np.array(drawn, float), way) / max(1.0, float(np.dot(way, way))))
    on_way = np.array(drawn, float) + share * way
    return 0 < share < 1 and bool(np.abs(on_way - np.array(color, float)).max() <= SAME_COLOR / 2)


def mask_of(picture: Array, color: Sequence[int]) -> Array:
    """Return where a picture has a colour [h, w] bool."""
    return np.asarray(np.abs(picture.astype(np.int16) - np.array(color, np.int16)).max(axis=2) <= SAME_COLOR)


def shapes(picture: Array, lines: Sequence[TextLine]) -> list[Shape]:
    """Return the plain shapes of a picture, from the largest; letters are none.

    Args:
        picture: [h, w, 3] uint8 RGB.
        lines: its text.
    """
    import cv2

    found = []
    for color in main_colors(picture):
        mask = mask_of(picture, color).astype(np.uint8)
        _, _, stats, centers = cv2.connectedComponentsWithStats(mask, connectivity=4)
        for (left, top, width, height, n_px), (x, y) in zip(stats[1:].tolist(), centers[1:].tolist(), strict=True):
            shape = Shape(color, (left, top, left + width, top + height), n_px, (x, y))
            if min(width, height) >= MIN_SHAPE_PX and not any(_holds(line, shape) for line in lines):
                found.append(shape)
    return sorted(found, key=lambda shape: (-shape.n_px, shape.box_px))


def without_marks(lines: Sequence[TextLine], found: Sequence[Shape]) -> list[TextLine]:
    """Return lines without those that are no text: points of a scatter plot, bars read as one letter."""
    return [
        line
        for line in lines
        if len(line.text) > 1 or (line.text.isalnum() and not any(_fills(shape, line) for shape in found))
    ]


def _fills(shape: Shape, line: TextLine) -> bool:
    """Return whether a single letter's box holds nothing but a shape."""
    left, top, right, bottom = line.box_px
    area = max(1.0, (right - left) * (bottom - top))
    # A letter of an alphabet is thinner than a dot that is read as a sign of another script.
    cover = 0.5 if line.text.isascii() else 0.2
    return len(line.text) == 1 and _lies_in(line, shape) and shape.n_px > cover * area


def _holds(line: TextLine, shape: Shape) -> bool:
    return _lies_in(line, shape) and not _fills(shape, line)


def _lies_in(line: TextLine, shape: Shape) -> bool:
    left, top, right, bottom = line.box_px
    x0, y0, x1, y1 = shape.box_px
    return left - 2 <= x0 and top - 2 <= y0 and x1 <= right + 2 and y1 <= bottom + 2
