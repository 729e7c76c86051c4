"""Text in frames: what was drawn is what is quoted, at its place and time, once."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import drawn, frames

from lavis.common.errors import ConfigError, ModalityError
from lavis.experts.ocr import OcrExpert

pytest.importorskip("rapidocr", reason="RapidOCR reads the pictures")

SIZE = (480, 320)


def test_a_sign_is_quoted_once_with_its_place_and_time() -> None:
    """EXIT stands upper right from 0 to 2 s; PLATFORM 9 lower left at 3 s; the frame at 4 s is empty."""
    exits = [drawn(SIZE, [("EXIT", 340 + dx, 20, 40)], ink="darkred") for dx in (0, 3, 6)]
    platform = drawn(SIZE, [("PLATFORM 9", 20, 260, 30)], ground="navy", ink="white")
    text = OcrExpert().write(frames(*exits, platform, drawn(SIZE, [])))

    assert text.splitlines() == [
        "Text recognised in five pictures, with its place in the picture:",
        "From 0.0 s to 2.0 s:",
        '- "EXIT" (upper right)',
        "At 3.0 s:",
        '- "PLATFORM 9" (lower left)',
    ]


def test_a_text_that_comes_into_the_picture_is_told_by_its_whole_reading() -> None:
    """The word moves in from the right: its first letters alone, then all of it; it is one text."""
    clip = frames(*(drawn(SIZE, [("BOULANGERIE", left, 140, 40)]) for left in (330, 200, 100)))
    text = OcrExpert().write(clip)
    assert text.count('- "') == 1 and '"BOULANGERIE"' in text and "From 0.0 s to 2.0 s:" in text


def test_a_clock_that_goes_on_is_several_texts() -> None:
    text = OcrExpert().write(frames(*(drawn(SIZE, [(f"12:0{n}", 180, 140, 40)]) for n in (1, 2, 3))))
    assert [f'"12:0{n}"' in text for n in (1, 2, 3)] == [True] * 3


def test_text_turned_by_90_and_180_degrees_is_read() -> None:
    upright = drawn(SIZE, [("EMERGENCY DOOR 12", 60, 140, 32)])
    for turns in (1, 2, 3):
        text = OcrExpert().write(frames(np.rot90(upright, turns)))
        assert '"EMERGENCY DOOR 12"' in text and ("runs vertically" in text) == (turns % 2 == 1)


def test_pictures_without_text_or_time_and_none_at_all() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    text = OcrExpert().write(frames(noise, drawn((160, 120), [])))
    assert text.startswith("No readable text is found in the two pictures looked at.")
    assert "In frame 0:" in OcrExpert().write(frames(drawn(SIZE, [("TAXI", 200, 100, 40)]), rate_hz=None))
    assert "No readable text" in OcrExpert().write(frames(drawn((3, 2), [])))
    with pytest.raises(ModalityError, match="clip1: there is no frame to read"):
        OcrExpert().write(frames())


def test_the_most_prominent_texts_are_kept() -> None:
    picture = drawn(SIZE, [("SMALL", 20, 20, 16), ("GIANT", 20, 150, 80), ("LITTLE", 300, 20, 16)])
    text = OcrExpert(max_texts=1).write(frames(picture))
    assert '"GIANT"' in text and "SMALL" not in text and "(two less prominent texts left out.)" in text
    for options in ({"min_confidence": 0.2}, {"min_confidence": 1.0}, {"max_texts": 0}):
        with pytest.raises(ConfigError, match=r"model\.experts\.ocr"):
            OcrExpert(**options)
