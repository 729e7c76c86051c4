"""Annotation files to records: JSON, JSON lines, CSV and TSV."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lavis.common.errors import AnnotationError

Record = dict[str, Any]


def read_annotations(path: str | os.PathLike[str]) -> list[Record]:
    """Read the records of one annotation file, by its suffix.

    Args:
        path: ``.json`` (a list of objects, or an object of id → record), ``.jsonl`` (an object per
            line), ``.csv`` or ``.tsv`` (a header, then rows; every value stays a str, so that ids
            keep their leading zeros).

    Raises:
        AnnotationError: absent, of another kind, or not what its suffix says; names file and line.
    """
    file = Path(path)
    reader = READERS.get(file.suffix.lower())
    if reader is None:
        raise AnnotationError(
            f"{file}: annotations are {', '.join(READERS)}; this is {file.suffix or 'without suffix'!r}."
        )
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise AnnotationError(
            f"{file}: cannot be read ({error.strerror}). Correct build_info.annotations.<split>.storage."
        ) from error
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{file}: is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    records = reader(text, file)
    for number, record in enumerate(records):
        if not isinstance(record, dict):
            raise AnnotationError(f"{file}: record {number} is {_kind(record)}, not an object.")
    return records


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a string", type(None): "null"}.get(type(value), repr(value)[:40])


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise AnnotationError(
            f"{where}: is not JSON, line {error.lineno} column {error.colno}: {error.msg}. Is the file complete?"
        ) from error


def _read_json(text: str, file: Path) -> list[Record]:
    loaded = _parse(text, str(file))
    if isinstance(loaded, list):
        return loaded
    if not isinstance(loaded, dict):
        raise AnnotationError(f"{file}: holds {_kind(loaded)}, not a list of records.")
    if all(isinstance(value, dict) for value in loaded.values()):
        return [{"sample_id": key, **value} for key, value in loaded.items()]
    if all(isinstance(value, str | int | float) for value in loaded.values()):
        return [{"sample_id": key, "data": value} for key, value in loaded.items()]
    keys = ", ".join(list(loaded)[:5])
    raise AnnotationError(
        f"{file}: holds an object with keys {keys} whose values are not records; give a list of records or id → record."
    )


def _read_json_lines(text: str, file: Path) -> list[Record]:
    # Split at newlines alone: a record may hold U+2028, which str.splitlines would cut.
    lines = enumerate(text.split("\n"), start=1)
    return [_parse(line, f"{file}: record at line {number}") for number, line in lines if line.strip()]


def _read_table(delimiter: str) -> Callable[[str, Path], list[Record]]:
    def read(text: str, file: Path) -> list[Record]:
        rows = csv.DictReader(text.splitlines(keepends=True), delimiter=delimiter)
        records = []
        for row in rows:
            if None in row or None in row.values():
                raise AnnotationError(
                    f"{file}: line {rows.line_num} does not have the {len(rows.fieldnames or ())} cells of the header."
                )
            records.append(dict(row))
        return records

    return read


READERS: dict[str, Callable[[str, Path], list[Record]]] = {
    ".json": _read_json,
    ".jsonl": _read_json_lines,
    ".csv": _read_table(","),
    ".tsv": _read_table("\t"),
}
