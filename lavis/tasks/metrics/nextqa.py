"""How NExT-QA choices are scored: its own count by question type, and the one of SeViLA and CREMA."""

from __future__ import annotations

from collections.abc import Sequence

from lavis.tasks.metrics.base import Metric
from lavis.tasks.metrics.choices import category, letter_is_gold
from lavis.tasks.rows import ResultRow

# Questions about what came before are counted with those about what came next.
COUNTED_AS = {"TP": "TN"}


def _official_types(row: ResultRow) -> Sequence[str]:
    counted = COUNTED_AS.get(row.category, row.category)
    return (counted[0], counted) if counted else ()


NEXTQA_ACCURACY = Metric(
    "nextqa_accuracy",
    letter_is_gold,
    _official_types,
    "NExT-QA, CVPR 2021: TP counts as TN; C, T and D pooled over their types",
)
CREMA_VIDEOQA = Metric(
    "crema_videoqa",
    letter_is_gold,
    category,
    "SeViLA, arXiv 2305.06988, and CREMA, arXiv 2402.05889: plain mean over all; TP is a type of its own; no C, T, D",
)
