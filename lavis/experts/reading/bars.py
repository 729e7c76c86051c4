"""Bars of a chart as numbers: where they end on the scale, of which category and colour."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from lavis.experts.reading.axes import Axis
from lavis.experts.reading.engine import TextLine
from lavis.experts.reading.numbers import parsed_number
from lavis.experts.reading.order import rows_of
from lavis.experts.reading.shapes import Shape, near

TOUCHING_PX = 3
MIN_BARS = 2
MIN_EXPLAINED = 0.8  # share of a colour's area that the bars of this colour fill


@dataclasses.dataclass(frozen=True)
class Mark:
    """One value of a chart.

    Attributes:
        category: its label; empty where none stands there.
        color: of what shows it.
        value: by the scale.
        error: how far off that may be.
        printed: the number that is written at it, empty where none is.
    """

    category: str
    color: tuple[int, int, int]
    value: float
    error: float
    printed: str = ""


@dataclasses.dataclass(frozen=True)
class Bar:
    """A bar or a piece of a stacked one.

    Attributes:
        color: RGB.
        across: from, to, along the categories, px.
        start: where it begins along the scale, px.
        end: where it ends, px.
    """

    color: tuple[int, int, int]
    across: tuple[float, float]
    start: float
    end: float

    @property
    def middle(self) -> float:
        """Its place among the categories, px."""
        return sum(self.across) / 2


def find_bars(shapes: Sequence[Shape], lines: Sequence[TextLine], axis: Axis) -> list[Bar]:
    """Return bars that stand on one base, with what is stacked on them; empty where there are fewer than two.

    Args:
        shapes: plain shapes of the picture.
        lines: its text (numbers may be printed inside bars).
        axis: the scale; bars run along it.
    """
    rectangles = [_along(shape, axis) for shape in shapes if _is_filled(shape, lines)]
    bases = [bar.start for bar in rectangles]
    zero = None if axis.is_log else axis.px(0)
    best: list[Bar] = []
    for base in [*bases, *([] if zero is None else [zero])]:
        on_base = _on(rectangles, base, both=zero is not None and abs(base - zero) <= TOUCHING_PX)
        if sum(map(_area, on_base)) > sum(map(_area, best)):
            best = on_base
    if len(best) < MIN_BARS:
        return []
    rest = [bar for bar in rectangles if not any(_is_same_place(bar, other) for other in best)]
    found = [bar for first in best for bar in _stack(first, rest)]
    # Bars without a gap between them (a histogram) make one shape with steps, of which only a part would be told.
    for color in {bar.color for bar in found}:
        drawn = sum(shape.n_px for shape in shapes if near(shape.color, color))
        if sum(_area(bar) for bar in found if near(bar.color, color)) < MIN_EXPLAINED * drawn:
            return []
    return sorted(found, key=lambda bar: (bar.middle, bar.start))


def marks_of(bars: Sequence[Bar], lines: Sequence[TextLine], axis: Axis) -> tuple[list[Mark], list[TextLine]]:
    """Return the values of bars, and the lines that name their categories.

    Args:
        bars: as found.
        lines: text of the picture.
        axis: the scale.
    """
    labels = category_labels(bars, lines, axis)
    place = 0 if axis.is_upright else 1
    centers = [sum(line.center_px[place] for line in label) / len(label) for label in labels]
    gaps = [b - a for a, b in zip(sorted(centers), sorted(centers)[1:], strict=False)]
    reach = 0.5 * min(gaps) if gaps else float("inf")
    marks = []
    for bar in bars:
        near_by = min(range(len(labels)), key=lambda k: abs(centers[k] - bar.middle), default=None)
        named = near_by is not None and abs(centers[near_by] - bar.middle) <= reach
        category = " ".join(line.text for line in labels[near_by]) if named and near_by is not None else ""
        # A stacked piece is worth its length, the first on a cut scale what it reaches.
        on_other = any(
            other is not bar and _overlaps(other, bar) and abs(other.end - bar.start) <= TOUCHING_PX for other in bars
        )
        value = axis.value(bar.end) - (axis.value(bar.start) if on_other else 0.0)
        error = axis.error(bar.end) * (2**0.5 if on_other else 1.0)
        marks.append(Mark(category, bar.color, value, error, _printed(bar, lines, axis)))
    return marks, [line for label in labels for line in label]


def category_labels(bars: Sequence[Bar], lines: Sequence[TextLine], axis: Axis) -> list[list[TextLine]]:
    """Return the lines of each category's label, beyond the bars on the side of the base."""
    if not axis.is_upright:
        edge = min(min(bar.start, bar.end) for bar in bars) + TOUCHING_PX
        beside = [line for line in lines if line.box_px[2] <= edge and not line.is_vertical and line not in axis.ticks]
        low, high = min(bar.across[0] for bar in bars), max(bar.across[1] for bar in bars)
        return [[line] for line in beside if low <= line.center_px[1] <= high]
    edge = max(max(bar.start, bar.end) for bar in bars) - TOUCHING_PX
    low, high = min(bar.across[0] for bar in bars), max(bar.across[1] for bar in bars)
    below = [
        line
        for line in lines
        if line.box_px[1] >= edge - 0.2 * line.height_px and low <= line.center_px[0] <= high and line not in axis.ticks
    ]
    rows = rows_of([line.box_px for line in below])
    if not rows:
        return []
    labels = [[below[k]] for k in rows[0]]
    # Labels of two lines: the second row stands under the first, text by text.
    for row in rows[1:]:
        if len(row) < 2 or len(row) > len(labels):
            break
        for k in row:
            label = min(labels, key=lambda label: abs(label[0].center_px[0] - below[k].center_px[0]))
            if abs(label[0].center_px[0] - below[k].center_px[0]) <= label[0].height_px:
                label.append(below[k])
    return labels


