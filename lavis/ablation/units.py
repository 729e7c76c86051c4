"""What a metric counts, as arrays: every run's score of every unit, its cluster and its groups."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from lavis.ablation.reading import RunRecord
from lavis.ablation.statistics import Floats
from lavis.tasks.metrics import Metric

Clusters = Literal["media", "questions"]


@dataclasses.dataclass(frozen=True)
class Units:
    """What r runs scored on u units: questions, or equal contents where the metric counts those once.

    Attributes:
        scores: 0 … 1, NaN where the metric leaves a unit out, [r, u].
        groups: 1 where a unit counts in a group of which the metric is the mean, [u, g]; one group of all otherwise.
        clusters: the number of each unit's medium, or its own, from 0, [u].
    """

    scores: Floats
    groups: Floats
    clusters: npt.NDArray[np.int64]

    @property
    def n_clusters(self) -> int:
        """How many clusters there are."""
        return int(self.clusters.max()) + 1 if len(self.clusters) else 0

    @property
    def is_right_or_wrong(self) -> bool:
        """Whether every score is 0 or 1."""
        return bool(np.isin(self.scores[~np.isnan(self.scores)], (0.0, 1.0)).all())


def make_units(runs: Sequence[RunRecord], metric: Metric, clusters: Clusters) -> Units:
    """Score runs on the same questions.

    Args:
        runs: in one order, see :func:`lavis.ablation.reading.read_runs`.
        metric: the rule. What it tells contents and groups by is taken from the first run, since both belong to
            the question.
        clusters: what is drawn together: questions on one medium, or each alone.
    """
    by_question = np.array(
        [[np.nan if (score := metric.score(row)) is None else score for row in run.rows] for run in runs],
        dtype=np.float64,
    )
    first = runs[0]
    keys: dict[str, int] = {}
    unit_of = [
        keys.setdefault(row.question_id if metric.content_key is None else metric.content_key(row), len(keys))
        for row in first.rows
    ]
    leading = [0] * len(keys)
    for question in reversed(range(len(unit_of))):
        leading[unit_of[question]] = question
    scores = np.full((len(runs), len(keys)), np.nan)
    for question, unit in enumerate(unit_of):
        # A content's score is the best that one of its questions has.
        scores[:, unit] = np.fmax(scores[:, unit], by_question[:, question])
    groups = np.ones((len(keys), 1))
    if metric.mean_of:
        of_unit = [set(metric.groups(first.rows[question])) for question in leading]
        groups = np.array([[float(name in names) for name in metric.mean_of] for names in of_unit])
    numbers: dict[str, int] = {}
    cluster_of = [numbers.setdefault(first.media_ids[question], len(numbers)) for question in leading]
    chosen = cluster_of if clusters == "media" else list(range(len(keys)))
    return Units(scores, groups, np.array(chosen, dtype=np.int64))
