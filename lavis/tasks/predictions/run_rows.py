"""The rows of a run's ``result/<split>.json``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lavis.common.errors import LavisError
from lavis.tasks.predictions.prediction import STATUSES, RowSet, check_encodable
from lavis.tasks.rows import LETTERS, ResultRow

NAME = "a run's result/<split>.json"


def is_run(document: Any) -> bool:
    """Whether a document is the list of rows that a run writes."""
    return (
        isinstance(document, list)
        and bool(document)
        and isinstance(document[0], Mapping)
        and "answer" in document[0]
        and ("gold" in document[0] or "scores" in document[0])
    )


def run_rows(document: Any, where: str, *, raw: bool) -> RowSet:
    """Return a run's rows.

    Args:
        document: the list.
        where: the file, for errors.
        raw: put the reasoner's whole response in place of the answer that was found in it.

    Raises:
        LavisError: a row is none, names an option that it has not, or stands twice; with ``raw``, an
            answered row keeps no response. Names the row.
    """
    rows: dict[str, ResultRow] = {}
    for number, data in enumerate(document):
        at = f"{where}: row {number}"
        row = ResultRow.from_json(data, at)
        _check(row, at)
        if row.question_id in rows:
            raise LavisError(f"{at}: question {row.question_id!r} stands in the file twice.")
        if raw:
            if row.status == "answered" and not row.response:
                raise LavisError(f"{at} keeps no response of the reasoner; score the answers, without --raw.")
            row = dataclasses.replace(row, answer=row.response, choice=None)
        rows[row.question_id] = row
    scores = document[0].get("scores")
    return RowSet(tuple(rows.values()), metrics=tuple(scores) if isinstance(scores, Mapping) else ())


def _check(row: ResultRow, at: str) -> None:
    """Refuse what metrics and the printed table rely on not to be."""
    if row.status not in STATUSES:
        raise LavisError(f"{at}: status {row.status!r} is none of {', '.join(STATUSES)}.")
    if len(row.options) > len(LETTERS):
        raise LavisError(f"{at} has {len(row.options)} options; more than {len(LETTERS)} have no letters.")
    if not all(isinstance(value, str) for value in row.tags.values()):
        raise LavisError(f"{at}: tags are texts; they are {dict(row.tags)!r}.")
    check_encodable((row.question_id, row.category, *row.tags, *row.tags.values()), at)
    marked = row.tags.get("gold_choice")
    if marked is not None and marked not in map(str, range(len(row.options))):
        raise LavisError(f"{at}: gold_choice {marked!r} is none of its {len(row.options)} options.")
