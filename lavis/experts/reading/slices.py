"""Slices of a pie chart as shares: the area of each colour in a disc."""

from __future__ import annotations

import math
from collections.abc import Sequence

from lavis.experts.reading.bars import Mark
from lavis.experts.reading.engine import TextLine
from lavis.experts.reading.legend import Key
from lavis.experts.reading.numbers import parsed_number
from lavis.experts.reading.shapes import Shape, near

# A disc fills so much of its square box; edges between slices and printed numbers take some of it.
DISC_COVER = (0.6, 0.8)
MIN_DISC_SHARE = 0.05  # of the picture
SQUARE = 0.06
MIN_SLICE = 0.01  # of the largest one
ERROR_PERCENT = 1.0
MAX_TURN_RAD = math.radians(20)


def slice_marks(shapes: Sequence[Shape], lines: Sequence[TextLine], keys: Sequence[Key]) -> list[Mark]:
    """Return the shares of a pie's slices in %, or nothing where the shapes make no disc.

    A slice is named by its key, else by the text outside the disc that lies in its direction.

    Args:
        shapes: plain shapes of the picture.
        lines: its text.
        keys: of the legend.
    """
    largest = shapes[0].n_px if shapes else 0
    slices = _disc([shape for shape in shapes if shape.n_px >= MIN_SLICE * largest])
    if len(slices) < 2:
        return []
    left, top = min(one.box_px[0] for one in slices), min(one.box_px[1] for one in slices)
    right, bottom = max(one.box_px[2] for one in slices), max(one.box_px[3] for one in slices)
    center, radius = ((left + right) / 2, (top + bottom) / 2), (right - left) / 2
    total = sum(one.n_px for one in slices)
    marks = []
    for one in slices:
        named = [key.line.text for key in keys if near(key.color, one.color)]
        name = named[0] if named else _text_towards(one, lines, center, (0.95 * radius, 2 * radius), is_number=False)
        printed = _text_towards(one, lines, center, (0, 0.95 * radius), is_number=True)
        marks.append(Mark(name, one.color, 100 * one.n_px / total, ERROR_PERCENT, printed))
    return marks


def _disc(shapes: Sequence[Shape]) -> list[Shape]:
    """Return the largest shapes, as many as make a disc together."""
    chosen: list[Shape] = []
    best: list[Shape] = []
    for shape in shapes[:16]:
        chosen.append(shape)
        left, top = min(one.box_px[0] for one in chosen), min(one.box_px[1] for one in chosen)
        right, bottom = max(one.box_px[2] for one in chosen), max(one.box_px[3] for one in chosen)
        width, height = right - left, bottom - top
        cover = sum(one.n_px for one in chosen) / (width * height)
        if abs(width - height) <= SQUARE * width and DISC_COVER[0] <= cover <= DISC_COVER[1]:
            best = list(chosen)
    return [] if all(one.is_rectangle for one in best) else best


def _text_towards(
    one: Shape,
    lines: Sequence[TextLine],
    center: tuple[float, float],
    reach_px: tuple[float, float],
    *,
    is_number: bool,
) -> str:
    """Return the text that lies in a slice's direction, at such a distance from the centre; empty where none does."""
    x, y = one.center_px
    direction = math.atan2(y - center[1], x - center[0])
    found: list[tuple[float, str]] = []
    for line in lines:
        across, down = line.center_px[0] - center[0], line.center_px[1] - center[1]
        if reach_px[0] < math.hypot(across, down) < reach_px[1]:
            turn = abs((math.atan2(down, across) - direction + math.pi) % (2 * math.pi) - math.pi)
            if not is_number or parsed_number(line.text) is not None:
                found.append((turn, line.text))
    turn, text = min(found, default=(math.pi, ""))
    return text if turn < MAX_TURN_RAD else ""
