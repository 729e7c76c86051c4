"""Sides of sounds whose levels are known."""

from __future__ import annotations

import numpy as np
import pytest
from sounds import tone

from lavis.experts.stereo import compare, level_db, place


def test_the_louder_side_is_told_in_db() -> None:
    """Ground truth: half the amplitude is 6 dB less."""
    one, other = tone(1, 16000), tone(1, 16000, hz=600, amplitude=0.125)
    assert str(compare(np.stack([one, other]))) == "The left channel is 6 dB louder than the right."
    assert str(compare(np.stack([other, one]))) == "The right channel is 6 dB louder than the left."
    equal = np.stack([one, tone(1, 16000, hz=600)])
    assert str(compare(equal)) == "Left and right are about equally loud."


def test_one_channel_twice_and_one_that_is_silent() -> None:
    one = tone(1, 16000)
    assert not compare(np.stack([one, one])).differ
    assert str(compare(np.stack([one, 1.001 * one]))) == (
        "Both channels are the same: left and right cannot be told apart."
    )
    assert str(compare(np.stack([0 * one, one]))) == "Only the right channel sounds."
    assert not compare(np.zeros((2, 100))).differ
    # The same with the sign turned is not one channel twice.
    assert compare(np.stack([one, -one])).differ


def test_level_and_place() -> None:
    assert level_db(tone(1, 16000, amplitude=1.0)) == pytest.approx(-3.01, abs=0.01)
    assert (place(3, 1), place(1, 3), place(2, 2)) == ("left", "right", "centre")
