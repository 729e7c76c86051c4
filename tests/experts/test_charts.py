"""Charts: values that were drawn are told within their error; what is not understood is not measured."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.datasets.loaders.charts import Chart, ChartLoader
from lavis.datasets.question import Media, Question
from lavis.experts.charts import ChartExpert

QUESTION = Question("q", "Which is highest?", Media("c", {}))
SIZE, LEFT, BASE, STEP_PX = (640, 480), 90, 400, 80  # the scale: 10 units every 80 px
NAMES = ("Apples", "Pears", "Plums")


def canvas(title: str, *, upright: bool = True) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Draw paper, title and a scale from 0 to 40."""
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    draw.text((230, 12), title, fill="black", font=ImageFont.load_default(size=24))
    for k in range(5):
        at = (LEFT - 12, BASE - STEP_PX * k) if upright else (LEFT + 100 * k, BASE + 22)
        write(draw, str(10 * k), at, anchor="rm" if upright else "mm")
    draw.line((LEFT - 2, 60, LEFT - 2, BASE), fill="black")
    draw.line((LEFT - 2, BASE + 1, 600, BASE + 1), fill="black")
    return image, draw


def write(draw: ImageDraw.ImageDraw, text: str, at: tuple[int, int], *, anchor: str = "mm") -> None:
    draw.text(at, text, fill="black", font=ImageFont.load_default(size=18), anchor=anchor)


def legend(draw: ImageDraw.ImageDraw, entries: Sequence[tuple[str, str]]) -> None:
    for k, (name, color) in enumerate(entries):
        draw.rectangle((480, 64 + 30 * k, 508, 76 + 30 * k), fill=color)
        write(draw, name, (518, 70 + 30 * k), anchor="lm")


def evidence(image: Image.Image, **options: bool) -> str:
    pytest.importorskip("rapidocr", reason="RapidOCR reads the pictures")
    clip = Clip("c", "chart", np.asarray(image), "h w c", "uint8 RGB", Path("data/c.png"))
    return ChartExpert(**options).write(Chart(clip, None), question=QUESTION)


def told(text: str, series: str) -> dict[str, tuple[float, float]]:
    """Return category → (value, error) of the line of one series."""
    line = next(line for line in text.splitlines() if line.startswith(f"- {series}"))
    values = re.findall(r"(\w[\w ]*): about (-?[\d.]+)%? \(±([\d.]+)\)", line)
    return {name: (float(value), float(error)) for name, value, error in values}


