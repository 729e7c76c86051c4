"""Truth: thermal pictures that are drawn by hand: warm and cold spots of known place, size and strength."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pytest
from photos import clip_of

from lavis.common.errors import ConfigError, ModalityError
from lavis.experts.thermal import ThermalExpert

HEIGHT, WIDTH = 120, 160
Picture = npt.NDArray[np.uint8]
Spot = tuple[float, float, float]  # x and y in shares of the picture, and how much brighter
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)


def view(*spots: Spot, rest: float = 80.0, radius_px: float = 12.0) -> Picture:
    grey = np.full((HEIGHT, WIDTH), rest)
    for x, y, contrast in spots:
        grey += contrast * (np.hypot(COLUMNS - x * WIDTH, ROWS - y * HEIGHT) <= radius_px)
    grey += np.random.default_rng(1).normal(0.0, 1.0, grey.shape)
    return np.repeat(np.clip(grey, 0, 255)[..., None], 3, axis=-1).astype(np.uint8)


def test_warm_regions_are_counted_placed_and_measured() -> None:
    """Ground truth: two discs of 12 px radius (2.4 % of 160 by 120 px, 3 % with their boxes), 100 and 90 brighter."""
    text = ThermalExpert().write(clip_of("thermal", view((0.2, 0.5, 100.0), (0.8, 0.2, 90.0))))
    assert "Two warm regions stand out most at 0.0 s" in text
    found = re.findall(r"(at the [a-z ]+) \((\d+) % of the picture, up to (\d+) brighter\)", text)
    assert [place for place, _, _ in found] == ["at the left", "at the upper right"]
    for (_, share, contrast), truth in zip(found, (100.0, 90.0), strict=True):
        assert float(share) == pytest.approx(3.0, abs=1.0)
        assert float(contrast) == pytest.approx(truth, abs=6.0)
    assert "not" not in text.splitlines()[0] and "no degrees" in text


def test_a_large_warm_thing_is_measured_against_what_it_leaves_of_the_rest() -> None:
    """Ground truth: a disc that fills a quarter of the picture, 100 brighter."""
    text = ThermalExpert().write(clip_of("thermal", view((0.5, 0.5, 100.0), radius_px=40.0)))
    contrast = re.search(r"up to (\d+) brighter", text)
    assert contrast is not None and float(contrast[1]) == pytest.approx(100.0, abs=6.0)


def test_a_spot_that_fades_is_told_with_its_numbers() -> None:
    text = ThermalExpert().write(clip_of("thermal", *(view((0.5, 0.5, c)) for c in (150.0, 110.0, 70.0, 30.0))))
    said = re.search(r"in the centre fades \((\d+) to (\d+) above the rest from 0.0 s to 1.5 s\)", text)
    assert said is not None
    assert float(said[1]) == pytest.approx(150.0, abs=6.0) and float(said[2]) == pytest.approx(30.0, abs=6.0)
    assert "gets warmer" in ThermalExpert().write(
        clip_of("thermal", *(view((0.5, 0.5, c)) for c in (40.0, 80.0, 150.0)))
    )


def test_a_spot_that_moves_appears_and_leaves_is_followed() -> None:
    moving = [view((x, 0.5, 100.0)) for x in (0.2, 0.32, 0.44, 0.56)]
    text = ThermalExpert().write(clip_of("thermal", view(), *moving, view()))
    assert "stays as warm" in text and "moves from left to right" in text
    assert "first seen at 0.5 s" in text and "no longer seen at 2.5 s" in text


def test_cold_regions_and_the_coldest_part_are_told() -> None:
    text = ThermalExpert().write(clip_of("thermal", view((0.2, 0.8, -60.0))))
    assert "No warm region stands out." in text
    assert "One cold region stands out most at 0.0 s: at the lower left" in text
    assert "the coldest at the lower left" in text


def test_the_rest_of_the_picture_drifts_or_does_not() -> None:
    assert "The rest of the picture gets brighter by 40." in ThermalExpert().write(
        clip_of("thermal", view(rest=60.0), view(rest=100.0))
    )
    assert "The rest of the picture stays the same." in ThermalExpert().write(clip_of("thermal", view(), view()))


def test_false_colours_are_pointed_out() -> None:
    colored = view((0.5, 0.5, 100.0)).copy()
    colored[..., 2] = 255 - colored[..., 2]
    assert "false colours" in ThermalExpert().write(clip_of("thermal", colored))
    assert "false colours" not in ThermalExpert().write(clip_of("thermal", view((0.5, 0.5, 100.0))))


def test_black_pictures_show_nothing_and_no_picture_is_an_error() -> None:
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    text = ThermalExpert().write(clip_of("thermal", black))
    assert "No warm region stands out." in text and "equally bright everywhere (mean 0)" in text
    nothing = clip_of("thermal", black)
    object.__setattr__(nothing, "array", nothing.array[:0])
    with pytest.raises(ModalityError, match=r"room1: there is no thermal to look at \(data/thermal/room1\)"):
        ThermalExpert().write(nothing)
    with pytest.raises(ConfigError, match="min_contrast"):
        ThermalExpert(min_contrast=300.0)
