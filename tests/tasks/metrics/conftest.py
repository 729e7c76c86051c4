"""What the tests of metrics share: rows of real annotations, and scores of one answer or of many."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from lavis.common.registry import registry
from lavis.tasks.metrics import MetricSummary
from lavis.tasks.rows import ResultRow

Predict = Callable[[ResultRow], "str | int"]


@pytest.fixture(scope="session")
def golden(shared_data: Path) -> dict[str, Any]:
    """Scores that the published scorers gave to constant predictors."""
    table: dict[str, Any] = json.loads((shared_data / "golden" / "constant_predictor_scores.json").read_text())
    return table


@pytest.fixture(scope="session")
def annotated() -> Callable[[str, Path], list[ResultRow]]:
    """Builder's name, annotation file → rows without an answer."""

    def read(dataset: str, path: Path) -> list[ResultRow]:
        records = registry.require("builder", dataset).eval_dataset_cls.read_records([path])
        return [ResultRow.unanswered(record) for record in records]

    return read


@pytest.fixture(scope="session")
def summarize() -> Callable[[str, Iterable[ResultRow], Predict], MetricSummary]:
    """Metric's name, rows, what is answered (a text or the number of an option) → its summary."""

    def answered(row: ResultRow, value: str | int) -> ResultRow:
        if isinstance(value, str):
            return dataclasses.replace(row, answer=value, status="answered")
        # No more options than that: a constant letter still is an answer, of no option.
        if value >= len(row.options):
            return dataclasses.replace(row, answer="ABCDEFGHIJ"[value], status="answered")
        return dataclasses.replace(row, answer=row.options[value], choice=value, status="answered")

    def summary(name: str, rows: Iterable[ResultRow], predict: Predict) -> MetricSummary:
        found: MetricSummary = registry.require("metric", name).summarize(answered(row, predict(row)) for row in rows)
        return found

    return summary


@pytest.fixture(scope="session")
def score() -> Callable[[str, ResultRow], float | None]:
    """Metric's name, row → score."""

    def one(name: str, row: ResultRow) -> float | None:
        found: float | None = registry.require("metric", name).score(row)
        return found

    return one
