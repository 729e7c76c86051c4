"""How M3D-VQA answers are scored: with options by letter, without by shared words."""

from __future__ import annotations

from lavis.tasks.metrics.base import Metric
from lavis.tasks.metrics.choices import category, letter_is_gold, withheld
from lavis.tasks.metrics.words import bleu1, rouge1
from lavis.tasks.rows import ResultRow

QUESTION_TYPES = ("plane", "phase", "organ", "abnormality", "location")


def _closed(row: ResultRow) -> float | None:
    if withheld(row) or not row.options:
        return None
    return float(bool(row.gold_letter) and f"{row.gold_letter}." in row.lettered)


def _bleu1(row: ResultRow) -> float | None:
    return max((bleu1(row.answer, gold) for gold in row.gold), default=None)


def _rouge1(row: ResultRow) -> float | None:
    return max((rouge1(row.answer, gold) for gold in row.gold), default=None)


M3D_CLOSED = Metric(
    "m3d_closed",
    _closed,
    category,
    'M3D, arXiv 2404.00578: the text holds the gold\'s letter with a full stop ("A."), at any place',
)
M3D_MEXA_LETTER = Metric(
    "m3d_mexa_letter",
    letter_is_gold,
    category,
    "MEXA, arXiv 2506.17113: equality with the gold's letter; mean of the five question types",
    mean_of=QUESTION_TYPES,
)
M3D_BLEU1 = Metric(
    "m3d_bleu1", _bleu1, category, "M3D, arXiv 2404.00578: BLEU of single words per answer, brevity penalty, case kept"
)
M3D_ROUGE1 = Metric("m3d_rouge1", _rouge1, category, "M3D, arXiv 2404.00578: F1 of ROUGE-1 per answer, no stemming")
