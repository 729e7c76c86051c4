"""Sheets of ``.xlsx`` files as the text that the sheet shows: bounded, without formulas, merged cells unfolded."""

from __future__ import annotations

import dataclasses
import datetime
import io
import re
import zipfile
import zlib
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from xml.etree import ElementTree

from lavis.datasets.loaders.packages import required

# A file of 100 kB can unpack to 10 GB.
MAX_UNPACKED_BYTES = 1 << 27
MAX_CELLS = 2_000_000
CHUNK_BYTES = 1 << 20
NAMESPACES = {
    "m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "r": "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
}
# In UTF-8, and in UTF-16 of either order.
DECLARATIONS = (b"<!DOCTYPE", b"<!ENTITY", "<!DOCTYPE".encode("utf-16-le")[:-1], "<!ENTITY".encode("utf-16-le")[:-1])
PLAIN_FORMAT = re.compile(r"([^0#?]*)(#,##)?(0+)(?:\.(0+))?(%?)([^0#?]*)")


class SheetError(ValueError):
    """A file that is no workbook, is too large, or has no such sheet; says what and the way out."""


@dataclasses.dataclass(frozen=True)
class Sheet:
    """One sheet.

    Attributes:
        name: of the sheet.
        rows: cells as text, all rows of one length, without empty rows and columns around.
        others: names of the other sheets.
        n_unknown: formulas whose value the file does not hold; their cells are empty.
    """

    name: str
    rows: list[list[str]]
    others: tuple[str, ...]
    n_unknown: int


def read_sheet(content: bytes, sheet: str | None = None) -> Sheet:
    """Read one sheet.

    Args:
        content: of the file.
        sheet: its name; None for the first visible one that holds anything.

    Raises:
        SheetError: damaged, no workbook, too large unpacked, or without the sheet.
        ConfigError: openpyxl is not installed.
    """
    openpyxl = required("openpyxl", modality="table")
    errors = (zipfile.BadZipFile, zlib.error, ElementTree.ParseError, SyntaxError)
    try:
        _check_archive(content)
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
        try:
            visible = [one.title for one in book.worksheets if one.sheet_state == "visible"]
            if sheet is not None and sheet not in book.sheetnames:
                raise SheetError(f"has no sheet {sheet!r}; set the table option sheet to one of {book.sheetnames}")
            for name in visible if sheet is None else [sheet]:
                rows, first = _cells(book[name])
                if rows:
                    merged, n_unknown = _merged_and_unknown(content, name)
                    _unfold(rows, merged, first)
                    others = tuple(other for other in visible if other != name)
                    return Sheet(name, rows, others, n_unknown)
        finally:
            book.close()
    # openpyxl raises whatever its parser meets in a damaged file.
    except (*errors, OSError, KeyError, ValueError, TypeError, AttributeError, IndexError, EOFError) as error:
        if isinstance(error, SheetError):
            raise
        raise SheetError(f"is damaged or no workbook ({type(error).__name__}: {error}); save it again") from error
    raise SheetError("has no sheet with cells; save it again")


def _check_archive(content: bytes) -> None:
    """Refuse what unpacks to too much or declares entities, which can unfold without bound."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        n_bytes = sum(member.file_size for member in members)
        if n_bytes > MAX_UNPACKED_BYTES:
            raise SheetError(f"unpacks to {n_bytes} bytes, at most {MAX_UNPACKED_BYTES} are read; make it smaller")
        for member in members:
            if not member.filename.endswith((".xml", ".rels")):
                continue
            with archive.open(member) as stream:
                before = b""
                while chunk := stream.read(CHUNK_BYTES):
                    if any(mark in before + chunk for mark in DECLARATIONS):
                        raise SheetError("declares XML entities, which no workbook needs; save it again")
                    before = chunk[-32:]


def _cells(sheet: Any) -> tuple[list[list[str]], tuple[int, int]]:
    """Return the rows between the first and last cells that hold something, and (row, column) of the first, from 1."""
    sheet.reset_dimensions()  # what the file says of its size may be wrong
    held: dict[int, dict[int, str]] = {}
    n_cells = 0
    for row in sheet.iter_rows():
        for cell in row:
            if cell.value is not None and (text := _text(cell.value, cell.number_format)):
                held.setdefault(cell.row, {})[cell.column] = text
                n_cells += 1
        if n_cells > MAX_CELLS:
            raise SheetError(f"has more than {MAX_CELLS} cells; split it")
    if not held:
        return [], (1, 1)
    top, bottom = min(held), max(held)
    left, right = min(map(min, held.values())), max(map(max, held.values()))
    if (bottom - top + 1) * (right - left + 1) > MAX_CELLS:
        raise SheetError(f"spans more than {MAX_CELLS} cells; leave out what stands far apart")
    rows = [[held.get(r, {}).get(c, "") for c in range(left, right + 1)] for r in range(top, bottom + 1)]
    return rows, (top, left)


def _text(value: Any, number_format: str | None) -> str:
    """Return what a cell shows, as far as its format is a plain one; else the value itself."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, int | float):
        return shown_number(value, number_format or "General")
    return str(value)


