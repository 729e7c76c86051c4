"""What lmms-eval reads out of a Video-MMMU response: an option's letter, or texts and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from lavis.tasks.rows import LETTERS

# How a letter may be marked, and where the last mark is looked for. The first two are both collected, the
# others only where nothing was found before.
MARKS = (("{}.", "{}."), ("{}:", "{}:"), ("({})", "({})"), ("{} ", " {} "))
# A response of more words than this may name an option by its text.
MAX_WORDS_OF_A_MARK = 5
# What an open answer follows. Order counts: a cue that ends a line is passed over for the next.
CUES = (
    *("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ", "are ", "in total ", "total "),
    *("identify ", "recognize ", "calculated as ", "counted as ", "measured as ", "observed as ", "concluded as "),
    *("found to be ", "equals ", "determined to be ", "number of ", "value is ", "adds up to ", "have ", "has "),
)
CUES_OF_THE_LAST_LINE = (*CUES, "=")
# A number starts where no digit stands before it, so that a long run of digits is read once.
NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),
    re.compile(r"-?(?<!\d)\d+(?:\.\d+)?[eE][+-]?\d+"),
    re.compile(r"-?(?:(?<!\d)\d+\.\d+|\.\d+|(?<!\d)\d+\b)(?![eE][+-]?\d)(?![,\d])"),
)


def chosen_letter(response: str, options: Sequence[str]) -> str | None:
    """Return the letter of the option that a response chooses, or None.

    Of several the one whose mark stands last: marks with a full stop, else with a colon, else in brackets,
    else followed by a space; a response of more than five words without a mark is searched for the options'
    texts. "I" and "A" of English prose are marks too, as the published rule has it.
    Source: lmms-eval, task videommmu.
    """
    for character in ",.!?;:'":
        response = response.strip(character)
    text = f" {response} "
    letters = LETTERS[: len(options)]
    marked = [[letter for letter in letters if mark.format(letter) in text] for mark, _ in MARKS]
    stop_or_colon = marked[0] + marked[1]
    for found, number in ((stop_or_colon, 0 if marked[0] else 1), (marked[2], 2), (marked[3], 3)):
        if found:
            return max(found, key=lambda letter: text.rfind(MARKS[number][1].format(letter)))
    if len(text.split()) <= MAX_WORDS_OF_A_MARK:
        return None
    lower = text.lower()
    named = {
        letter: option.lower() for letter, option in zip(letters, options, strict=False) if option.lower() in lower
    }
    return max(named, key=lambda letter: lower.rfind(named[letter]), default=None)


def open_answer_is_right(response: str, gold: str) -> bool:
    """Whether an open response states the gold: one of its texts holds it, or one of its numbers equals it.

    Texts are what follows the last cue of each line ("the answer is …"), else the whole; numbers are rounded
    to two decimals. Source: lmms-eval, task videommmu.
    """
    texts = list(_texts(response))
    numbers = [number for text in texts for pattern in NUMBERS for number in pattern.findall(text)]
    wanted = _normalize(gold)
    for found in (item for text in (*texts, *numbers) for item in _normalize(text)):
        if isinstance(found, float) and found in wanted:
            return True
        if isinstance(found, str) and any(isinstance(want, str) and want in found for want in wanted):
            return True
    return False


def _texts(response: str) -> Iterator[str]:
    response = response.strip().strip(".").lower()
    lines = response.split("\n")
    tails = [_shortest_tail(line, CUES) for line in lines[:-1]]
    tails.append(_shortest_tail(lines[-1], CUES_OF_THE_LAST_LINE))
    said = [tail for tail in tails if tail and tail not in set(":,.!?;'")]
    yield from said or [response]


def _shortest_tail(line: str, cues: Sequence[str]) -> str:
    shortest = ""
    for cue in cues:
        _, found, tail = line.rpartition(cue)
        tail = tail.strip()
        if found and (not shortest or len(tail) < len(shortest)):
            shortest = tail
    return shortest


def _normalize(text: str) -> list[str | float]:
    """Return a number of two decimals, or the text; a single character with a space on either side."""
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        text = text.lower()
    return [f" {text}", f"{text} "] if len(text) == 1 else [text]
