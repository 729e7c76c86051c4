"""Passages of long documents: cut by page, chosen by what the question asks, bounded in letters."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from lavis.datasets.question import Question
from lavis.experts.ranking import bm25, content_words
from lavis.experts.words import spread

PASSAGE_CHARS = 600
# An option names what may be looked for; a situation where one stands.
OPTION_WEIGHT, SITUATION_WEIGHT = 0.5, 0.5
# PDFium's sign for a word that goes on in the next line.
BROKEN_WORD = re.compile("[\ufffe\u0002\u00ad]\n?")


@dataclasses.dataclass(frozen=True)
class Passage:
    """A stretch of one page's text.

    Attributes:
        page: its number from 1.
        text: in one line.
    """

    page: int
    text: str


def passages(text: str, page: int) -> list[Passage]:
    """Cut a page's text at line ends (a longer line at spaces) into stretches of up to 600 letters.

    Args:
        text: lines ended by line feeds; an empty line ends a stretch.
        page: its number from 1.
    """
    found: list[Passage] = []
    held = ""
    for line in BROKEN_WORD.sub("", text).split("\n"):
        pieces = _pieces(" ".join(line.split()))
        if not pieces and len(held) > PASSAGE_CHARS // 4:
            found.append(Passage(page, held))
            held = ""
        for piece in pieces:
            if held and len(held) + len(piece) >= PASSAGE_CHARS:
                found.append(Passage(page, held))
                held = ""
            held = f"{held} {piece}" if held else piece
    return [*found, Passage(page, held)] if held else found


def nearest(found: Sequence[Passage], question: Question, max_chars: int) -> list[Passage]:
    """Choose the passages that bear on a question, in their own order.

    Pages that the question names come first, then passages by words in common with question, situation and options;
    where nothing has a word in common they are evenly spread. The first passage, which tells what the document is,
    is always there.

    Args:
        found: all passages.
        question: blind.
        max_chars: of all that are chosen.
    """
    if sum(len(one.text) for one in found) <= max_chars:
        return list(found)
    documents = [content_words(one.text) for one in found]
    named = pages_named(question)
    scores = [0.0] * len(found)
    for text, weight in (
        (question.text, 1.0),
        (question.situation, SITUATION_WEIGHT),
        (" ".join(question.options), OPTION_WEIGHT),
    ):
        if query := content_words(text):
            scores = [score + weight * more for score, more in zip(scores, bm25(documents, query), strict=True)]
    ranked = sorted(
        (k for k in range(len(found)) if scores[k] > 0 or found[k].page in named),
        key=lambda k: (found[k].page not in named, -round(scores[k], 9), k),
    )
    if not ranked:
        ranked = spread(len(found), max(1, max_chars // PASSAGE_CHARS))
    chosen, n_chars = {0}, len(found[0].text)
    for k in ranked:
        if k not in chosen and n_chars + len(found[k].text) <= max_chars:
            chosen.add(k)
            n_chars += len(found[k].text)
    return [found[k] for k in sorted(chosen)]


def pages_named(question: Question) -> set[int]:
    """Return the numbers that a question calls pages: ``page 7``, ``pages 3 and 4``, ``pages 3-5``."""
    named: set[int] = set()
    for first, joint, last in re.findall(
        r"\b(?:pages?|p\.)\s*(\d{1,4})(?:\s*(-|–|to|and|,|&)\s*(\d{1,4})\b)?", question.text.lower()
    ):
        numbers = {int(first), int(last or first)}
        if joint in ("-", "–", "to"):
            numbers |= set(range(min(numbers), min(max(numbers), min(numbers) + 50) + 1))
        named |= numbers
    return named


def _pieces(line: str) -> list[str]:
    pieces = []
    while len(line) > PASSAGE_CHARS:
        space = line.rfind(" ", 1, PASSAGE_CHARS)
        cut = space if space > 0 else PASSAGE_CHARS
        pieces.append(line[:cut].strip())
        line = line[cut:].strip()
    return [*pieces, line] if line else pieces
