"""Answer extraction: named filters, strict ones first; what none of them finds is unparsed, not guessed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lavis.common.registry import registry
from lavis.models.mexa_models.neutral import neutral

# (completion's text, the texts that may be answered) → the answer, or None if the filter finds none.
AnswerFilter = Callable[[str, Sequence[str]], "str | None"]

OPTION_FILTERS = ("exact_option", "option_letter")
PHRASE_FILTERS = ("exact_option", "short_phrase")
MAX_PHRASE_WORDS = 6
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ANSWER_TAG = re.compile(r"<answer>(.*?)</answer>", re.IGNORECASE | re.DOTALL)
ANSWER_LEAD = re.compile(r"(?:final\s+)?answer\s*(?:is)?\s*:\s*(.+)", re.IGNORECASE)
BOXED = re.compile(r"\\boxed\{\s*(?:\\text\{)?([^{}]*)\}?\s*\}")
LETTER = re.compile(r"\(?([A-Z])(?:[).:]\s*(.*))?", re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def extract(text: str, candidates: Sequence[str], filters: Sequence[str]) -> tuple[str, str] | None:
    """Return (answer, name of the filter that found it), or None.

    Raises:
        UnknownNameError: no filter has one of the names.
    """
    for name in filters:
        found = registry.require("filter", name)(text, candidates)
        if found:
            return found, name
    return None


def stated_answer(text: str) -> str:
    """Return what a completion marks as its answer (a tag, a box, a line "Answer: …"), or all of it."""
    for pattern in (ANSWER_TAG, BOXED, ANSWER_LEAD):
        marked = pattern.findall(text)
        if marked:
            return _bare(str(marked[-1]))
    return _bare(text)


def exact_option(text: str, candidates: Sequence[str]) -> str | None:
    """Find a candidate that the completion states and nothing else, upper and lower case alike."""
    stated = stated_answer(text).casefold()
    matches = [candidate for candidate in candidates if _bare(candidate).casefold() == stated]
    return matches[0] if matches else None


def option_letter(text: str, candidates: Sequence[str]) -> str | None:
    """Find the candidate whose letter is stated: ``B``, ``(B)``, ``B.``, ``**B**``, ``B: its text``.

    A letter with a text counts only if the text is that option's own.
    """
    match = LETTER.fullmatch(stated_answer(text))
    if match is None:
        return None
    index = LETTERS.index(match.group(1))
    if index >= len(candidates):
        return None
    words = match.group(2)
    if words and _bare(words).casefold() != _bare(candidates[index]).casefold():
        return None
    return candidates[index]


def number(text: str, candidates: Sequence[str]) -> str | None:
    """Find the number that is stated, if there is exactly one."""
    numbers = NUMBER.findall(stated_answer(text))
    return numbers[0] if len(numbers) == 1 else None


def short_phrase(text: str, candidates: Sequence[str]) -> str | None:
    """Take a stated answer of one line and at most six words; prose, control tokens and what is invisible are none."""
    stated = stated_answer(text)
    if neutral(stated) != stated:
        return None
    if not stated or "\n" in stated or len(stated.split()) > MAX_PHRASE_WORDS:
        return None
    return stated


def _bare(text: str) -> str:
    """Strip white space, quotes, emphasis and a closing full stop."""
    return text.strip().strip("*_`\"'").strip().removesuffix(".").strip("*_`\"'").strip()
