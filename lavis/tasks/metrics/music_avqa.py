"""How MUSIC-AVQA answers are scored: class equality, and CREMA's substring rule."""

from __future__ import annotations

from collections.abc import Sequence

from lavis.tasks.metrics.base import Metric
from lavis.tasks.metrics.choices import category, tagged, withheld
from lavis.tasks.rows import ResultRow

CREMA_NUMBERS = {
    str(number): word for number, word in enumerate("one two three four five six seven eight nine ten".split(), start=1)
}


def _same_class(row: ResultRow) -> float | None:
    if withheld(row):
        return None
    answer = row.answer.replace("_", " ")
    return float(bool(answer) and any(answer == gold.replace("_", " ") for gold in row.gold))


def _crema_gqa(row: ResultRow) -> float | None:
    if withheld(row):
        return None
    answer = CREMA_NUMBERS.get(row.answer, row.answer)
    return float(any(answer in gold for gold in row.gold))


def _cells(row: ResultRow) -> Sequence[str]:
    return (*tagged(row, "modality"), *category(row))


MUSIC_AVQA_ACCURACY = Metric(
    "music_avqa_accuracy",
    _same_class,
    _cells,
    "MUSIC-AVQA, arXiv 2203.14072: the answer's class is the gold's; modalities pooled over their cells",
)
CREMA_GQA = Metric(
    "crema_gqa",
    _crema_gqa,
    lambda row: (),
    "CREMA, arXiv 2402.05889, its task gqa: answer is a substring of the gold, case counts, no groups",
)
