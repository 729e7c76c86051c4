"""How Video-MMMU answers are scored: by lmms-eval's parser, strictly by the same, and by MEXA's first letter."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lavis.common.errors import LavisError
from lavis.tasks.metrics.base import Metric
from lavis.tasks.metrics.choices import tagged, withheld
from lavis.tasks.metrics.videommmu_parser import chosen_letter, open_answer_is_right
from lavis.tasks.rows import ResultRow

# What lmms-eval takes for a call that failed.
NO_ANSWER = ("", "API Error")
# The track whose score before and after the video is compared.
DELTA_TRACK = "adaptation"


def delta_knowledge(after: float, before: float) -> float:
    """Return how much of what was not known before the video is known after it, in percent.

    Args:
        after: accuracy with the video, in percent.
        before: accuracy on the question alone, in percent.

    Raises:
        LavisError: everything was known before.
    """
    if before >= 100.0:
        raise LavisError("delta knowledge is not defined where the score before the video is 100 % already.")
    return (after - before) / (100.0 - before) * 100.0


def _is_multiple_choice(row: ResultRow) -> bool:
    return row.tags.get("question_type", "multiple-choice" if row.options else "open") == "multiple-choice"


def _lmms_eval(without_answer: float | None) -> Callable[[ResultRow], float | None]:
    def score(row: ResultRow) -> float | None:
        if withheld(row):
            return None
        response = row.letter
        if response in NO_ANSWER:
            return without_answer
        if _is_multiple_choice(row):
            return float(bool(row.gold_letter) and chosen_letter(response, row.options) == row.gold_letter)
        return float(any(open_answer_is_right(response, gold) for gold in row.gold))

    return score


def _first_letter(row: ResultRow) -> float | None:
    if withheld(row) or not _is_multiple_choice(row):
        return None
    return float(bool(row.gold_letter) and row.letter[:1] == row.gold_letter)


def _mexa_groups(row: ResultRow) -> Sequence[str]:
    return tagged(row, "track", "domain")


def _lmms_groups(row: ResultRow) -> Sequence[str]:
    # "Art" is a domain and one of its subjects, so a subject is named with its domain.
    subject = tagged(row, "domain", "subject")
    return (*tagged(row, "track", "domain"), *(("/".join(subject),) if len(subject) == 2 else ()))


VIDEOMMMU_LMMS_EVAL = Metric(
    "videommmu_lmms_eval",
    _lmms_eval(None),
    _lmms_groups,
    "lmms-eval, task videommmu (arXiv 2501.13826): its parser; an empty answer is left out",
)
VIDEOMMMU_STRICT = Metric(
    "videommmu_strict",
    _lmms_eval(0.0),
    _lmms_groups,
    "lmms-eval, task videommmu (arXiv 2501.13826): its parser; an empty answer is wrong",
)
MEXA_FIRST_LETTER = Metric(
    "mexa_first_letter",
    _first_letter,
    _mexa_groups,
    "MEXA, arXiv 2506.17113: the first character is the gold's letter; open questions are left out",
)
