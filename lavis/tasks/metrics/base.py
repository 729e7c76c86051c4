"""What a metric is: a rule for one answer, a category for one question, and their mean."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

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

    def summarize(self, scored: Iterable[tuple[Question, float]]) -> MetricSummary:
        """Return the mean over all questions and by category, in percent."""
        if self.content_key is None:
            return MetricSummary.of((self.category(question), score) for question, score in scored)
        best: dict[str, tuple[str, float]] = {}
        for question, score in scored:
            key = self.content_key(question)
            category, so_far = best.get(key, (self.category(question), 0.0))
            best[key] = (category, max(so_far, score))
        return MetricSummary.of(best.values())


@dataclasses.dataclass(frozen=True)
class MetricSummary:
    """A metric over a split: percent and number of questions, over all and by category."""

    percent: float
    n: int
    by_category: dict[str, tuple[float, int]]

    @classmethod
    def of(cls, scores: Iterable[tuple[str, float]]) -> MetricSummary:
        """Average (category, score) pairs."""
        sums: dict[str, tuple[float, int]] = {}
        for category, score in scores:
            total, count = sums.get(category, (0.0, 0))
            sums[category] = (total + score, count + 1)
        n = sum(count for _, count in sums.values())
        right = sum(total for total, _ in sums.values())
        return cls(
            percent=_percent(right, n),
            n=n,
            by_category={name: (_percent(total, count), count) for name, (total, count) in sorted(sums.items())},
        )


def _percent(right: float, n: int) -> float:
    return round(100.0 * right / n, 4) if n else 0.0
