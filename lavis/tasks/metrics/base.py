"""What a metric is: a rule for one row of a result, the groups it counts by, and their means."""

from __future__ import annotations

import dataclasses
import hashlib
from array import array
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from lavis.tasks.rows import ResultRow


@dataclasses.dataclass(frozen=True)
class Metric:
    """A named rule that scores one row; a pure function of it, so that an old result can be scored anew.

    Attributes:
        name: what a table calls it; no score is shown without it.
        score: row → 0 … 1, or None where the rule's authors leave such a question out of their count.
            A failed or unparsed question has the answer "".
        groups: the groups that a row is counted in (``("Audio", "Audio/Counting")``).
        source: where the rule was published.
        content_key: rows with an equal key count once, right if any of them is, in the group of the
            first; None: all count.
        mean_of: the score is the unweighted mean of these groups; empty: every row counts alike.
    """

    name: str
    score: Callable[[ResultRow], float | None]
    groups: Callable[[ResultRow], Sequence[str]]
    source: str
    content_key: Callable[[ResultRow], str] | None = None
    mean_of: tuple[str, ...] = ()

    def tally(self) -> Tally:
        """Return an empty tally of this metric."""
        return Tally(self)

    def summarize(self, rows: Iterable[ResultRow]) -> MetricSummary:
        """Score rows and return their mean, over all and by group, in percent."""
        tally = self.tally()
        for row in rows:
            tally.add(row, self.score(row))
        return tally.summary()


class Tally:
    """Counts scores as they come; holds sums, and 18 bytes a question where the metric counts by content."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self._right, self._n, self._left_out = 0.0, 0, 0
        self._sums: dict[str, tuple[float, int]] = {}
        self._group_sets: dict[tuple[str, ...], int] = {}
        self._contents, self._groups_of, self._scores = array("Q"), array("H"), array("d")

    def add(self, row: ResultRow, score: float | None) -> None:
        """Count one row's score, 0 … 1; None leaves it out."""
        if score is None:
            self._left_out += 1
            return
        groups = tuple(self.metric.groups(row))
        if self.metric.content_key is None:
            self._count(groups, score, 1)
            return
        content = hashlib.blake2b(self.metric.content_key(row).encode(), digest_size=8).digest()
        self._contents.append(int.from_bytes(content, "little"))
        self._groups_of.append(self._group_sets.setdefault(groups, len(self._group_sets)))
        self._scores.append(score)

    def _count(self, groups: Sequence[str], score: float, n: int) -> None:
        self._right, self._n = self._right + score, self._n + n
        for group in groups:
            total, count = self._sums.get(group, (0.0, 0))
            self._sums[group] = (total + score, count + n)

    def _count_contents(self) -> None:
        """Count each content once: in the groups of its first question, with the best of its scores."""
        contents = np.frombuffer(self._contents, dtype=np.uint64)
        order = np.argsort(contents, kind="stable")
        first = np.flatnonzero(np.r_[True, np.diff(contents[order].astype(np.int64)) != 0])
        best = np.maximum.reduceat(np.frombuffer(self._scores)[order], first)
        groups_of = np.frombuffer(self._groups_of, dtype=np.uint16)[order][first]
        self._right, self._n, self._sums = 0.0, 0, {}
        for groups, number in self._group_sets.items():
            chosen = best[groups_of == number]
            if len(chosen):
                self._count(groups, float(chosen.sum()), len(chosen))

    def summary(self) -> MetricSummary:
        """Return the means so far."""
        if self._contents:
            self._count_contents()
        by_group = {name: (_percent(total, count), count) for name, (total, count) in sorted(self._sums.items())}
        percent = _percent(self._right, self._n)
        if self.metric.mean_of:
            held = [group for group in self.metric.mean_of if group in self._sums]
            shares = [self._sums[group][0] / self._sums[group][1] for group in held]
            percent = _percent(sum(shares), len(shares))
        return MetricSummary(percent=percent, n=self._n, left_out=self._left_out, by_group=by_group)


@dataclasses.dataclass(frozen=True)
class MetricSummary:
    """A metric over a split, in percent, over all and by group.

    Attributes:
        percent: the score; 0 where no row counts, which ``n`` tells.
        n: rows that count.
        left_out: rows that the rule's authors do not count.
        by_group: group → (percent, n).
    """

    percent: float
    n: int
    left_out: int
    by_group: dict[str, tuple[float, int]]


def _percent(right: float, n: int) -> float:
    return round(100.0 * right / n, 4) if n else 0.0
