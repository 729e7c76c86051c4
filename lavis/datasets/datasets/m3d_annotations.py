"""M3D-VQA's annotation files as records: questions about 3D medical scans."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from lavis.datasets.datasets.annotation_rows import Row, list_rows, read_json, read_table
from lavis.datasets.datasets.question_record import QuestionRecord
from lavis.datasets.datasets.record_ids import refuse_duplicates

TYPES = {"1": "plane", "2": "phase", "3": "organ", "4": "abnormality", "5": "location"}
LETTERS = "ABCD"
COLUMNS = ("Image Path", "Question Type", "Question", *(f"Choice {letter}" for letter in LETTERS), "Answer Choice")
ABSENT = "NA"
SUFFIX = ".npy"
# The published paths begin with the folder that the images were unpacked to.
FOLDER = "M3D_Cap_npy/"

logger = logging.getLogger(__name__)


def read_records(paths: Sequence[Path], *, open_ended: bool = False) -> list[QuestionRecord]:
    """Read ``M3D_VQA_<split>.csv``, or a JSON list with the same keys (MEXA's subset, with ``pid``).

    A row of the csv is called by its number from 0. A choice "NA" stays a choice unless nothing but "NA"
    follows it. The report of the scan (``Text``) tells the answers and is not read.

    Args:
        paths: the files; numbers go on from file to file.
        open_ended: ask without the choices; the gold is the answer's text.

    Raises:
        AnnotationError: a file or record is not so; names both.
    """
    records: list[QuestionRecord] = []
    differing: list[str] = []
    for row in (row for path in paths for row in _rows(path)):
        question_id = row.identifier("pid") if "pid" in row else str(len(records))
        named = Row(row.data, row.path, f"{question_id} ({row.name})")
        record = _record(named, question_id, open_ended=open_ended)
        if not open_ended and "Answer" in row and row.text("Answer", empty=True).strip() != record.answers[0]:
            differing.append(question_id)
        records.append(record)
    if differing:
        logger.warning(
            "%s: in %d of %d rows the answer's text is not that of its letter, the first is %s; the letter counts.",
            *(", ".join(map(str, paths)), len(differing), len(records), differing[0]),
        )
    refuse_duplicates(records, paths)
    return records


def _rows(path: Path) -> Iterator[Row]:
    if path.suffix.lower() == ".json":
        yield from list_rows(read_json(path), path)
    else:
        yield from read_table(path, COLUMNS)


def _record(row: Row, question_id: str, *, open_ended: bool) -> QuestionRecord:
    number = row.identifier("Question Type")
    if number not in TYPES:
        raise row.error(f"has 'Question Type' {number!r}; known are {', '.join(TYPES)}.")
    options = [row.stripped(f"Choice {letter}") for letter in LETTERS]
    while options and options[-1] == ABSENT:
        options.pop()
    letter = row.stripped("Answer Choice")
    if len(letter) != 1 or letter not in LETTERS[: len(options)]:
        raise row.error(f"has 'Answer Choice' {letter[:80]!r}, which is none of its {len(options)} choices.")
    choice = LETTERS.index(letter)
    image = row.file_name("Image Path").removesuffix(SUFFIX)
    return QuestionRecord(
        question_id=question_id,
        media_id=image,
        text=row.stripped("Question"),
        answers=(row.stripped("Answer") if open_ended else options[choice],),
        options=() if open_ended else tuple(options),
        category=TYPES[number],
        tags={"question_type": number, **({} if open_ended else {"gold_choice": str(choice)})},
        media_names=(image, image.removeprefix(FOLDER)),
    )
