"""MUSIC-AVQA's annotation files, of every release, as records."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lavis.datasets.datasets.annotation_rows import Row, list_rows, read_json
from lavis.datasets.datasets.question_record import QuestionRecord
from lavis.datasets.datasets.record_ids import number_duplicates

PLACEHOLDER = re.compile(r"<\w+>")
MODALITIES = ("Audio", "Visual", "Audio-Visual")
TYPES = ("Counting", "Comparative", "Location", "Existential", "Temporal")


def read_records(paths: Sequence[Path]) -> list[QuestionRecord]:
    """Read ``avqa-<split>.json`` of the first release, the corrected one or version 2.0.

    ``type`` and ``templ_values`` are JSON inside JSON, or (in version 2.0) lists; the answer's key is
    spelled ``anser``. Ids that the first release repeats count as questions of their own; a record
    without id (version 2.0) is called ``<video_id>_<number>``. A question's placeholders take its values
    from left to right. Underscores in instruments' names become spaces.

    Raises:
        AnnotationError: a file or record is not so; names both.
    """
    records = (_record(row, number) for path in paths for number, row in enumerate(list_rows(read_json(path), path)))
    return number_duplicates(records, paths)


def _record(row: Row, number: int) -> QuestionRecord:
    video = row.checked_name(row.stripped("video_id"))
    question_id = row.identifier("question_id") if "question_id" in row else f"{video}_{number}"
    row = Row(row.data, row.path, question_id)
    kind = _texts(row, "type")
    if len(kind) != 2 or kind[0] not in MODALITIES or kind[1] not in TYPES:
        raise row.error(
            f"has 'type' {row.data['type']!r}, not a modality ({', '.join(MODALITIES)}) and a question type."
        )
    modality, question_type = kind
    return QuestionRecord(
        question_id=question_id,
        media_id=video,
        text=fill(row, row.stripped("question_content"), _texts(row, "templ_values")),
        answers=(spaced(row.stripped("anser")),),
        category=f"{modality}/{question_type}",
        tags={"modality": modality, "type": question_type},
    )


def fill(row: Row, template: str, values: Sequence[str]) -> str:
    """Put values in the place of placeholders (``<Object>``, ``<LR>`` …) from left to right, one each.

    Raises:
        AnnotationError: there are not as many values as placeholders.
    """
    places = PLACEHOLDER.findall(template)
    if len(places) != len(values):
        raise row.error(f"has {len(places)} placeholders and {len(values)} values in 'templ_values'.")
    left = iter(values)
    return PLACEHOLDER.sub(lambda _: spaced(next(left)), template)


def spaced(name: str) -> str:
    """Return a name with spaces for underscores (``acoustic_guitar``)."""
    return name.replace("_", " ")


def _texts(row: Row, key: str) -> tuple[str, ...]:
    """Return a list of texts, given as a list or as JSON in a text."""
    value: Any = row.need(key)
    if isinstance(value, str):
        try:
            value = _decoded(value)
        except (ValueError, RecursionError) as error:
            raise row.error(f"has {key!r} {value[:80]!r}, which is no list in JSON: {error}.") from error
    return Row({key: value}, row.path, row.name).texts(key)


# A few thousand different texts serve a whole release.
@functools.lru_cache(maxsize=8192)
def _decoded(text: str) -> Any:
    return json.loads(text)
