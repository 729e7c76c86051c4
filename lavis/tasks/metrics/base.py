"""What a metric is: a rule for one answer, a category for one question, and their mean."""

from __future__ import annotations

import dataclasses
import hashlib
from array import array
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from lavis.datasets.question import Question


@dataclasses.dataclass(frozen=True)
class Metric:
    """A named rule that scores one answer.

    Attributes:
        name: what a table calls it; no score is shown without it.
        score: (answer, gold answers) → 0 or 1. A failed or unparsed question has the answer "".
        category: the question type that the rule's authors count by.
        content_key: questions with an equal key count once, right if any of them is; None: all count.
        source: where the rule was published.
    """

    name: str
    score: Callable[[str, Sequence[str]], float]
    category: Callable[[Question], str]
    source: str
    content_key: Callable[[Question], str] | None = None

    def tally(self) -> Tally:
        """Return an empty tally of this metric."""
        return Tally(self)

    def summarize(self, scored: Iterable[tuple[Question, float]]) -> MetricSummary:
        """Return the mean over (question, score) pairs and by category, in percent."""
        tally = self.tally()
        for question, score in scored:
            tally.add(question, score)
        return tally.summary()


class Tally:
    """Counts scores as they come; holds sums, and 18 bytes a question where the metric counts by content."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._sums: dict[str, tuple[float, int]] = {}
        self._categories: dict[str, int] = {}
        self._contents, self._category_of, self._scores = array("Q"), array("H"), array("d")

    def add(self, question: Question, score: float) -> None:
        """Count one question's score, 0 … 1."""
        category = self.metric.category(question)
        if self.metric.content_key is None:
            self._count(category, score, 1)
            return
        content = hashlib.blake2b(self.metric.content_key(question).encode(), digest_size=8).digest()
        self._contents.append(int.from_bytes(content, "little"))
        self._category_of.append(self._categories.setdefault(category, len(self._categories)))
        self._scores.append(score)

    def _count(self, category: str, score: float, n: int) -> None:
        total, count = self._sums.get(category, (0.0, 0))
        self._sums[category] = (total + score, count + n)

    def _count_contents(self) -> None:
        """Count each content once: in the category of its first question, with the best of its scores."""
        contents = np.frombuffer(self._contents, dtype=np.uint64)
        order = np.argsort(contents, kind="stable")
        first = np.flatnonzero(np.r_[True, np.diff(contents[order].astype(np.int64)) != 0])
        best = np.maximum.reduceat(np.frombuffer(self._scores)[order], first)
        categories = np.frombuffer(self._category_of, dtype=np.uint16)[order][first]
        self._sums = {}
        for name, number in self._categories.items():
            chosen = best[categories == number]
            if len(chosen):
                self._count(name, float(chosen.sum()), len(chosen))

    def summary(self) -> MetricSummary:
        """Return the means so far."""
        if self._contents:
            self._count_contents()
        n = sum(count for _, count in self._sums.values())
        right = sum(total for total, _ in self._sums.values())
        return MetricSummary(
            percent=_percent(right, n),
            n=n,
            by_category={name: (_percent(total, count), count) for name, (total, count) in sorted(self._sums.items())},
        )


@dataclasses.dataclass(frozen=True)
class MetricSummary:
    """A metric over a split: percent and number of questions, over all and by category."""

    percent: float
    n: int
    by_category: dict[str, tuple[float, int]]


def _percent(right: float, n: int) -> float:
    return round(100.0 * right / n, 4) if n else 0.0
