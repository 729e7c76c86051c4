"""Accuracy where a benchmark publishes no rule of its own: Touch-QA, Thermal-QA, open-ended NExT-QA."""

from __future__ import annotations

from lavis.tasks.metrics.base import Metric
from lavis.tasks.metrics.choices import category, letter_is_gold, withheld
from lavis.tasks.rows import ResultRow


def normalize(answer: str) -> str:
    """Lower-case, with single spaces and without a full stop at the end."""
    return " ".join(answer.lower().split()).removesuffix(".").rstrip()


def _accuracy(row: ResultRow) -> float | None:
    if row.options:
        return letter_is_gold(row)
    if withheld(row):
        return None
    answer = normalize(row.answer)
    return float(bool(answer) and answer in {normalize(gold) for gold in row.gold})


ACCURACY = Metric(
    "accuracy",
    _accuracy,
    category,
    "this project: equality after lower-casing, white space and a closing full stop aside; with options, of the choice",
)
