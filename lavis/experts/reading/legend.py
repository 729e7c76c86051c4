"""What stands around a plot: which text names which colour, and which texts are title and axis labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from lavis.datasets.loaders.base import Array
from lavis.experts.reading.engine import TextLine
from lavis.experts.reading.shapes import is_ground, mask_of, near, rim_color

Color = tuple[int, int, int]
# A key stands left of its text, at most so many text heights long and away; a part of it has the colour.
KEY_REACH, KEY_BAND, MIN_KEY_PX = 4.0, 0.25, 6
TITLE_BAND = 0.2  # of the picture's height


@dataclasses.dataclass(frozen=True)
class Key:
    """A colour that a text names.

    Attributes:
        color: RGB.
        line: the text.
        box_px: left, top, right, bottom of key and text together.
    """

    color: Color
    line: TextLine
    box_px: tuple[int, int, int, int]


def keys(picture: Array, lines: Sequence[TextLine], colors: Sequence[Color]) -> list[Key]:
    """Return the legend: texts with a patch or a line of one of the colours at their left, and ground around it.

    Args:
        picture: [h, w, 3] uint8 RGB.
        lines: texts that may be names (no ticks, no categories).
        colors: of bars, lines or slices.
    """
    rim = rim_color(picture)
    found: list[tuple[float, Key]] = []
    for line in lines:
        if line.is_vertical:
            continue
        left, top, _, bottom = line.box_px
        height = line.height_px
        x0, x1 = max(0, round(left - KEY_REACH * height)), round(left)
        y0, y1 = round(line.center_px[1] - KEY_BAND * height), round(line.center_px[1] + KEY_BAND * height) + 1
        strip = picture[max(0, y0) : y1, x0:x1]
        if 0 in strip.shape:
            continue
        taken = np.zeros(x1 - x0, dtype=bool)
        for other in lines:
            if other is not line and other.box_px[1] < y1 and other.box_px[3] > y0:
                taken[max(0, round(other.box_px[0]) - x0) : max(0, round(other.box_px[2]) - x0)] = True
        for color in colors:
            columns = np.flatnonzero(mask_of(strip, color).any(axis=0))
            if taken[columns].any() or _goes_on(picture, color, line, x0 + columns):
                continue
            # What goes on to the left is a bar or a curve that ends at the text.
            if len(columns) < MIN_KEY_PX or (columns[0] == 0 and x0 > 0):
                continue
            between = strip[:, columns[-1] + 2 :]
            if between.size and not all(is_ground(pixel, rim) for pixel in between[len(between) // 2][2:-2]):
                continue
            box = (x0 + int(columns[0]), int(top), round(line.box_px[2]), int(bottom))
            found.append((strip.shape[1] - float(columns[-1]), Key(color, line, box)))
    chosen: list[Key] = []
    for _, key in sorted(found, key=lambda one: (one[0], one[1].box_px)):
        if not any(near(key.color, other.color) or key.line == other.line for other in chosen):
            chosen.append(key)
    return chosen


def _goes_on(picture: Array, color: Color, line: TextLine, columns: Array) -> bool:
    """Return whether a colour goes on above or under a text's height: then it is a shape beside it, no key."""
    y, reach = line.center_px[1], line.height_px
    for row in (round(y - reach), round(y + reach)):
        if len(columns) and 0 <= row < len(picture) and mask_of(picture[row : row + 1, columns], color).any():
            return True
    return False


def title_of(lines: Sequence[TextLine]) -> TextLine | None:
    """Return the title: the tallest text in the upper fifth, if it stands near the middle or begins at the left."""
    upper = [line for line in lines if not line.is_vertical and line.box[3] <= TITLE_BAND and len(line.text) > 2]
    over = [line for line in upper if abs(line.box[0] + line.box[2] - 1) < 0.5 or line.box[0] < 0.15]
    return max(over, key=lambda line: (round(line.height_px), line.box_px[2] - line.box_px[0]), default=None)
