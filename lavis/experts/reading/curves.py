"""Curves of a chart as numbers: how high each colour stands over the labels of the level axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lavis.datasets.loaders.base import Array
from lavis.experts.reading.axes import Axis
from lavis.experts.reading.bars import Mark
from lavis.experts.reading.engine import TextLine
from lavis.experts.reading.legend import Color, Key
from lavis.experts.reading.order import rows_of
from lavis.experts.reading.shapes import mask_of

# A curve goes through so much of the plot's width and covers little of it; black and grey are axes and grids.
MIN_WIDTH, MAX_COVER, MIN_CHROMA = 0.4, 0.15, 40
# A curve is there in nearly every column of its width, and in most of them within one stretch of the height.
MIN_FILLED, MAX_STEP = 0.85, 0.15
REACH_PX = 4
MIN_LABELS = 2


def level_labels(lines: Sequence[TextLine], axis: Axis) -> list[TextLine]:
    """Return the row of labels under a plot, from the left."""
    lowest = max(tick.center_px[1] for tick in axis.ticks)
    right = max(tick.box_px[2] for tick in axis.ticks)
    below = [
        line
        for line in lines
        if line not in axis.ticks
        and not line.is_vertical
        and line.center_px[1] > lowest
        and line.box_px[2] > right - line.height_px
    ]
    for row in rows_of([line.box_px for line in below]):
        if len(row) >= MIN_LABELS:
            return [below[k] for k in row]
    return []


def curve_marks(
    picture: Array, lines: Sequence[TextLine], axis: Axis, colors: Sequence[Color], keys: Sequence[Key]
) -> list[Mark]:
    """Return the heights of curves over the labels of the level axis.

    Args:
        picture: [h, w, 3] uint8 RGB.
        lines: its text.
        axis: the upright scale.
        colors: that may be curves.
        keys: of the legend; they are no part of a curve.
    """
    labels = level_labels(lines, axis)
    if not labels:
        return []
    top = max(0, round(min(tick.box_px[1] for tick in axis.ticks) - 2 * labels[0].height_px))
    bottom = round(min(label.box_px[1] for label in labels))
    left, right = round(labels[0].center_px[0]), round(labels[-1].center_px[0])
    width = max(1, right - left)
    marks = []
    for color in colors:
        if not is_colored(color):
            continue
        mask = mask_of(picture, color)
        mask[:top], mask[bottom:] = False, False
        for key in keys:
            mask[key.box_px[1] : key.box_px[3] + 1, key.box_px[0] : key.box_px[2] + 1] = False
        inside = mask[top:bottom, left : right + 1]
        if not _is_curve(inside):
            continue
        for label in labels:
            found = _height(mask, round(label.center_px[0]), width)
            if found is not None:
                y, half = found
                marks.append(Mark(label.text, color, axis.value(y), axis.error(y, 1.0 + half)))
    return marks


def is_colored(color: Color) -> bool:
    """Return whether a colour is none of black, grey and white."""
    return max(color) - min(color) >= MIN_CHROMA


def _is_curve(inside: Array) -> bool:
    """Return whether a colour makes one thin line through a plot [h, w]; points of a scatter plot do not."""
    columns = np.flatnonzero(inside.any(axis=0))
    if len(columns) < MIN_WIDTH * inside.shape[1] or inside.mean() > MAX_COVER:
        return False
    if len(columns) < MIN_FILLED * (columns[-1] - columns[0] + 1):
        return False
    heights = [np.ptp(np.flatnonzero(inside[:, column])) for column in columns]
    return bool(np.quantile(heights, 0.8) <= MAX_STEP * len(inside))


def _height(mask: Array, x: int, width: int) -> tuple[float, float] | None:
    """Return (y, half its uncertainty) of a curve at an x, px; None where it is not there."""
    for reach in range(1, max(2, min(REACH_PX, width // 20)) + 1):
        sides = []
        for columns in (mask[:, max(0, x - reach) : x + 1], mask[:, x : x + reach + 1]):
            rows = np.flatnonzero(columns.any(axis=1))
            if len(rows):
                sides.append(rows)
        if sides:
            rows = np.concatenate(sides)
            # Far apart lie two pieces of colour, not one curve.
            if rows.max() - rows.min() > 0.25 * len(mask):
                return None
            middle = float(np.mean([(side.min() + side.max()) / 2 for side in sides]))
            return middle, float(rows.max() - rows.min()) / 4
    return None
