"""Tables: one ``.csv`` or ``.tsv`` per medium, as the text of its cells."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import itertools
from pathlib import Path

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Loader, Sampling, first_with_suffix

TABLE_SUFFIXES = (".csv", ".tsv")
DELIMITERS = (",", "\t", ";", "|")
MAX_BYTES = 1 << 24
SNIFFED_RECORDS = 20


@dataclasses.dataclass(frozen=True)
class Table:
    """A table as text: no cell is read as a number, a date, a formula or as missing ("NA" is "NA").

    Attributes:
        media_id: the medium.
        header: the first record, n columns.
        rows: the others, each of n cells.
        path: where it was read from.
    """

    media_id: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    path: Path


class TableLoader(Loader):
    r"""Loads a table of comma-, tab-, semicolon- or bar-separated text, UTF-8 (or UTF-16 with its mark).

    Cells may be quoted (``"``) and then hold delimiters, line ends and doubled quotes. Lines without any character
    are passed over.

    Args:
        delimiter: one of ``,``, tab, ``;``, ``|``; None finds it from the first records. A file ending in ``.tsv`` is
            cut at tabs.
        max_bytes: a larger file is an error.
    """

    modality = "table"
    timed = False

    def __init__(self, *, delimiter: str | None = None, max_bytes: int = MAX_BYTES) -> None:
        if delimiter is not None and delimiter not in DELIMITERS:
            raise ConfigError(f"table: delimiter must be one of {', '.join(map(repr, DELIMITERS))}, not {delimiter!r}.")
        if max_bytes < 1:
            raise ConfigError(f"table: max_bytes must be at least 1, not {max_bytes}.")
        self.delimiter = delimiter
        self.max_bytes = max_bytes

    @classmethod
    def locate(cls, root: Path, name: str, *, annotation: str) -> Path:
        """Return ``<root>/<name>`` where the name has a table's suffix, else with the first suffix that exists."""
        return first_with_suffix(root, name, TABLE_SUFFIXES, annotation=annotation)

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> Table:
        """Read every cell; the sampling is ignored.

        Raises:
            ModalityError: missing, too large, no text, without rows, or a record of another length than the header
                (names its line); names medium and path.
        """
        if not path.is_file():
            raise ModalityError(
                f"{media_id}: table {path} does not exist; check the storage of 'table' in the data set's build_info."
            )
        text = self._text(path, media_id=media_id)
        delimiter = self.delimiter or ("\t" if path.suffix.lower() == ".tsv" else _sniffed(text))
        header: tuple[str, ...] | None = None
        rows = []
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        line = 1
        try:
            for record in reader:
                if record and header is None:
                    header = tuple(record)
                elif record:
                    if header is not None and len(record) != len(header):
                        raise ModalityError(
                            f"{media_id}: line {line} of table {path} has {len(record)} cells, its header "
                            f"{len(header)} (cut at {delimiter!r}); correct the line, or set the option delimiter."
                        )
                    rows.append(tuple(record))
                line = reader.line_num + 1
        except csv.Error as error:
            raise ModalityError(f"{media_id}: table {path} cannot be read at line {line}: {error}.") from error
        if header is None or not rows:
            raise ModalityError(f"{media_id}: table {path} has no {'rows' if header else 'header'}; write it again.")
        return Table(media_id, header, tuple(rows), path)

    def _text(self, path: Path, *, media_id: str) -> str:
        try:
            with path.open("rb") as stream:
                content = stream.read(self.max_bytes + 1)
            if len(content) > self.max_bytes:
                raise ModalityError(
                    f"{media_id}: table {path} is larger than max_bytes = {self.max_bytes}; make it smaller, or set "
                    f"the table option max_bytes."
                )
            text = content.decode("utf-16" if content.startswith(_UTF16_MARKS) else "utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ModalityError(f"{media_id}: table {path} is no UTF-8 text ({error}); write it again.") from error
        if "\0" in text:
            raise ModalityError(f"{media_id}: table {path} holds zero bytes; it is no text.")
        return text


_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def _sniffed(text: str) -> str:
    """Return the delimiter that cuts every one of the first records alike, or else the header into most cells."""
    widths = {}
    for delimiter in DELIMITERS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        try:
            lengths = [len(record) for record in itertools.islice(reader, SNIFFED_RECORDS) if record]
        except csv.Error:
            continue
        if lengths and lengths[0] > 1:
            widths[delimiter] = (len(set(lengths)) == 1, lengths[0])
    # A table of one column has no delimiter; it is read with a comma, which then must not occur.
    return max(widths, key=widths.__getitem__, default=",")
