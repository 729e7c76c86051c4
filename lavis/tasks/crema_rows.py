"""A CREMA model's answers as rows of a result file, and what a split of them scores."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any

from lavis.common.errors import LavisError
from lavis.datasets.question import Question
from lavis.tasks.metrics import Metric
from lavis.tasks.rows import LETTERS, ResultRow

UNANSWERABLE = "unanswerable"
STATUSES = ("answered", "unparsed", "failed")
LETTER = re.compile(r"(?:option\s+)?\(?([A-Z])\)?\.?", re.IGNORECASE)


def result_row(question: Question, given: Mapping[str, Any] | None) -> ResultRow:
    """Return a question's row; one that no batch held has failed.

    Args:
        question: as the data set states it.
        given: of the task's ``valid_step``: ``scores`` of options, or a ``text``.

    Raises:
        LavisError: options were scored that the question has not.
    """
    row = ResultRow(
        question_id=question.question_id,
        answer="",
        gold=question.answers,
        options=question.options,
        category=question.category,
        tags=question.tags,
        status="failed",
    )
    if given is None:
        return row
    if "scores" in given:
        choice = best_option(given["scores"], question)
        letter = f"Option {LETTERS[choice]}"
        return dataclasses.replace(
            row, answer=question.options[choice], choice=choice, response=letter, status="answered"
        )
    text = given["text"]
    if text == UNANSWERABLE or not text:
        return dataclasses.replace(row, response=text, status="unparsed")
    return _said(row, text)


def best_option(scores: Sequence[float], question: Question) -> int:
    """Return the number of the likeliest of a question's options.

    Raises:
        LavisError: the question has none, or more than were scored.
    """
    n_options = len(question.options)
    if not 1 <= n_options <= len(scores):
        raise LavisError(
            f"Question {question.question_id} has {n_options} options, and {len(scores)} were scored: set "
            "model.answer_num to the most that a question has, or model.downstream_task to oeqa where there are none."
        )
    return max(range(n_options), key=lambda number: scores[number])


def _said(row: ResultRow, text: str) -> ResultRow:
    """Return a row with what was said; where there are options, the one that is meant by its letter or its words."""
    if not row.options:
        return dataclasses.replace(row, answer=text, response=text, status="answered")
    found = LETTER.fullmatch(text.strip())
    choice = LETTERS.index(found[1].upper()) if found else None
    if choice is None or choice >= len(row.options):
        choice = next((n for n, one in enumerate(row.options) if one.lower() == text.strip().lower()), None)
    if choice is None:
        return dataclasses.replace(row, response=text, status="unparsed")
    return dataclasses.replace(row, answer=row.options[choice], choice=choice, response=text, status="answered")


def scored(
    rows: Sequence[ResultRow], metrics: Sequence[Metric]
) -> tuple[dict[str, Any], list[dict[str, float | None]]]:
    """Return what a split scores, and each row's scores."""
    scores = [{metric.name: metric.score(row) for metric in metrics} for row in rows]
    summaries = {}
    for metric in metrics:
        tally = metric.tally()
        for row, mine in zip(rows, scores, strict=True):
            tally.add(row, mine[metric.name])
        summaries[metric.name] = tally.summary()
    told = {
        "agg_metrics": summaries[metrics[0].name].percent,
        **{name: summary.percent for name, summary in summaries.items()},
        "n": len(rows),
        **{status: sum(row.status == status for row in rows) for status in STATUSES},
        "by_type": {
            name: {group: {"percent": percent, "n": n} for group, (percent, n) in summary.by_group.items()}
            for name, summary in summaries.items()
        },
        "left_out": {name: summary.left_out for name, summary in summaries.items() if summary.left_out},
    }
    return told, scores