def shown_number(value: int | float, number_format: str) -> str:
    """Return a number by a plain format: fixed digits, leading zeros, thousands, per cent, a unit in quotes.

    Any other format (fractions, conditions) leaves the number as it is stored.
    """
    stored = format(Decimal(repr(value)).normalize(), "f") if value else "0"
    plain = re.sub(r"\[\$([^\]-]*)[^\]]*\]", r'"\1"', number_format.split(";")[0])
    plain = re.sub(r"_.|\*.|\[[A-Za-z]+\]", "", plain).replace("\\", "")
    quoted = re.findall(r'"([^"]*)"', plain)
    match = PLAIN_FORMAT.fullmatch(re.sub(r'"[^"]*"', "\0", plain))
    if match is None:
        return stored
    before, thousands, whole, decimals, percent, after = match.groups()
    if re.search(r"[A-Za-z@/;]", before + after):
        return stored
    number = Decimal(repr(value)) * (100 if percent else 1)
    # As spreadsheets round: halves away from zero.
    number = number.quantize(Decimal(1).scaleb(-len(decimals or "")), ROUND_HALF_UP)
    digits = format(abs(number), ",f" if thousands else "f")
    head, point, tail = digits.partition(".")
    head = head if thousands else head.zfill(len(whole))
    texts = iter(quoted)
    around = [re.sub("\0", lambda _: next(texts), part) for part in (before, after)]
    return f"{'-' if number < 0 else ''}{around[0]}{head}{point}{tail}{percent or ''}{around[1]}"


def _merged_and_unknown(content: bytes, name: str) -> tuple[list[tuple[int, int, int, int]], int]:
    """Return merged ranges (first row, first column, last row, last column) and the number of valueless formulas."""
    range_boundaries = required("openpyxl.utils.cell", modality="table").range_boundaries
    merged, n_unknown = [], 0
    main = f"{{{NAMESPACES['m']}}}"
    with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(_member(archive, name)) as stream:
        for _, element in ElementTree.iterparse(stream):  # noqa: S314 - checked: no entities
            if element.tag == f"{main}c":
                if element.find(f"{main}f") is not None and not (element.findtext(f"{main}v") or ""):
                    n_unknown += element.get("t") != "str"
                element.clear()
            elif element.tag == f"{main}mergeCell":
                left, top, right, bottom = range_boundaries(element.get("ref", ""))
                merged.append((top, left, bottom, right))
    return merged, n_unknown


def _member(archive: zipfile.ZipFile, name: str) -> str:
    """Return the archive's member that holds a sheet."""
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314 - checked: no entities
    links = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314 - checked: no entities
    wanted = next(
        one.get(f"{{{NAMESPACES['r']}}}id")
        for one in book.iterfind(".//m:sheet", NAMESPACES)
        if one.get("name") == name
    )
    target = next(one.get("Target", "") for one in links if one.get("Id") == wanted)
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _unfold(rows: list[list[str]], merged: list[tuple[int, int, int, int]], first: tuple[int, int]) -> None:
    """Write the text of merged cells into each place that they cover inside the rows."""
    for top, left, bottom, right in merged:
        row, column = top - first[0], left - first[1]
        if not (0 <= row < len(rows) and 0 <= column < len(rows[0])):
            continue
        text = rows[row][column]
        for r in range(row, min(bottom - first[0] + 1, len(rows))):
            for c in range(column, min(right - first[1] + 1, len(rows[0]))):
                rows[r][c] = text
