"""How MMAU answers are scored: its own match of words, and MEXA's letter."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lavis.tasks.metrics.base import Metric
from lavis.tasks.metrics.choices import category, letter_is_gold, tagged, withheld
from lavis.tasks.rows import ResultRow


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower()))


def string_match(answer: str, gold: str, options: Sequence[str]) -> bool:
    """Whether an answer says all words of the gold and none that only other options have.

    An option with the same words as the gold is not another one ("4/3" passes for "3/4").
    Source: MMAU, arXiv 2410.19168.
    """
    said, right = _words(answer), _words(gold)
    others = [words for words in map(_words, options) if words != right]
    return bool(said) and right <= said and not any(said & words - right for words in others)


def _string_match(row: ResultRow) -> float | None:
    if withheld(row):
        return None
    return float(any(string_match(row.answer, gold, row.options) for gold in row.gold))


def _official_groups(row: ResultRow) -> Sequence[str]:
    difficulty = tuple(f"difficulty:{name}" for name in tagged(row, "difficulty"))
    return (*category(row), *difficulty, *tagged(row, "sub_category"))


MMAU_STRING_MATCH = Metric(
    "mmau_string_match",
    _string_match,
    _official_groups,
    "MMAU, arXiv 2410.19168: all words of the gold, none that only other options have",
)
MMAU_MEXA_LETTER = Metric(
    "mmau_mexa_letter",
    letter_is_gold,
    category,
    "MEXA, arXiv 2506.17113: equality with the gold's letter; mean of the three tasks",
    mean_of=("sound", "music", "speech"),
)
