"""Slides: each distinct one is told once, with its title, its lines in order and its time."""

from __future__ import annotations

import pytest
from drawings import Picture, drawn, frames

from lavis.common.errors import ConfigError, ModalityError
from lavis.experts.slides import SlidesExpert

pytest.importorskip("rapidocr", reason="RapidOCR reads the pictures")

SIZE = (640, 400)


def slide(title: str, *bullets: str) -> Picture:
    body = [(f"- {text}", 60, 110 + 50 * k, 24) for k, text in enumerate(bullets)]
    return drawn(SIZE, [(title, 40, 20, 46), *body])


INTRO = ("Photosynthesis", "Light is absorbed", "Water is split", "Sugar is made")


def test_slides_are_told_once_with_title_bullets_and_time() -> None:
    """Shown at 0 and 1 s, then another at 2 s, then the first again at 3 s."""
    first, second = slide(*INTRO), slide("Respiration", "Oxygen is used", "Energy is released")
    text = SlidesExpert().write(frames(first, first, second, first))

    assert text.splitlines() == [
        "Two slides with different text, recognised by machine:",
        'Slide 1 (from 0.0 s to 1.0 s and at 3.0 s): title "Photosynthesis"',
        "  - Light is absorbed",
        "  - Water is split",
        "  - Sugar is made",
        'Slide 2 (at 2.0 s): title "Respiration"',
        "  - Oxygen is used",
        "  - Energy is released",
    ]


def test_a_slide_that_is_built_up_is_one_slide_in_its_last_state() -> None:
    text = SlidesExpert().write(frames(*(slide(*INTRO[:n]) for n in (3, 4))))
    assert "One slide" in text and "(from 0.0 s to 1.0 s)" in text and "Sugar is made" in text


def test_two_columns_of_a_poster_are_read_one_after_the_other() -> None:
    left = ["The first column is read", "to its very end before", "anyone looks to the right"]
    right = ["and only then the second", "column follows with what", "it has to say on this"]
    texts = [("A poster in two columns", 40, 15, 46)]
    texts += [(text, 20, 110 + 40 * k, 22) for k, text in enumerate(left)]
    texts += [(text, 350, 110 + 40 * k, 22) for k, text in enumerate(right)]
    text = SlidesExpert().write(frames(drawn(SIZE, texts), rate_hz=None))
    assert [line.strip() for line in text.splitlines()[2:]] == left + right


def test_no_slide_no_picture_and_bounds() -> None:
    assert "No readable slide" in SlidesExpert().write(frames(drawn(SIZE, [])))
    with pytest.raises(ModalityError, match="there is no frame"):
        SlidesExpert().write(frames())
    told = SlidesExpert(max_lines=1).write(frames(slide(*INTRO)))
    assert "Light" in told and "Water" not in told and "(two further lines left out.)" in told
    for options in ({"max_slides": 0}, {"max_lines": 0}):
        with pytest.raises(ConfigError, match=r"model\.experts\.slides"):
            SlidesExpert(**options)
