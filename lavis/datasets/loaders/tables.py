"""Tables: delimited text, HTML, a workbook or a picture per medium, as the text of their cells."""

from __future__ import annotations

import codecs
import csv
import dataclasses
import io
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip, Loader, Sampling, first_with_suffix
from lavis.datasets.loaders.html_tables import TooLargeError, html_tables, joined_header
from lavis.datasets.loaders.pages import IMAGE_SUFFIXES, read_picture
from lavis.datasets.loaders.spreadsheets import SheetError, read_sheet

TEXT_SUFFIXES, HTML_SUFFIXES, WORKBOOK_SUFFIXES = (".csv", ".tsv"), (".html", ".htm"), (".xlsx",)
TABLE_SUFFIXES = (*TEXT_SUFFIXES, *HTML_SUFFIXES, *WORKBOOK_SUFFIXES, *IMAGE_SUFFIXES)
DELIMITERS = (",", "\t", ";", "|")
MAX_BYTES = 1 << 24
SNIFFED_RECORDS = 20


@dataclasses.dataclass(frozen=True)
class Table:
    """A table as text: no cell is read as a number, a date, a formula or as missing ("NA" is "NA").

    Merged cells of HTML and of workbooks stand in each place that they cover.

    Attributes:
        media_id: the medium.
        header: the first record, n columns; empty where the table is a picture.
        rows: the others, each of n cells; empty where the table is a picture.
        path: where it was read from.
        picture: [h, w, c] uint8 RGB where the table is a picture, else None.
        title: its caption or the name of its sheet, empty where there is none.
        notes: what is to be known beside it (other sheets, formulas without a value), in sentences.
    """

    media_id: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    path: Path
    picture: Clip | None = None
    title: str = ""
    notes: tuple[str, ...] = ()


