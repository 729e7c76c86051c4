"""Predictions and annotated questions to rows."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence

from lavis.common.errors import LavisError, nearest
from lavis.datasets.datasets.question_record import QuestionRecord
from lavis.tasks.predictions.prediction import Prediction, RowSet, check_encodable
from lavis.tasks.rows import ResultRow


def match(predictions: Iterable[Prediction], records: Sequence[QuestionRecord], where: str) -> RowSet:
    """Give each annotated question its prediction, and the gold of the annotation.

    Args:
        predictions: in any order; the same prediction may stand twice.
        records: the annotated questions of the split.
        where: the file, for errors.

    Raises:
        LavisError: a prediction for a question that is not annotated, two unlike predictions for one
            question, or a number that is none of its options; names the question.
    """
    check_encodable((record.question_id for record in records), where)
    known = {record.question_id: record for record in records}
    found: dict[str, Prediction] = {}
    times: Counter[str] = Counter()
    mismatched: list[str] = []
    repeated = 0
    for prediction in predictions:
        name = next((name for name in prediction.names if name in known), None)
        if name is None:
            first = prediction.names[0]
            raise LavisError(
                f"{where}: question {first!r} is none of the {len(known)} annotated ones.{nearest(first, known)} "
                "Are --dataset and --annotations those of its split?"
            )
        times[name] += 1
        # A benchmark that repeats an id has "12", "12#2" …; its systems answered "12" as often.
        place = name if times[name] == 1 else f"{name}#{times[name]}"
        if place not in known:
            if found[name].value != prediction.value:
                raise LavisError(f"{where}: question {name!r} has two predictions that differ.")
            repeated += 1
            continue
        if place in found:
            raise LavisError(f"{where}: question {place!r} stands there by its own name and as a repeat of {name!r}.")
        found[place] = prediction
        if not _same_gold(prediction.gold, known[place]):
            mismatched.append(place)
    answers = {name: prediction.value for name, prediction in found.items() if prediction.value is not None}
    rows = [
        _answered(record, answers[record.question_id], where)
        if record.question_id in answers
        else ResultRow.unanswered(record)
        for record in records
    ]
    return RowSet(tuple(rows), frozenset(known.keys() - answers.keys()), (), _warnings(mismatched, repeated, where))


def records_of(predictions: Iterable[Prediction]) -> list[QuestionRecord]:
    """Make questions of the gold that predictions carry."""
    records = {
        prediction.names[0]: QuestionRecord(
            prediction.names[0], media_id="", text="", answers=(str(prediction.gold),), tags=prediction.tags
        )
        for prediction in predictions
    }
    return list(records.values())


def _same_gold(gold: str | int | None, record: QuestionRecord) -> bool:
    marked = record.tags.get("gold_choice")
    if gold is None or not (record.answers or marked):
        return True
    if isinstance(gold, int):
        return str(gold) == marked
    return gold.strip() in {answer.strip() for answer in record.answers}


def _answered(record: QuestionRecord, value: str | int, where: str) -> ResultRow:
    row = ResultRow.unanswered(record)
    if isinstance(value, int) and record.options:
        if not 0 <= value < len(record.options):
            raise LavisError(
                f"{where}: question {record.question_id!r}: {value} is none of its {len(record.options)} options, "
                "which are numbered from 0."
            )
        return dataclasses.replace(row, answer=record.options[value], choice=value, status="answered")
    text = str(value)
    return dataclasses.replace(row, answer=text, response=text, status="answered" if text.strip() else "unparsed")


def _warnings(mismatched: Sequence[str], repeated: int, where: str) -> tuple[str, ...]:
    warnings = []
    if mismatched:
        warnings.append(
            f"{where}: the gold of {len(mismatched)} predictions is not the annotated one, which counts; "
            f"the first is question {mismatched[0]!r}."
        )
    if repeated:
        warnings.append(f"{where}: {repeated} predictions stand there twice and count once.")
    return tuple(warnings)
