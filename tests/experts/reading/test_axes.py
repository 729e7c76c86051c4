"""Scales of axes: ticks whose places are known, with labels that were misread among them."""

from __future__ import annotations

import pytest

from lavis.experts.reading.axes import find_axis
from lavis.experts.reading.engine import TextLine


def label(text: str, x: float, y: float) -> TextLine:
    width = 9.0 * len(text)
    return TextLine(text, 0.99, (x - width, y - 8, x, y + 8), (640, 480))


def test_an_upright_scale_is_found_among_other_numbers_and_a_misread_label() -> None:
    """0 stands at 400 px and 10 at 300 px; the label of 30 was read as 80; years stand below."""
    ticks = [label(text, 60, 400 - 100 * k) for k, text in enumerate(("0", "10", "20", "80"))]
    years = [label(str(year), 100 + 100 * k, 430) for k, year in enumerate(range(2018, 2022))]
    axis = find_axis([*ticks, *years], is_upright=True)
    assert axis is not None and not axis.is_log and [tick.text for tick in axis.ticks] == ["0", "10", "20"]
    assert axis.value(250) == pytest.approx(15) and axis.px(5) == pytest.approx(350)
    assert axis.error(250) == pytest.approx(0.15, abs=0.01)
    level = find_axis([*ticks, *years], is_upright=False)
    assert level is not None and len(level.ticks) == 4 and level.step == pytest.approx(0.01)


def test_a_logarithmic_scale_and_units() -> None:
    axis = find_axis(
        [label(text, 60, 400 - 100 * k) for k, text in enumerate(("1", "10", "100", "1k"))], is_upright=True
    )
    assert axis is not None and axis.is_log and axis.value(150) == pytest.approx(10**2.5)
    share = find_axis([label(f"{10 * k}%", 60, 400 - 100 * k) for k in range(4)], is_upright=True)
    assert share is not None and share.unit == "%" and share.value(350) == pytest.approx(5)


def test_numbers_that_make_no_scale() -> None:
    scattered = [label(text, 60, 400 - 100 * k) for k, text in enumerate(("3", "17", "4", "91"))]
    assert find_axis(scattered, is_upright=True) is None
    assert find_axis(scattered[:2], is_upright=True) is None and find_axis([], is_upright=True) is None