class TableLoader(Loader):
    r"""Loads a table: ``.csv``, ``.tsv``, ``.html``, ``.htm``, ``.xlsx``, or the picture of one (``.png``, ``.jpg`` …).

    Text is comma-, tab-, semicolon- or bar-separated, UTF-8 (or UTF-16 with its mark). Cells may be quoted (``"``) and
    then hold delimiters, line ends and doubled quotes. Lines without any character are passed over. A picture's cells
    are not read here.

    Args:
        delimiter: one of ``,``, tab, ``;``, ``|``; None finds it from the first records. A file ending in ``.tsv`` is
            cut at tabs.
        max_bytes: a larger file is an error.
        number: which table of an HTML page, from 1; None takes the one with the most cells.
        sheet: name of a workbook's sheet; None takes the first visible one that holds anything.
    """

    modality = "table"
    timed = False

    def __init__(
        self,
        *,
        delimiter: str | None = None,
        max_bytes: int = MAX_BYTES,
        number: int | None = None,
        sheet: str | None = None,
    ) -> None:
        if delimiter is not None and delimiter not in DELIMITERS:
            raise ConfigError(f"table: delimiter must be one of {', '.join(map(repr, DELIMITERS))}, not {delimiter!r}.")
        if max_bytes < 1:
            raise ConfigError(f"table: max_bytes must be at least 1, not {max_bytes}.")
        if number is not None and number < 1:
            raise ConfigError(f"table: number counts tables from 1, not {number}.")
        self.delimiter = delimiter
        self.max_bytes = max_bytes
        self.number = number
        self.sheet = sheet

    @classmethod
    def locate(cls, root: Path, name: str, *, annotation: str) -> Path:
        """Return ``<root>/<name>`` where the name has a table's suffix, else with the first suffix that exists."""
        return first_with_suffix(root, name, TABLE_SUFFIXES, annotation=annotation)

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> Table:
        """Read every cell, or the picture; the sampling is ignored.

        Raises:
            ModalityError: missing, too large (a workbook: unpacked), damaged, no text, without a table or rows, or a
                record of another length than the header (names its line); names medium and path.
            ConfigError: a workbook, and openpyxl is not installed.
        """
        if not path.is_file():
            raise ModalityError(
                f"{media_id}: table {path} does not exist; check the storage of 'table' in the data set's build_info."
            )
        suffix = path.suffix.lower()
        if suffix in IMAGE_SUFFIXES:
            array = read_picture(path, media_id=media_id, modality=self.modality)
            return Table(media_id, (), (), path, Clip(media_id, self.modality, array, "h w c", "uint8 RGB", path))
        if suffix in HTML_SUFFIXES:
            return self._from_html(path, media_id=media_id)
        if suffix in WORKBOOK_SUFFIXES:
            return self._from_workbook(path, media_id=media_id)
        return self._from_text(path, media_id=media_id)

    def _from_html(self, path: Path, *, media_id: str) -> Table:
        try:
            found = html_tables(self._text(path, media_id=media_id, may_declare=True))
        except TooLargeError as error:
            raise ModalityError(f"{media_id}: a table of {path} is too large: {error}; make it smaller.") from error
        if not found or (self.number or 1) > len(found):
            raise ModalityError(
                f"{media_id}: {path} has {len(found) or 'no'} tables{'' if found else ' with cells'}; "
                f"{'correct the table option number' if found else 'give another page'}."
            )
        sizes = [len(one.rows) * len(one.rows[0]) for one in found]
        chosen = sizes.index(max(sizes)) if self.number is None else self.number - 1
        table = found[chosen]
        n_header = min(max(1, table.n_header_rows), len(table.rows) - 1) or 1
        header, rows = joined_header(table.rows[:n_header]), table.rows[n_header:]
        notes = (f"It is table {chosen + 1} of {len(found)} on the page.",) if len(found) > 1 else ()
        return self._table(header, rows, path, media_id=media_id, title=table.caption, notes=notes)

    def _from_workbook(self, path: Path, *, media_id: str) -> Table:
        try:
            sheet = read_sheet(self._content(path, media_id=media_id), self.sheet)
        except SheetError as error:
            raise ModalityError(f"{media_id}: workbook {path} {error}.") from error
        notes = [f"Other sheets of the workbook: {', '.join(sheet.others)}."] if sheet.others else []
        if sheet.n_unknown:
            notes.append(f"{sheet.n_unknown} formulas have no stored value; their cells are empty here.")
        title = f"sheet {sheet.name!r}"
        return self._table(sheet.rows[0], sheet.rows[1:], path, media_id=media_id, title=title, notes=tuple(notes))

    def _table(
        self,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        path: Path,
        *,
        media_id: str,
        title: str = "",
        notes: tuple[str, ...] = (),
    ) -> Table:
        if not rows:
            raise ModalityError(f"{media_id}: table {path} has no rows; write it again.")
        return Table(media_id, tuple(header), tuple(map(tuple, rows)), path, title=title, notes=notes)

    def _from_text(self, path: Path, *, media_id: str) -> Table:
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

    def _content(self, path: Path, *, media_id: str) -> bytes:
        try:
            with path.open("rb") as stream:
                content = stream.read(self.max_bytes + 1)
        except OSError as error:
            raise ModalityError(f"{media_id}: table {path} cannot be read ({error}); write it again.") from error
        if len(content) > self.max_bytes:
            raise ModalityError(
                f"{media_id}: table {path} is larger than max_bytes = {self.max_bytes}; make it smaller, or set "
                f"the table option max_bytes."
            )
        return content

    def _text(self, path: Path, *, media_id: str, may_declare: bool = False) -> str:
        content = self._content(path, media_id=media_id)
        encoding = "utf-16" if content.startswith(_UTF16_MARKS) else "utf-8-sig"
        # A page may name its own encoding; what has a mark needs no other word.
        if may_declare and not content.startswith((*_UTF16_MARKS, codecs.BOM_UTF8)):
            declared = re.search(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_-]+)", content[:4096], re.I)
            encoding = declared[1].decode("ascii") if declared else encoding
        try:
            text = content.decode(encoding)
        except (UnicodeDecodeError, LookupError) as error:
            name = "UTF-8" if encoding == "utf-8-sig" else encoding
            raise ModalityError(f"{media_id}: table {path} is no {name} text ({error}); write it again.") from error
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
