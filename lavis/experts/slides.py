"""Slides and posters as words: the title, the blocks in reading order, and when one slide follows another."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence

from lavis.common.errors import ConfigError
from lavis.datasets.loaders.base import Clip
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.reading.engine import CERTAIN, PACKAGES, TextLine
from lavis.experts.reading.order import reading_rows
from lavis.experts.reading.views import read_views
from lavis.experts.words import between_moments, counted, listed

BULLET = re.compile(r"^\s*[•·●○▪■◦‣*–-]\s*(?=\S)")
# The title is so much taller than the usual line; lines of one block differ less.
TITLE_HEIGHT, SAME_HEIGHT = 1.15, 0.8
# Two pictures show one slide where they have so many of their words in common; one that grows keeps what it had.
SAME_WORDS, GROWN_WORDS = 0.8, 0.85


@dataclasses.dataclass(frozen=True)
class Slide:
    """One slide: its fullest reading and the stretches of pictures (first, last) that show it."""

    lines: tuple[TextLine, ...]
    spans: tuple[tuple[int, int], ...]


class SlidesExpert(Expert):
    """Tells each distinct slide once: title, then its lines in reading order.

    Args:
        max_slides: at most so many slides are told, the first ones.
        max_lines: at most so many lines per slide.
    """

    card = ExpertCard(
        name="slides",
        modality="frame",
        skill="E2",
        summary="slides and posters in the frames: title, bullets and blocks in reading order, and when slides change",
        version="1",
        cost="local",
    )
    packages = PACKAGES

    def __init__(self, *, max_slides: int = 12, max_lines: int = 40) -> None:
        if max_slides < 1 or max_lines < 1:
            raise ConfigError("model.experts.slides: max_slides and max_lines are 1 or more.")
        self.max_slides = max_slides
        self.max_lines = max_lines

    def write(self, clip: Clip) -> str:
        """Tell the slides of a clip.

        Args:
            clip: frames [t, h, w, 3] uint8 RGB.

        Returns:
            Per slide a header with its time and title, then a line per row of text; bullets begin with ``-``.

        Raises:
            ModalityError: the clip has no picture; names the medium and the path.
            ConfigError: RapidOCR is not installed; says how to install it.
        """
        views = read_views(clip)
        slides = distinct([tuple(line for line in lines if line.is_legible()) for lines in views])
        if not slides:
            return f"No readable slide is seen in the {counted(len(views), 'picture')} looked at."
        lines = [f"{counted(len(slides), 'slide')} with different text, recognised by machine:".capitalize()]
        for number, slide in enumerate(slides[: self.max_slides], 1):
            lines += self._told(clip, slide, number)
        if len(slides) > self.max_slides:
            lines.append(f"({counted(len(slides) - self.max_slides, 'later slide')} left out.)")
        return "\n".join(lines)

    def _told(self, clip: Clip, slide: Slide, number: int) -> list[str]:
        title, body = split_title(slide.lines)
        when = listed(between_moments(clip, *span) for span in slide.spans)
        name = f'title "{" ".join(_marked(line) for line in title)}"' if title else "no line stands out as title"
        rows = reading_rows([line.box_px for line in body])
        told = []
        for row in rows[: self.max_lines]:
            text = "   ".join(_marked(body[k]) for k in row)
            told.append(f"  - {BULLET.sub('', text)}" if BULLET.match(text) else f"  {text}")
        if len(rows) > self.max_lines:
            told.append(f"  ({counted(len(rows) - self.max_lines, 'further line')} left out.)")
        return [f"Slide {number} ({when}): {name}", *told]


def distinct(views: Sequence[tuple[TextLine, ...]]) -> list[Slide]:
    """Return the slides in the order of their first sight; one that is shown again is the same slide.

    Args:
        views: lines of neighbouring pictures; those without text show no slide.
    """
    slides: list[Slide] = []
    current = -1
    for view, lines in enumerate(views):
        if not lines:
            current = -1
            continue
        known = next((k for k in reversed(range(len(slides))) if _is_same(slides[k].lines, lines)), None)
        if known is None:
            slides.append(Slide(lines, ((view, view),)))
            current = len(slides) - 1
            continue
        slide = slides[known]
        spans = (*slide.spans[:-1], (slide.spans[-1][0], view)) if known == current else (*slide.spans, (view, view))
        slides[known] = Slide(max(slide.lines, lines, key=_n_letters), spans)
        current = known
    return slides


def split_title(lines: Sequence[TextLine]) -> tuple[list[TextLine], list[TextLine]]:
    """Return (lines of the title, the others): the tallest writing, where it stands out and above most of the rest."""
    if len(lines) < 2:
        return list(lines), []
    heights = sorted(line.height_px for line in lines if not line.is_vertical) or [0.0]
    usual, tallest = heights[(len(heights) - 1) // 2], heights[-1]
    if tallest < TITLE_HEIGHT * usual:
        return [], list(lines)
    title = [line for line in lines if not line.is_vertical and line.height_px >= SAME_HEIGHT * tallest]
    title = [line for line in title if line.height_px >= TITLE_HEIGHT * usual]
    # What is large but elsewhere (a number in a picture) is no second line of the title.
    first = title[0]
    reach = first.box_px[3] + 1.5 * first.height_px
    joined = [first]
    for line in title[1:]:
        if line.box_px[1] <= reach:
            joined.append(line)
            reach = max(reach, line.box_px[3] + 1.5 * line.height_px)
    return joined, [line for line in lines if line not in joined]


def _is_same(one: Sequence[TextLine], other: Sequence[TextLine]) -> bool:
    a, b = _words(one), _words(other)
    shared = sum((a & b).values())
    both = sum((a | b).values())
    smaller = min(sum(a.values()), sum(b.values()))
    if not smaller:
        return not both
    grown = shared >= GROWN_WORDS * smaller and smaller >= 3 and _title_words(one) == _title_words(other)
    return shared >= SAME_WORDS * both or grown


def _title_words(lines: Sequence[TextLine]) -> Counter[str]:
    title, body = split_title(lines)
    return _words(title or body[:1])


def _words(lines: Sequence[TextLine]) -> Counter[str]:
    return Counter(word for line in lines for word in re.findall(r"\w+", line.text.lower()))


def _n_letters(lines: Sequence[TextLine]) -> float:
    return sum(len(line.text) * line.confidence for line in lines)


def _marked(line: TextLine) -> str:
    return line.text if line.confidence >= CERTAIN else f"{line.text} [uncertain, {line.confidence:.2f}]"
