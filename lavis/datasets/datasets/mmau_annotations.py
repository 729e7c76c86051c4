"""MMAU's annotation files, of every published version, as records."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

from lavis.datasets.datasets.annotation_rows import Row, list_rows, read_json
from lavis.datasets.datasets.question_record import QuestionRecord
from lavis.datasets.datasets.record_ids import number_duplicates

TASKS = ("sound", "music", "speech")
MAX_OPTIONS = 26
SUFFIX = ".wav"
# Published test-mini files by sha256. The file changed often under one name, and 2025-05-15/16 hold broken golds.
VERSIONS = {
    "9f18fda99f8dbc2bc5ecd6323fb5063309f54969810b5c6f1caeb3b8d904cf1c": "test-mini of 2025-08-09, 1,000 questions",
}

logger = logging.getLogger(__name__)


def read_records(paths: Sequence[Path]) -> list[QuestionRecord]:
    """Read ``mmau-test-mini.json``, ``mmau-test.json`` or any earlier version of them.

    A record without ``id`` (the first version) takes the name of its audio file. A gold answer that is
    none of the choices (versions of 2025-05-15 and 16) cannot be chosen: it is kept, counts as wrong, and
    a warning says how many there are. An empty answer is one that the benchmark withholds.

    Raises:
        AnnotationError: a file or record is not as any version published it; names both.
    """
    records: list[QuestionRecord] = []
    for path in paths:
        rows = list_rows(read_json(path), path)
        found = [_record(row) for row in rows]
        _report(path, found)
        records.extend(found)
    return number_duplicates(records, paths)


def version_of(path: Path) -> str | None:
    """Return which published version a file is, by its sha256; None for none that is known."""
    return VERSIONS.get(hashlib.sha256(path.read_bytes()).hexdigest())


def _report(path: Path, records: Sequence[QuestionRecord]) -> None:
    version = version_of(path)
    if version is None:
        logger.warning(
            "%s is none of the versions of MMAU that are known by their sha256; its scores may not compare with "
            "published ones.",
            path,
        )
    else:
        logger.info("%s is MMAU's %s.", path, version)
    withheld = sum(not record.answers for record in records)
    impossible = [record.question_id for record in records if record.answers and "gold_choice" not in record.tags]
    if withheld:
        logger.warning("%s: %d of %d answers are withheld; these are not scored.", path, withheld, len(records))
    if impossible:
        logger.warning(
            "%s: %d of %d gold answers are none of their choices, the first of %s: a defective version "
            "(github.com/Sakshi113/MMAU, issue 12); take that of 2025-08-09.",
            *(path, len(impossible), len(records), impossible[0]),
        )


def _record(row: Row) -> QuestionRecord:
    audio = row.file_name("audio_id").removesuffix(SUFFIX)
    name = Path(audio).name
    question_id = row.identifier("id") if "id" in row else name
    row = Row(row.data, row.path, question_id)
    options = row.texts("choices")
    if not 2 <= len(options) <= MAX_OPTIONS:
        raise row.error(f"has {len(options)} choices; letters name 2 to {MAX_OPTIONS}.")
    task = row.stripped("task")
    if task not in TASKS:
        raise row.error(f"has the task {task!r}; known are {', '.join(TASKS)}.")
    answer = row.text("answer", empty=True)
    choice = next((n for n, option in enumerate(options) if option.strip() == answer.strip()), None)
    return QuestionRecord(
        question_id=question_id,
        media_id=name,
        text=row.stripped("question"),
        answers=() if not answer.strip() else (answer if choice is None else options[choice],),
        options=options,
        category=task,
        tags={
            "task": task,
            "difficulty": row.stripped("difficulty").lower(),
            "sub_category": row.stripped("sub-category") if "sub-category" in row else "",
            **({} if choice is None else {"gold_choice": str(choice)}),
        },
        media_names=(audio, name),
    )
