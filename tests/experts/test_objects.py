"""Truth: boxes whose place, size and relation are drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lavis.experts.detector import Detection
from lavis.experts.objects import (
    at_place,
    color_of,
    inner,
    intersection_over_union,
    named,
    overlap_share,
    relation,
    size_word,
    where,
)

CUP = (0.4, 0.4, 0.5, 0.5)


def thing(label: str, *box: float) -> Detection:
    left, top, right, bottom = box
    return Detection(label, 0.9, (left, top, right, bottom))


@pytest.mark.parametrize(
    ("box", "place", "phrase"),
    [
        ((0.0, 0.0, 0.2, 0.2), "upper left", "at the upper left"),
        ((0.4, 0.4, 0.6, 0.6), "centre", "in the centre"),
        ((0.4, 0.8, 0.6, 1.0), "lower centre", "in the lower centre"),
        ((0.8, 0.4, 1.0, 0.6), "right", "at the right"),
    ],
)
def test_places_are_ninths_of_the_picture(box: tuple[float, float, float, float], place: str, phrase: str) -> None:
    assert (where(box), at_place(box)) == (place, phrase)


@pytest.mark.parametrize(("side", "word"), [(0.1, "small"), (0.3, "medium-sized"), (0.6, "large")])
def test_sizes_are_shares_of_the_picture(side: float, word: str) -> None:
    assert size_word((0.1, 0.1, 0.1 + side, 0.1 + side)) == word


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (thing("cup", *CUP), thing("dining table", 0.2, 0.45, 0.8, 0.9), "on"),
        (thing("cup", *CUP), thing("person", 0.2, 0.2, 0.8, 0.9), "inside the outline of"),
        (thing("dog", 0.3, 0.5, 0.6, 0.95), thing("couch", 0.2, 0.4, 0.5, 0.7), "in front of"),
        (thing("couch", 0.2, 0.4, 0.5, 0.7), thing("dog", 0.3, 0.5, 0.6, 0.95), "behind"),
        (thing("chair", 0.1, 0.5, 0.3, 0.8), thing("chair", 0.4, 0.5, 0.6, 0.8), "next to and left of"),
        (thing("chair", 0.0, 0.5, 0.1, 0.8), thing("chair", 0.8, 0.5, 0.9, 0.8), "left of"),
        (thing("clock", 0.4, 0.0, 0.5, 0.1), thing("couch", 0.3, 0.5, 0.7, 0.8), "above"),
        (thing("couch", 0.3, 0.5, 0.7, 0.8), thing("clock", 0.4, 0.0, 0.5, 0.1), "below"),
    ],
)
def test_relations_read_from_the_picture(one: Detection, other: Detection, words: str) -> None:
    assert relation(one, other) == words


def test_overlap_and_union() -> None:
    assert overlap_share(CUP, (0.4, 0.4, 0.45, 0.5)) == pytest.approx(1.0)
    assert intersection_over_union(CUP, (0.45, 0.4, 0.55, 0.5)) == pytest.approx(1 / 3)
    assert overlap_share((0.1, 0.1, 0.1, 0.1), CUP) == 0.0


def test_the_colour_is_that_of_the_middle_and_clothes_are_worn() -> None:
    picture = np.full((100, 100, 3), 255, dtype=np.uint8)
    picture[42:48, 42:48] = (200, 30, 30)
    assert color_of(picture, CUP) == "red"
    assert named("person", "red", number=2) == "two people in red"
    assert named("chair", "red", number=2, adjective="large") == "two large red chairs"


@pytest.mark.parametrize("box", [(0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0)])
def test_the_middle_of_any_box_holds_a_pixel(box: tuple[float, float, float, float]) -> None:
    rows, columns = inner(box, 3, 5)
    assert np.zeros((3, 5))[rows, columns].size > 0
