"""Truth: gel pictures that are drawn by hand: a bare gel, and imprints of known place, size, strength and pattern."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pytest
from photos import clip_of

from lavis.common.errors import ConfigError, ModalityError
from lavis.experts.relief import relief_of
from lavis.experts.touch import TouchExpert

HEIGHT, WIDTH = 120, 160
Picture = npt.NDArray[np.uint8]
ROWS, COLUMNS = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)


def gel(imprint: npt.NDArray[np.float64] | float = 0.0, *, noise: float = 1.0, seed: int = 0) -> Picture:
    """A gel that is shaded from the left to the right, with camera noise, and an imprint on it."""
    shading = 90.0 + 40.0 * COLUMNS / WIDTH
    grey = shading + imprint + np.random.default_rng(seed).normal(0.0, noise, (HEIGHT, WIDTH))
    return np.repeat(np.clip(grey, 0, 255)[..., None], 3, axis=-1).astype(np.uint8)


def disc(x: float, y: float, radius_px: float, strength: float = 60.0) -> npt.NDArray[np.float64]:
    """A round imprint about a place in shares of the picture."""
    inside = np.hypot(COLUMNS - x * WIDTH, ROWS - y * HEIGHT) <= radius_px
    return strength * inside.astype(np.float64)


def ridges(period_px: float, angle_deg: float, strength: float = 40.0) -> npt.NDArray[np.float64]:
    """Ridges that run at an angle above the horizontal."""
    angle = np.deg2rad(angle_deg)
    across = COLUMNS * np.sin(angle) + ROWS * np.cos(angle)
    return np.asarray(strength * np.sin(2 * np.pi * across / period_px))


def test_a_bare_gel_is_not_touched() -> None:
    text = TouchExpert().write(clip_of("touch", *(gel(seed=n) for n in range(4))))
    assert text == "The gel looks smooth and does not change over the clip: probably nothing touches it."


def test_contact_has_its_time_place_share_and_strength() -> None:
    """Ground truth: a disc of 20 px on the upper left (6.5 % of 160 by 120 px), 60 brighter, from 1 s to 1.5 s."""
    views = [gel(), gel(seed=1), gel(disc(0.2, 0.2, 20)), gel(disc(0.2, 0.2, 20), seed=2), gel(seed=3)]
    text = TouchExpert().write(clip_of("touch", *views))
    assert "The gel is touched from 1.0 s to 1.5 s; no contact in the other views." in text
    assert "at the upper left" in text and "compact" in text
    share, difference = re.findall(r"covers (\d+) % .* differs by (\d+) of 255", text)[0]
    assert float(share) == pytest.approx(6.5, abs=1.5)
    assert float(difference) == pytest.approx(60.0, abs=8.0)


@pytest.mark.parametrize(
    ("strengths", "said"),
    [
        ((0, 20, 40, 60, 80), "The press grows all the while."),
        ((0, 80, 60, 40, 20), "The press eases on the whole."),
        ((0, 20, 80, 80, 20), "The press grows until 1.0 s and then eases."),
        ((0, 80, 80, 80, 80), "The press stays about equally strong."),
    ],
)
def test_the_course_of_the_press_is_told(strengths: tuple[int, ...], said: str) -> None:
    views = [gel(disc(0.5, 0.5, 30, strength)) for strength in strengths]
    assert said in TouchExpert().write(clip_of("touch", *views))


def test_a_clip_that_begins_with_the_touch_is_compared_with_the_bare_gel_at_its_end() -> None:
    pressed = gel(disc(0.5, 0.5, 30) + ridges(8.0, 90.0) * (disc(0.5, 0.5, 30) > 0))
    text = TouchExpert().write(clip_of("touch", pressed, pressed, gel(), gel()))
    assert "The gel is touched from 0.0 s to 0.5 s; no contact in the other views." in text
    assert "from the view at 1.0 s, the calmest one" in text


@pytest.mark.parametrize(("strong_deg", "weak_deg"), [(0.0, 90.0), (90.0, 0.0)])
def test_the_stronger_of_two_patterns_has_the_say_whichever_way_it_runs(strong_deg: float, weak_deg: float) -> None:
    """Ground truth: three times the power of the other is half of all power beyond balance."""
    relief = relief_of(ridges(8.0, strong_deg, 3.0**0.5 * 20.0) + ridges(8.0, weak_deg, 20.0))
    assert relief is not None and relief.angle_deg is not None
    assert abs((relief.angle_deg - strong_deg + 90.0) % 180.0 - 90.0) < 6.0
    balanced = relief_of(ridges(8.0, strong_deg) + ridges(8.0, weak_deg))
    assert balanced is not None and balanced.angle_deg is None


def test_two_touches_and_their_parts_are_counted() -> None:
    two = disc(0.2, 0.5, 14) + disc(0.8, 0.5, 14)
    text = TouchExpert().write(clip_of("touch", gel(), gel(two), gel(), gel(two)))
    assert "touched at 0.5 s and at 1.5 s" in text and "in two parts" in text


def test_rings_and_bars_are_told_from_discs() -> None:
    ring = disc(0.5, 0.5, 45) - disc(0.5, 0.5, 33)
    bar = 60.0 * ((np.abs(ROWS - 60) < 6) & (np.abs(COLUMNS - 80) < 60))
    assert "closed like a ring" in TouchExpert().write(clip_of("touch", gel(), gel(ring)))
    assert "long, running horizontally" in TouchExpert().write(clip_of("touch", gel(), gel(bar)))
    upright = 60.0 * ((np.abs(COLUMNS - 80) < 6) & (np.abs(ROWS - 60) < 50))
    assert "long, running vertically" in TouchExpert().write(clip_of("touch", gel(), gel(upright)))


@pytest.mark.parametrize("period_px", [5.0, 8.0, 14.0, 24.0])
@pytest.mark.parametrize("angle_deg", [-60.0, -30.0, 0.0, 45.0, 90.0])
def test_ridges_have_their_period_and_direction(period_px: float, angle_deg: float) -> None:
    relief = relief_of(ridges(period_px, angle_deg))
    assert relief is not None and relief.period_px is not None and relief.angle_deg is not None
    assert relief.period_px == pytest.approx(period_px, rel=0.12)
    turned = (relief.angle_deg - angle_deg + 90.0) % 180.0 - 90.0  # a line at 90 degrees is one at -90
    assert abs(turned) < 6.0


def test_fine_and_coarse_and_irregular_relief_are_told_apart() -> None:
    fine, coarse = relief_of(ridges(4.0, 20.0)), relief_of(ridges(24.0, 20.0))
    noise = relief_of(np.random.default_rng(0).normal(0.0, 20.0, (HEIGHT, WIDTH)))
    assert fine is not None and coarse is not None and noise is not None
    assert (fine.grain, coarse.grain, noise.grain) == ("fine", "coarse", "fine")
    assert noise.period_px is None and noise.angle_deg is None
    assert relief_of(np.zeros((HEIGHT, WIDTH))) is None


def test_a_touch_that_never_changes_is_told_with_its_doubt() -> None:
    text = TouchExpert().write(clip_of("touch", *[gel(ridges(10.0, 90.0))] * 3))
    assert "probably something touches it all the time" in text
    assert "ridges run vertically, repeated every 10 px" in text
    alone = TouchExpert().write(clip_of("touch", gel(ridges(10.0, 90.0))))
    assert "in the only view" in alone


def test_black_pictures_are_no_touch_and_no_picture_is_an_error() -> None:
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert "nothing touches it" in TouchExpert().write(clip_of("touch", black, black))
    nothing = clip_of("touch", black)
    object.__setattr__(nothing, "array", nothing.array[:0])
    with pytest.raises(ModalityError, match=r"room1: there is no touch to look at \(data/touch/room1\)"):
        TouchExpert().write(nothing)
    with pytest.raises(ConfigError, match="min_difference"):
        TouchExpert(min_difference=0.0)
