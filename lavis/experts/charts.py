"""Charts as words: the table beside one where there is it, else its text, and values read from its scale."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.charts import Chart
from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.colors import dominant_colors
from lavis.experts.reading.axes import Axis, find_axis
from lavis.experts.reading.bars import Mark, find_bars, marks_of
from lavis.experts.reading.curves import curve_marks, is_colored, level_labels
from lavis.experts.reading.engine import PACKAGES, TextLine, shared_reader
from lavis.experts.reading.legend import Color, Key, keys, title_of
from lavis.experts.reading.shapes import Shape, main_colors, near, shapes, without_marks
from lavis.experts.reading.slices import slice_marks
from lavis.experts.tables import TableExpert

MAX_MARKS = 80
MAX_TEXTS = 60


@dataclasses.dataclass(frozen=True)
class Plot:
    """What was understood of a chart's picture.

    Attributes:
        kind: ``bars``, ``bars to the right``, ``curves`` or ``pie``; empty where nothing was.
        marks: its values.
        axis: the scale that they were read from; None for a pie.
        keys: of the legend.
        used: texts that are ticks, categories or keys.
    """

    kind: str = ""
    marks: tuple[Mark, ...] = ()
    axis: Axis | None = None
    keys: tuple[Key, ...] = ()
    used: tuple[TextLine, ...] = ()

    @property
    def n_named(self) -> int:
        """How many values have a category."""
        return sum(bool(mark.category) for mark in self.marks)


class ChartExpert(Expert):
    """Tells a chart by its table where one is stored, else by reading its picture.

    Bars, curves and pies with plain colours are measured; every measured value is told as an estimate. Where the
    picture is not understood, its text is told and nothing is measured.

    Args:
        measure: read values from the picture; without it only its text is told.
    """

    card = ExpertCard(
        name="chart",
        modality="chart",
        skill="F1",
        summary="title, axes, legend and values of a chart (bars, curves, pie), estimated where no table is stored",
        version="1",
        question_aware=True,
        cost="local",
    )
    packages = PACKAGES

    def __init__(self, *, measure: bool = True) -> None:
        if not isinstance(measure, bool):
            raise ConfigError(f"model.experts.chart: measure is true or false, not {measure!r}.")
        self.measure = measure

    def write(self, chart: Chart, *, question: Question) -> str:
        """Tell a chart.

        Args:
            chart: its picture, its table, or both.
            question: chooses rows of a long table; it comes without its gold answers.

        Returns:
            The table; or title, axes, legend and a line per series: ``- sold (blue): 2020: about 31 (±0.4)``.

        Raises:
            ModalityError: the chart has neither table nor picture, or its picture is empty.
            ConfigError: there is no table and RapidOCR is not installed; says how to install it.
        """
        if chart.table is not None:
            return f"The chart's values are stored:\n{TableExpert().write(chart.table, question=question)}"
        if chart.clip is None or 0 in chart.clip.array.shape:
            raise ModalityError("there is no picture of a chart to read.")
        picture = chart.clip.array
        lines = list(shared_reader().read(picture))
        if not lines:
            return "No readable text is found in the chart; without a scale its values can't be read."
        found = shapes(picture, lines)
        lines = without_marks(lines, found)
        plot = understood(picture, lines, found) if self.measure else Plot()
        told = _frame(lines, plot)
        if not plot.marks:
            why = (
                "The values were not read: bars, curves or slices on a scale were not recognised."
                if self.measure
                else ""
            )
            return "\n".join([*told, *([why] if why else [])])
        return "\n".join([*told, *_values(plot)])


def understood(picture: Array, lines: Sequence[TextLine], found: Sequence[Shape]) -> Plot:
    """Return what a chart's picture shows, as far as it is understood.

    Args:
        picture: [h, w, 3] uint8 RGB.
        lines: its text.
        found: its plain shapes.
    """
    best = Plot()
    for is_upright in (True, False):
        axis = find_axis(lines, is_upright=is_upright)
        plot = _bars(picture, lines, found, axis) if axis else best
        # Of two readings the one with more named bars is meant.
        if plot.n_named > best.n_named or not best.marks:
            best = plot
    if best.marks:
        return best
    upright = find_axis(lines, is_upright=True)
    if upright is not None:
        free = [line for line in lines if line not in upright.ticks]
        colors = main_colors(picture)
        legend = keys(picture, free, [color for color in colors if is_colored(color)])
        if marks := curve_marks(picture, lines, upright, colors, legend):
            used = (*upright.ticks, *level_labels(lines, upright), *(key.line for key in legend))
            return Plot("curves", tuple(marks), upright, tuple(legend), used)
    legend = keys(picture, lines, list(dict.fromkeys(shape.color for shape in found)))
    outside = [shape for shape in found if not any(_inside(shape.box_px, key.box_px) for key in legend)]
    if marks := slice_marks(outside, lines, legend):
        return Plot("pie", tuple(marks), None, tuple(legend), tuple(key.line for key in legend))
    return Plot()


def _bars(picture: Array, lines: Sequence[TextLine], found: Sequence[Shape], axis: Axis) -> Plot:
    bars = find_bars(found, lines, axis)
    free = [line for line in lines if line not in axis.ticks]
    legend = keys(picture, free, list(dict.fromkeys(bar.color for bar in bars)))
    outside = [shape for shape in found if not any(_inside(shape.box_px, key.box_px) for key in legend)]
    bars = find_bars(outside, lines, axis)
    if not bars:
        return Plot()
    named = [line for line in lines if line not in [key.line for key in legend]]
    marks, labels = marks_of(bars, named, axis)
    used = (*axis.ticks, *labels, *(key.line for key in legend))
    return Plot("bars" if axis.is_upright else "bars to the right", tuple(marks), axis, tuple(legend), used)


def _inside(inner: Sequence[float], outer: Sequence[float]) -> bool:
    return (
        outer[0] - 2 <= inner[0] and outer[1] - 2 <= inner[1] and inner[2] <= outer[2] + 2 and inner[3] <= outer[3] + 2
    )


def _frame(lines: Sequence[TextLine], plot: Plot) -> list[str]:
    """Return title, axes, legend and all other text."""
    title = title_of([line for line in lines if line not in plot.used])
    rest = [line for line in lines if line is not title and line not in plot.used]
    told = ["A chart, read from its picture by OCR."]
    if title is not None:
        told.append(f'Title: "{title.text}".')
    if plot.axis is not None:
        ticks = sorted(plot.axis.ticks, key=lambda line: plot.axis.value(_place(line, plot.axis)) if plot.axis else 0.0)
        way = "Upright" if plot.axis.is_upright else "Level"
        scale = "logarithmic " if plot.axis.is_log else ""
        told.append(f"{way} {scale}scale from {ticks[0].text} to {ticks[-1].text}.")
    upright = [line for line in rest if line.is_vertical]
    if upright:
        told.append(f"Text along an upright axis: {', '.join(_quoted(line) for line in upright)}.")
    if plot.keys:
        named = ", ".join(f'"{key.line.text}" is {_color(key.color)}' for key in plot.keys)
        told.append(f"Legend: {named}.")
    others = [line for line in rest if not line.is_vertical]
    if others:
        more = f" and {len(others) - MAX_TEXTS} more" if len(others) > MAX_TEXTS else ""
        told.append(f"Other text, in reading order: {', '.join(_quoted(line) for line in others[:MAX_TEXTS])}{more}.")
    return told


def _place(line: TextLine, axis: Axis) -> float:
    return line.center_px[1 if axis.is_upright else 0]


def _values(plot: Plot) -> list[str]:
    """Return a line per colour with its values."""
    unit = "%" if plot.kind == "pie" else plot.axis.unit if plot.axis else ""
    names = {"bars": "Bars", "bars to the right": "Bars", "curves": "Curves", "pie": "Slices of a pie"}
    source = "area" if plot.kind == "pie" else "scale"
    told = [f"{names[plot.kind]}; values are estimates from the {source} in the picture, ± their error:"]
    colors: list[Color] = []
    for mark in plot.marks:
        if not any(near(mark.color, color) for color in colors):
            colors.append(mark.color)
    n_told = 0
    for color in colors:
        name = next((key.line.text for key in plot.keys if near(key.color, color)), "")
        own = [mark for mark in plot.marks if near(mark.color, color)]
        shown = own[: max(0, MAX_MARKS - n_told)]
        n_told += len(shown)
        texts = [_told(mark, k, unit) for k, mark in enumerate(shown, 1)]
        head = f"{name} ({_color(color)})" if name and plot.kind != "pie" else _color(color)
        left_out = f"; {len(own) - len(shown)} more left out" if len(own) > len(shown) else ""
        told.append(f"- {head}: {'; '.join(texts)}{left_out}")
    return told


def _told(mark: Mark, number: int, unit: str) -> str:
    digits = max(0, -int(np.floor(np.log10(max(mark.error, 1e-9)))))
    value = f"{mark.value:.{digits}f}"
    value = value.removeprefix("-") if float(value) == 0 else value
    space = "" if unit in ("%", "") else " "
    printed = f', "{mark.printed}" is written at it' if mark.printed else ""
    error = f"{mark.error:.{digits}f}"
    return f"{mark.category or f'number {number}'}: about {value}{space}{unit} (±{error}){printed}"


def _quoted(line: TextLine) -> str:
    return f'"{line.text}"'


def _color(color: Color) -> str:
    return dominant_colors(np.array([[color]], dtype=np.uint8), max_names=1)[0]
