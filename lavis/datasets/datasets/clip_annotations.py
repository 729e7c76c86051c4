"""Touch-QA's and Thermal-QA's annotation files (CREMA, arXiv 2402.05889) as records: one cut clip a question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lavis.datasets.datasets.annotation_rows import Row, list_rows, option_number, read_json
from lavis.datasets.datasets.question_record import QuestionRecord
from lavis.datasets.datasets.record_ids import refuse_duplicates

MAX_OPTIONS = 26


def read_records(paths: Sequence[Path]) -> list[QuestionRecord]:
    """Read JSON lists of open-ended or multiple-choice records.

    An open-ended record has ``question`` and ``answer``; one of multiple choice also has ``options``, or
    SeViLA's ``num_option`` and ``a0`` …, and its answer is a number or one of the options' texts. The
    medium of a question is its clip, named by the question's id, which ``lavis data prepare`` cuts out of
    ``video_id`` from ``start`` to ``end``.

    Raises:
        AnnotationError: a file or record is not so; names both.
    """
    records = [_record(row) for path in paths for row in list_rows(read_json(path), path)]
    refuse_duplicates(records, paths)
    return records


def _record(row: Row) -> QuestionRecord:
    question_id = row.file_name("question_id")
    row = Row(row.data, row.path, question_id)
    for key in ("start", "end"):
        if key in row and row.number(key) < 0:
            raise row.error(f"has {key!r} below 0.")
    options = _options(row)
    tags = {"video_id": row.file_name("video_id")}
    if options:
        given = row.need("answer")
        choice = row.whole("answer", below=len(options)) if isinstance(given, int) else _place(row, options)
        tags["gold_choice"] = str(choice)
        answer = options[choice]
    else:
        answer = row.stripped("answer")
    return QuestionRecord(
        question_id=question_id,
        media_id=question_id,
        text=row.stripped("question"),
        answers=(answer,),
        options=options,
        tags=tags,
    )


def _place(row: Row, options: Sequence[str]) -> int:
    return option_number(row, row.stripped("answer"), options)


def _options(row: Row) -> tuple[str, ...]:
    if "num_option" in row:
        return tuple(row.stripped(f"a{number}") for number in range(row.whole("num_option", below=MAX_OPTIONS + 1)))
    options = tuple(text.strip() for text in row.texts("options")) if "options" in row else ()
    if len(options) > MAX_OPTIONS:
        raise row.error(f"has {len(options)} options; letters name at most {MAX_OPTIONS}.")
    return options
