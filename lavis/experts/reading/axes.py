"""The scale of a chart's axis: tick labels that are numbers, fitted to where they stand."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence

from lavis.experts.reading.engine import TextLine
from lavis.experts.reading.numbers import parsed_number, scaled

MIN_TICKS = 3
# Ticks stand where the fit says, up to so much of a label's height; misread labels do not.
TOLERANCE = 0.3
MIN_FITTED = 0.6  # share of the labels of one axis


@dataclasses.dataclass(frozen=True)
class Axis:
    """What a position along an axis means: value = start + step · px, of the logarithm (base 10) where it is one.

    Attributes:
        is_upright: whether it runs up (positions are y) or across (x).
        start: at 0 px.
        step: per px.
        is_log: whether the scale is logarithmic.
        rms_px: how far labels stand from the fit.
        unit: of the labels.
        ticks: the labels that fit.
    """

    is_upright: bool
    start: float
    step: float
    is_log: bool
    rms_px: float
    unit: str
    ticks: tuple[TextLine, ...]

    def value(self, px: float) -> float:
        """Return the value at a position."""
        number = self.start + self.step * px
        return float(10**number) if self.is_log else number

    def px(self, value: float) -> float:
        """Return the position of a value."""
        return ((math.log10(value) if self.is_log else value) - self.start) / self.step

    def error(self, px: float, error_px: float = 1.5) -> float:
        """Return how far off the value at a position may be, for so many px."""
        total_px = math.hypot(error_px, self.rms_px)
        return abs(self.value(px + total_px) - self.value(px - total_px)) / 2


def find_axis(lines: Sequence[TextLine], *, is_upright: bool) -> Axis | None:
    """Return the axis that the most labels fit, or None where fewer than three stand as a scale.

    Args:
        lines: of the whole picture.
        is_upright: look for labels above each other, else beside each other.
    """
    best: Axis | None = None
    for labels in _aligned(lines, is_upright):
        for is_log in (False, True):
            axis = _fit(labels, is_upright, is_log=is_log)
            if axis and (best is None or len(axis.ticks) > len(best.ticks)):
                best = axis
    return best


def _aligned(lines: Sequence[TextLine], is_upright: bool) -> list[list[tuple[TextLine, float, str]]]:
    """Return groups of numbers that stand in one column (by their right, middle or left), or in one row."""
    numbers = []
    for line in lines:
        number = parsed_number(line.text.replace(" ", ""))
        if number is not None and not line.is_vertical:
            plain = scaled(number)
            numbers.append((line, float(plain.value), plain.unit))
    groups = []
    for anchor in numbers:
        for place in (2, 0, None) if is_upright else (None,):
            near = [
                other
                for other in numbers
                if abs(_across(other[0], is_upright, place) - _across(anchor[0], is_upright, place))
                < 0.5 * anchor[0].height_px
                and other[2] == anchor[2]
            ]
            if len(near) >= MIN_TICKS and near not in groups:
                groups.append(near)
    return groups


def _across(line: TextLine, is_upright: bool, place: int | None) -> float:
    return line.center_px[0 if is_upright else 1] if place is None else line.box_px[place]


def _fit(labels: list[tuple[TextLine, float, str]], is_upright: bool, *, is_log: bool) -> Axis | None:
    points = [
        (line.center_px[1 if is_upright else 0], math.log10(value) if is_log else value, line)
        for line, value, _ in labels
        if not is_log or value > 0
    ]
    best: list[tuple[float, float, TextLine]] = []
    for one, other in itertools.combinations(points, 2):
        if one[0] == other[0] or one[1] == other[1]:
            continue
        step = (other[1] - one[1]) / (other[0] - one[0])
        near = [
            point
            for point in points
            if abs((point[1] - one[1]) / step + one[0] - point[0]) <= TOLERANCE * point[2].height_px
        ]
        if len(near) > len(best):
            best = near
    if len(best) < MIN_TICKS or len(best) < MIN_FITTED * len(labels):
        return None
    mean_px = sum(point[0] for point in best) / len(best)
    mean = sum(point[1] for point in best) / len(best)
    spread = sum((point[0] - mean_px) ** 2 for point in best)
    step = sum((point[0] - mean_px) * (point[1] - mean) for point in best) / spread
    start = mean - step * mean_px
    rms_px = math.sqrt(sum(((point[1] - start) / step - point[0]) ** 2 for point in best) / len(best))
    return Axis(is_upright, start, step, is_log, rms_px, labels[0][2], tuple(point[2] for point in best))