def _along(shape: Shape, axis: Axis) -> Bar:
    left, top, right, bottom = (float(edge) for edge in shape.box_px)
    if axis.is_upright:
        return Bar(shape.color, (left, right), bottom, top)
    return Bar(shape.color, (top, bottom), left, right)


def _is_filled(shape: Shape, lines: Sequence[TextLine]) -> bool:
    if shape.is_rectangle:
        return True
    left, top, right, bottom = shape.box_px
    printed = 0.0
    for line in lines:
        width = min(right, line.box_px[2]) - max(left, line.box_px[0])
        height = min(bottom, line.box_px[3]) - max(top, line.box_px[1])
        printed += max(0.0, width) * max(0.0, height)
    area = (right - left) * (bottom - top)
    return shape.n_px + printed >= 0.97 * area and shape.n_px > 0.5 * area


def _on(bars: Sequence[Bar], base: float, *, both: bool) -> list[Bar]:
    """Return bars that begin at a base; those that end there (below zero) turned round."""
    found = []
    for bar in bars:
        if abs(bar.start - base) <= TOUCHING_PX:
            found.append(bar)
        elif both and abs(bar.end - base) <= TOUCHING_PX:
            found.append(dataclasses.replace(bar, start=bar.end, end=bar.start))
    return found


def _stack(bar: Bar, rest: Sequence[Bar]) -> list[Bar]:
    """Return a bar and what goes on from its end; grid lines in front of a bar do not divide it."""
    pieces = [bar]
    upward = bar.end < bar.start
    left = list(rest)
    while True:
        last = pieces[-1]
        following = None
        for other in left:
            start, end = sorted((other.start, other.end), reverse=upward)
            if _overlaps(other, last) and abs(start - last.end) <= TOUCHING_PX:
                following = (other, start, end)
        if following is None:
            return pieces
        other, start, end = following
        left.remove(other)
        if near(other.color, last.color):
            pieces[-1] = dataclasses.replace(last, end=end)
        else:
            pieces.append(Bar(other.color, other.across, start, end))


def _overlaps(one: Bar, other: Bar) -> bool:
    ends = zip(one.across, other.across, strict=True)
    return all(abs(a - b) <= TOUCHING_PX for a, b in ends)


def _is_same_place(one: Bar, other: Bar) -> bool:
    return one.across == other.across and {one.start, one.end} == {other.start, other.end}


def _area(bar: Bar) -> float:
    return abs(bar.end - bar.start) * (bar.across[1] - bar.across[0])


def _printed(bar: Bar, lines: Sequence[TextLine], axis: Axis) -> str:
    """Return the number that stands just beyond a bar's end, or inside it."""
    for line in lines:
        x, y = line.center_px
        along, across = (y, x) if axis.is_upright else (x, y)
        if line in axis.ticks or not bar.across[0] <= across <= bar.across[1] or parsed_number(line.text) is None:
            continue
        extent = line.height_px if axis.is_upright else line.box_px[2] - line.box_px[0]
        outward = -1 if bar.end < bar.start else 1
        beyond = (along - bar.end) * outward
        if -abs(bar.end - bar.start) < beyond < 1.2 * extent:
            return line.text
    return ""
