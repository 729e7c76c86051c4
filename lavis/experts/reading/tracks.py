"""Text over time: the readings of one text in neighbouring pictures become one track with its best reading."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Sequence

from lavis.experts.reading.engine import TextLine

SAME = 0.75  # likeness of two readings, 0 … 1
MIN_SHARED_LETTERS = 3  # of a partial reading
MAX_GAP_VIEWS = 1  # in how many pictures a text may go unread in between
EDGE = 0.01  # nearer to the rim, a text may go on outside the picture; share of width or height


@dataclasses.dataclass
class Track:
    """One text and where it is seen.

    Attributes:
        best: the longest certain reading.
        views: numbers of the pictures that it is read in, ascending.
        order: its place among the lines of the first of them.
    """

    best: TextLine
    views: list[int]
    order: int
    last: TextLine

    @property
    def span(self) -> tuple[int, int]:
        """First and last picture."""
        return self.views[0], self.views[-1]


def tracks(views: Sequence[Sequence[TextLine]]) -> list[Track]:
    """Return every text once, in the order of first sight and then of reading.

    Args:
        views: lines of neighbouring pictures.
    """
    found: list[Track] = []
    for view, lines in enumerate(views):
        near = [track for track in found if view - track.views[-1] <= MAX_GAP_VIEWS + 1]
        pairs = sorted(
            (-likeness(line, track.last), -likeness(line, track.best), distance(line, track.last), k, j)
            for k, line in enumerate(lines)
            for j, track in enumerate(near)
        )
        taken_lines: set[int] = set()
        taken_tracks: set[int] = set()
        for like, like_best, _, k, j in pairs:
            if max(-like, -like_best) < SAME or k in taken_lines or j in taken_tracks:
                continue
            taken_lines.add(k)
            taken_tracks.add(j)
            _extend(near[j], lines[k], view)
        found += [Track(line, [view], k, line) for k, line in enumerate(lines) if k not in taken_lines]
    return sorted(found, key=lambda track: (track.views[0], track.order))


def likeness(one: TextLine, other: TextLine) -> float:
    """Return how sure it is that two readings are of one text, 0 … 1.

    Other figures are another text (a clock, a score), unless one reading is cut off at the rim of its picture.
    """
    a, b = _letters(one.text), _letters(other.text)
    if a == b:
        return 1.0
    short, long = (one, other) if len(a) < len(b) else (other, one)
    inner, outer = sorted((a, b), key=len)
    if len(inner) >= MIN_SHARED_LETTERS and inner in outer:
        rest = outer.replace(inner, "", 1)
        if not any(letter.isdigit() for letter in rest):
            return 0.9 if len(inner) >= 0.4 * len(outer) or _is_cut(short) else 0.0
        return 0.9 if _is_cut(short) and not _is_cut(long) else 0.0
    if re.findall(r"\d", a) != re.findall(r"\d", b):
        return 0.0
    return difflib.SequenceMatcher(None, a, b, autojunk=False).ratio()


def distance(one: TextLine, other: TextLine) -> float:
    """Return how far apart the middles of two lines are, in widths and heights of the picture."""
    a, b = one.box, other.box
    return abs(a[0] + a[2] - b[0] - b[2]) / 2 + abs(a[1] + a[3] - b[1] - b[3]) / 2


def _extend(track: Track, line: TextLine, view: int) -> None:
    track.views.append(view)
    track.last = line
    if _worth(line) > _worth(track.best):
        track.best = line


def _worth(line: TextLine) -> tuple[float, float]:
    """Return what makes a reading the better one: more letters, each counted by its confidence."""
    return round(len(_letters(line.text)) * line.confidence**4, 1), line.confidence


def _is_cut(line: TextLine) -> bool:
    left, top, right, bottom = line.box
    return left < EDGE or top < EDGE or right > 1 - EDGE or bottom > 1 - EDGE


def _letters(text: str) -> str:
    return re.sub(r"\W", "", text.lower())
