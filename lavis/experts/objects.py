"""Detected objects as words: where they are in the picture, how large, in what colour, and how two of them lie."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lavis.experts.colors import dominant_colors
from lavis.experts.detector import Detection
from lavis.experts.words import counted

Box = tuple[float, float, float, float]  # left, top, right, bottom as shares of width and height

COLUMNS = ("left", "centre", "right")
WEARER = "person"  # whose colour is that of the clothes
SIZES = ((0.25, "large"), (0.03, "medium-sized"), (0.0, "small"))  # by the share of the picture
CARRIERS = frozenset(("dining table", "bed", "couch", "chair", "bench", "surfboard", "skateboard", "oven", "sink"))
INSIDE = 0.8  # of the smaller box
OVERLAP = 0.25  # of the smaller box
CLEAR_GAP = 0.02  # boxes are drawn to about this share of the picture
BESIDE = 0.25  # a wider gap is not "next to"
IN_FRONT = 0.08  # how much lower the nearer one's foot must stand


def where(box: Box) -> str:
    """Return ``left``, ``upper centre`` … for the middle of a box."""
    across, down = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    column = COLUMNS[min(2, int(3 * across))]
    return f"upper {column}" if down < 1 / 3 else f"lower {column}" if down > 2 / 3 else column


def at_place(box: Box) -> str:
    """Return ``at the left``, ``in the upper centre`` … for the middle of a box."""
    place = where(box)
    return f"in the {place}" if place.endswith("centre") else f"at the {place}"


def size_word(box: Box) -> str:
    """Return ``large``, ``medium-sized`` or ``small`` by the share of the picture that a box covers."""
    share = (box[2] - box[0]) * (box[3] - box[1])
    return next(word for least, word in SIZES if share >= least)


def inner(box: Box, height: int, width: int) -> tuple[slice, slice]:
    """Return rows and columns of the middle half of a box, at least one of each: its rim is mostly background."""
    left, top, right, bottom = box
    inset_x, inset_y = (right - left) / 4, (bottom - top) / 4
    x0, x1 = int((left + inset_x) * width), int((right - inset_x) * width)
    y0, y1 = int((top + inset_y) * height), int((bottom - inset_y) * height)
    x0, y0 = min(x0, width - 1), min(y0, height - 1)
    return slice(y0, max(y1, y0 + 1)), slice(x0, max(x1, x0 + 1))


def color_of(picture: npt.NDArray[np.uint8], box: Box) -> str:
    """Return the main colour of the middle half of a box in a picture [h, w, 3]."""
    rows, columns = inner(box, picture.shape[0], picture.shape[1])
    return dominant_colors(picture[rows, columns], max_names=1)[0]


def named(label: str, color: str, *, number: int = 1, adjective: str = "") -> str:
    """Return ``two large brown chairs``; a person's colour is worn: ``one person in red``."""
    if label == WEARER:
        return counted(number, label, adjective=adjective) + (f" in {color}" if color else "")
    return counted(number, label, adjective=" ".join(part for part in (adjective, color) if part))


def overlap_share(one: Box, other: Box) -> float:
    """Return how much of the smaller box lies in the other, 0 … 1."""
    smaller = min((one[2] - one[0]) * (one[3] - one[1]), (other[2] - other[0]) * (other[3] - other[1]))
    return _shared(one, other) / smaller if smaller > 0 else 0.0


def intersection_over_union(one: Box, other: Box) -> float:
    """Return the Jaccard index of two boxes, 0 … 1."""
    shared = _shared(one, other)
    both = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1]) - shared
    return shared / both if both > 0 else 0.0


def _shared(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def relation(one: Detection, other: Detection) -> str:
    """Return how one object lies to another in the picture: ``on``, ``inside the outline of`` … ; empty if unclear.

    ``on`` is said of a smaller thing over the outline of a piece of furniture whose foot is lower;
    ``in front of`` of one whose foot stands clearly lower while the outlines overlap. Both are
    readings of a flat picture.
    """
    a, b = one.box, other.box
    covered = overlap_share(a, b)
    if other.label in CARRIERS and one.area < other.area and covered >= 0.5 and a[3] <= b[3] - CLEAR_GAP:
        return "on"
    if covered >= INSIDE and one.area < other.area:
        return "inside the outline of"
    if covered >= OVERLAP:
        return "in front of" if a[3] - b[3] >= IN_FRONT else "behind" if b[3] - a[3] >= IN_FRONT else "overlapping"
    gaps = (("left of", b[0] - a[2]), ("right of", a[0] - b[2]), ("above", b[1] - a[3]), ("below", a[1] - b[3]))
    name, gap = max(gaps, key=lambda pair: pair[1])
    if gap < -CLEAR_GAP:
        return ""
    level = min(a[3], b[3]) - max(a[1], b[1]) > 0 and name in ("left of", "right of")
    return f"next to and {name}" if level and gap <= BESIDE else name
