"""Rows and metrics to scores."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from lavis.tasks.metrics import Metric, MetricSummary
from lavis.tasks.predictions.prediction import STATUSES, RowSet


@dataclasses.dataclass(frozen=True)
class Scores:
    """What rows score by each metric.

    Attributes:
        counts: ``n``, then rows by status, then ``missing``, which are part of the failed.
        metrics: the metrics, the headline first.
        summaries: of each metric, by its name.
        empty_right: how many answers without a word each metric counts as right.
    """

    counts: dict[str, int]
    metrics: tuple[Metric, ...]
    summaries: dict[str, MetricSummary]
    empty_right: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return what ``metrics.json`` holds of a split, as far as answers tell it, and ``missing``."""
        return {
            **{name: summary.percent for name, summary in self.summaries.items()},
            **self.counts,
            "left_out": {name: summary.left_out for name, summary in self.summaries.items() if summary.left_out},
            "by_type": {
                name: {group: {"percent": percent, "n": n} for group, (percent, n) in summary.by_group.items()}
                for name, summary in self.summaries.items()
            },
        }


def score_rows(found: RowSet, metrics: Sequence[Metric]) -> Scores:
    """Score rows by metrics.

    A question without a prediction is wrong by every rule that counts it, by one too that takes an empty
    answer for right.
    """
    counts = {"n": len(found.rows), **dict.fromkeys(STATUSES, 0), "missing": len(found.missing)}
    tallies = {metric.name: metric.tally() for metric in metrics}
    empty_right = dict.fromkeys(tallies, 0)
    for row in found.rows:
        counts[row.status] += 1
        missing = row.question_id in found.missing
        for metric in metrics:
            score = metric.score(row)
            if missing and score is not None:
                score = 0.0
            if score and not row.answer.strip():
                empty_right[metric.name] += 1
            tallies[metric.name].add(row, score)
    summaries = {name: tally.summary() for name, tally in tallies.items()}
    return Scores(counts, tuple(metrics), summaries, {name: n for name, n in empty_right.items() if n})