def assert_values(found: dict[str, tuple[float, float]], expected: dict[str, float]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert abs(found[name][0] - value) <= found[name][1] + 0.1 and found[name][1] < 1, (name, found[name])


def test_grouped_bars_with_a_legend_are_measured() -> None:
    image, draw = canvas("Fruit sold")
    north, south = (31.0, 12.5, 25.0), (20.0, 18.0, 5.0)
    for k, name in enumerate(NAMES):
        x = 140 + 110 * k
        draw.rectangle((x, BASE - 8 * north[k], x + 29, BASE - 1), fill="steelblue")
        draw.rectangle((x + 34, BASE - 8 * south[k], x + 63, BASE - 1), fill="darkorange")
        write(draw, name, (x + 32, BASE + 22))
    legend(draw, [("North", "steelblue"), ("South", "darkorange")])
    text = evidence(image)

    assert 'Title: "Fruit sold".' in text and "Upright scale from 0 to 40." in text
    assert '"North" is blue' in text and "estimates" in text
    assert_values(told(text, "North (blue)"), dict(zip(NAMES, north, strict=True)))
    assert_values(told(text, "South (orange)"), dict(zip(NAMES, south, strict=True)))


def test_stacked_bars_are_told_piece_by_piece() -> None:
    image, draw = canvas("Stacked")
    lower, upper = (10.0, 20.0, 5.0), (15.0, 8.0, 30.0)
    for k, name in enumerate(NAMES):
        x, joint = 140 + 110 * k, BASE - 8 * lower[k]
        draw.rectangle((x, joint, x + 59, BASE - 1), fill="seagreen")
        draw.rectangle((x, joint - 8 * upper[k], x + 59, joint - 1), fill="purple")
        write(draw, name, (x + 30, BASE + 22))
    text = evidence(image)
    assert_values(told(text, "green"), dict(zip(NAMES, lower, strict=True)))
    assert_values(told(text, "purple"), dict(zip(NAMES, upper, strict=True)))


def test_bars_to_the_right_are_measured() -> None:
    image, draw = canvas("To the right", upright=False)
    values = (35.0, 12.0, 20.0)
    for k, name in enumerate(NAMES):
        y = 100 + 90 * k
        draw.rectangle((LEFT, y, LEFT + 10 * values[k], y + 39), fill="firebrick")
        write(draw, name, (LEFT - 12, y + 20), anchor="rm")
    assert_values(told(evidence(image), "red"), dict(zip(NAMES, values, strict=True)))


def test_curves_are_measured_over_the_labels() -> None:
    image, draw = canvas("Rainy days")
    years, values = ("2018", "2019", "2020", "2021"), (10.0, 30.0, 15.0, 20.0)
    points = [(140 + 100 * k, BASE - 8 * value) for k, value in enumerate(values)]
    draw.line(points, fill="royalblue", width=3)
    for k, year in enumerate(years):
        write(draw, year, (140 + 100 * k, BASE + 22))
    text = evidence(image)
    assert "Curves;" in text
    found = told(text, "blue")
    assert found.keys() == set(years)
    for year, value in zip(years, values, strict=True):
        assert found[year][0] == pytest.approx(value, abs=found[year][1] + 0.5)  # the joints of the line are cut


def test_a_pie_is_told_by_its_areas() -> None:
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    start = 0.0
    for share, color in ((50, "steelblue"), (30, "darkorange"), (20, "seagreen")):
        draw.pieslice((120, 100, 420, 400), start, start + 3.6 * share, fill=color)
        start += 3.6 * share
    legend(draw, [("Coal", "steelblue"), ("Gas", "darkorange"), ("Wind", "seagreen")])
    text = evidence(image)
    for color, name, share in (("blue", "Coal", 50), ("orange", "Gas", 30), ("green", "Wind", 20)):
        assert told(text, color)[name][0] == pytest.approx(share, abs=1)


def test_what_is_not_understood_is_told_as_text_alone() -> None:
    """Points of a scatter plot, and bars without a scale."""
    image, draw = canvas("Scatter")
    generator = np.random.default_rng(0)
    for x, y in zip(generator.integers(120, 560, 30), generator.integers(90, 380, 30), strict=True):
        draw.ellipse((x, y, x + 8, y + 8), fill="royalblue")
    text = evidence(image)
    assert "The values were not read" in text and "about" not in text and 'Title: "Scatter".' in text
    bare = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(bare)
    for k, name in enumerate(NAMES):
        draw.rectangle((140 + 110 * k, 200 + 40 * k, 200 + 110 * k, BASE), fill="steelblue")
        write(draw, name, (170 + 110 * k, BASE + 22))
    text = evidence(bare)
    assert "The values were not read" in text and all(f'"{name}"' in text for name in NAMES)
    assert "not read" not in evidence(bare, measure=False)


def test_a_stored_table_is_told_instead_of_the_picture(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20), "white").save(tmp_path / "c.png")
    (tmp_path / "c.csv").write_text("year,sold\n2020,3\n2021,5\n", encoding="utf-8")
    text = ChartExpert().write(ChartLoader().load(tmp_path / "c.png", media_id="c"), question=QUESTION)
    assert text.startswith("The chart's values are stored:\nTable of 2 rows") and "2 | 2021 | 5" in text


def test_charts_without_anything_to_read() -> None:
    assert "No readable text" in evidence(Image.new("RGB", (60, 40), "white"))
    with pytest.raises(ModalityError, match="no picture of a chart"):
        ChartExpert().write(Chart(None, None), question=QUESTION)
    with pytest.raises(ConfigError, match=r"model\.experts\.chart"):
        ChartExpert(measure="yes")  # type: ignore[arg-type]
