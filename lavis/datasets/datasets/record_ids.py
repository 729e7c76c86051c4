"""Question ids of a split: unique, or made so where a benchmark repeats its own."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from lavis.common.errors import AnnotationError
from lavis.datasets.datasets.question_record import QuestionRecord

logger = logging.getLogger(__name__)


def refuse_duplicates(records: Sequence[QuestionRecord], paths: Iterable[Path]) -> None:
    """Raise where two records share an id.

    Raises:
        AnnotationError: names the files and the id.
    """
    seen: set[str] = set()
    for record in records:
        if record.question_id in seen:
            raise AnnotationError(f"{', '.join(map(str, paths))}: question id {record.question_id} occurs twice.")
        seen.add(record.question_id)


def number_duplicates(records: Iterable[QuestionRecord], paths: Iterable[Path]) -> list[QuestionRecord]:
    """Return the records with ``#2``, ``#3`` … on ids that were there before, and say how many there are.

    For benchmarks whose published files repeat ids, some with other answers, and whose scorers count each record.
    """
    times: dict[str, int] = {}
    golds: dict[str, set[tuple[str, ...]]] = {}
    numbered = []
    for record in records:
        count = times[record.question_id] = times.get(record.question_id, 0) + 1
        golds.setdefault(record.question_id, set()).add(record.answers)
        again = record if count == 1 else dataclasses.replace(record, question_id=f"{record.question_id}#{count}")
        numbered.append(again)
    repeated = sum(count > 1 for count in times.values())
    if repeated:
        logger.warning(
            "%s: %d question ids occur more than once, %d of them with different answers; repeats count as questions"
            " of their own, named <id>#2 and so on.",
            *(", ".join(map(str, paths)), repeated, sum(len(answers) > 1 for answers in golds.values())),
        )
    return numbered
