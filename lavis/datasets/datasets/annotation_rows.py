"""Reading annotation files record by record, with errors that name the file and the record."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lavis.common.errors import AnnotationError
from lavis.common.files import strict_json

# Far above any benchmark's (the longest question is 2,357 characters): what is longer is a damaged file.
MAX_CHARACTERS = 100_000
Span = tuple[float, float]


class Row:
    """One record of an annotation file; every getter raises AnnotationError naming file and record.

    Args:
        data: the record.
        path: its file.
        name: what to call it: its number, or its id once that is known.
    """

    __slots__ = ("data", "name", "path")

    def __init__(self, data: Any, path: Path, name: object) -> None:
        self.path = path
        self.name = str(name)
        if not isinstance(data, Mapping):
            raise self.error(f"is {_kind(data)}, not an object.")
        self.data = data

    def __contains__(self, key: str) -> bool:
        return self.data.get(key) is not None

    def error(self, problem: str) -> AnnotationError:
        """Return an error about this record, for raising."""
        return AnnotationError(f"{self.path}: record {self.name} {problem}")

    def need(self, key: str) -> Any:
        """Return a value that must be there and not null."""
        value = self.data.get(key)
        if value is None:
            raise self.error(f"has no {key!r}; correct the annotation or leave the record out.")
        return value

    def text(self, key: str, *, empty: bool = False) -> str:
        """Return a text as it stands; blank only where ``empty`` says so."""
        return self._text(self.need(key), key, empty=empty)

    def stripped(self, key: str, *, empty: bool = False) -> str:
        """Return a text without white space at its ends."""
        return self.text(key, empty=empty).strip()

    def identifier(self, key: str) -> str:
        """Return an id: a text without white space at its ends, or a whole number, as text."""
        value = self.need(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return self._text(value, key, empty=False).strip()

    def whole(self, key: str, *, below: int | None = None) -> int:
        """Return a whole number from 0, also out of a text."""
        value = self.need(key)
        number = int(value) if isinstance(value, str) and value.isascii() and value.strip().isdigit() else value
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise self.error(f"has {key!r} {_short(value)}, not a whole number from 0.")
        if below is not None and number >= below:
            raise self.error(f"has {key!r} {number}, but only {below} to choose from.")
        return number

    def number(self, key: str) -> float:
        """Return a finite number, also out of a text."""
        value = self.need(key)
        try:
            number = float(value) if isinstance(value, str) else value
        except ValueError:
            number = None
        if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) < float("inf"):
            raise self.error(f"has {key!r} {_short(value)}, not a number.")
        return float(number)

    def texts(self, key: str, *, empty: bool = False) -> tuple[str, ...]:
        """Return a list of texts; the list itself may be empty."""
        value = self.need(key)
        if not isinstance(value, list):
            raise self.error(f"has {key!r} {_short(value)}, not a list.")
        return tuple(self._text(item, f"{key}[{n}]", empty=empty) for n, item in enumerate(value))

    def file_name(self, key: str) -> str:
        """Return the name of a medium's file or folder, which must stay below its root."""
        return self.checked_name(self.identifier(key))

    def checked_name(self, name: str) -> str:
        """Return a relative name that stays below its root, as a path without ``.`` parts."""
        plain = os.path.normpath(name)
        if not name.strip() or "\0" in name or os.path.isabs(plain) or plain.split(os.sep)[0] in ("..", "."):
            raise self.error(f"names the medium {_short(name)}, which does not stay inside its root; correct it.")
        return plain

    def _text(self, value: Any, key: str, *, empty: bool) -> str:
        if not isinstance(value, str):
            raise self.error(f"has {key!r} {_short(value)}, not a text.")
        if len(value) > MAX_CHARACTERS:
            raise self.error(f"has {key!r} of {len(value):,} characters; at most {MAX_CHARACTERS:,} are read.")
        if not empty and not value.strip():
            raise self.error(f"has an empty {key!r}; correct the annotation or leave the record out.")
        return value


def read_text(path: Path) -> str:
    """Return an annotation file's text, without a byte-order mark.

    Raises:
        AnnotationError: missing, unreadable or not UTF-8; names the file and the way out.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise AnnotationError(
            f"No annotation file {path}; set build_info.root of the data set to the folder that holds it."
        ) from error
    except OSError as error:
        raise AnnotationError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8.") from error


def read_json(path: Path) -> Any:
    """Return a JSON document, see :func:`lavis.common.files.strict_json`.

    Raises:
        AnnotationError: missing, or not JSON; names the file.
    """
    try:
        return strict_json(read_text(path))
    except ValueError as error:
        if isinstance(error, AnnotationError):
            raise
        raise AnnotationError(f"{path} is not JSON: {error}. Download it again.") from error


def list_rows(document: Any, path: Path) -> list[Row]:
    """Return the records of a document that must be a list with at least one object.

    Raises:
        AnnotationError: another type, empty, or an element that is no object.
    """
    if not isinstance(document, list):
        raise AnnotationError(f"{path} holds {_kind(document)}, not a list of records.")
    if not document:
        raise AnnotationError(f"{path} holds no record.")
    return [Row(item, path, number) for number, item in enumerate(document)]


def read_table(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of a csv file with a header; every value is a text as it stands ("NA" stays "NA").

    Args:
        path: the file.
        columns: those that it must have.

    Raises:
        AnnotationError: no header, a column is missing, a row has another number of cells, or no row.
    """
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    header: list[str] | None = None
    found = False
    try:
        for cells in reader:
            if header is None:
                header = cells
                missing = [name for name in columns if name not in header]
                if missing or len(set(header)) < len(header):
                    raise AnnotationError(
                        f"{path}: the first line must name each column once; missing: {', '.join(missing) or 'none'}, "
                        f"there: {_short(', '.join(header))}."
                    )
                continue
            if not cells:
                continue
            if len(cells) != len(header):
                raise AnnotationError(
                    f"{path}: line {reader.line_num} has {len(cells)} cells, the header {len(header)}."
                )
            found = True
            yield Row(dict(zip(header, cells, strict=True)), path, f"at line {reader.line_num}")
    except csv.Error as error:
        raise AnnotationError(f"{path}: line {reader.line_num} is not csv: {error}.") from error
    if not found:
        raise AnnotationError(f"{path} holds no record.")


def option_number(row: Row, answer: str, options: Sequence[str]) -> int:
    """Return the place of an answer among its options.

    Raises:
        AnnotationError: it is none of them.
    """
    if answer not in options:
        raise row.error(f"has the answer {_short(answer)}, which is none of its options {_short(list(options))}.")
    return options.index(answer)


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(type(value), _short(value))


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:77] + "…"
