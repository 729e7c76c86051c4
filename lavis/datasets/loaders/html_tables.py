"""Tables out of HTML: every table of a page as text cells, merged cells written into each place that they cover."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

# HTML's own bounds on spans, and ours on what a span may unfold to.
MAX_COLSPAN, MAX_ROWSPAN = 1000, 65_534
MAX_CELLS = 2_000_000
SKIPPED = frozenset({"script", "style", "template", "noscript", "head", "svg", "select"})
CELLS = frozenset({"td", "th"})
BREAKS = frozenset({"br", "p", "div", "li", "tr"})


@dataclasses.dataclass
class HtmlTable:
    """One table as it lies in the page.

    Attributes:
        rows: cells, all rows of one length.
        n_header_rows: how many rows from the top are headers, as ``thead`` or by having ``th`` alone.
        caption: its caption, empty where there is none.
    """

    rows: list[list[str]]
    n_header_rows: int
    caption: str


class TooLargeError(ValueError):
    """A table whose spans unfold to more cells than are read."""


@dataclasses.dataclass
class _Cell:
    is_header: bool
    n_columns: int
    n_rows: int
    parts: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class _Open:
    """A table that is being read: rows of cells as written, with whether each row stands in a ``thead``."""

    rows: list[tuple[list[_Cell], bool]] = dataclasses.field(default_factory=list)
    cell: _Cell | None = None
    in_head: bool = False
    in_row: bool = False
    caption: list[str] | None = None
    caption_open: bool = False


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[_Open] = []
        self.done: list[_Open] = []
        self.skipping: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.skipping or tag in SKIPPED:
            if tag in SKIPPED:
                self.skipping.append(tag)
            return
        if tag == "table":
            self.open.append(_Open())
            self.done.append(self.open[-1])
            return
        if not self.open:
            return
        table = self.open[-1]
        if tag == "thead":
            table.in_head = True
        elif tag in ("tbody", "tfoot"):
            table.in_head = table.in_row = False
            table.cell = None
        elif tag == "tr":
            table.rows.append(([], table.in_head))
            table.in_row, table.cell = True, None
        elif tag in CELLS:
            if not table.in_row:
                table.rows.append(([], table.in_head))
                table.in_row = True
            spans = {name: value or "" for name, value in attrs}
            table.cell = _Cell(
                tag == "th",
                _span(spans.get("colspan", ""), MAX_COLSPAN),
                _span(spans.get("rowspan", ""), MAX_ROWSPAN, zero=MAX_ROWSPAN),
            )
            table.rows[-1][0].append(table.cell)
        elif tag == "caption":
            table.caption, table.caption_open = [], True
        elif tag in BREAKS and table.cell is not None:
            table.cell.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if self.skipping:
            if tag == self.skipping[-1]:
                self.skipping.pop()
            return
        if not self.open:
            return
        table = self.open[-1]
        if tag == "table":
            self.open.pop()
        elif tag in CELLS:
            table.cell = None
        elif tag == "tr":
            table.in_row, table.cell = False, None
        elif tag == "thead":
            table.in_head = table.in_row = False
        elif tag == "caption":
            table.caption_open = False

    def handle_data(self, data: str) -> None:
        if self.skipping or not self.open:
            return
        table = self.open[-1]
        if table.cell is not None:
            table.cell.parts.append(re.sub(r"\s+", " ", data))
        elif table.caption_open and table.caption is not None:
            table.caption.append(re.sub(r"\s+", " ", data))


def html_tables(text: str) -> list[HtmlTable]:
    """Return the tables of a page in their order; a table inside another is a table of its own.

    Text of scripts and styles is no text of a cell. A row that is shorter than others is filled with empty cells, as
    a browser shows it.

    Args:
        text: the page.

    Raises:
        TooLargeError: merged cells unfold to more cells than are read.
    """
    parser = _Parser()
    parser.feed(text)
    parser.close()
    return [table for table in map(_unfolded, parser.done) if table.rows]


def _unfolded(table: _Open) -> HtmlTable:
    rows: list[list[str]] = []
    n_header_rows, all_headers, n_cells = 0, True, 0
    reaching: dict[int, tuple[str, int]] = {}  # column: text and number of rows that a cell above still covers
    for cells, in_head in table.rows:
        if not cells and not reaching:
            continue
        row: dict[int, str] = {}
        for column, (text, n_left) in list(reaching.items()):
            row[column] = text
            reaching.pop(column)
            if n_left > 1:
                reaching[column] = (text, n_left - 1)
        column = 0
        for cell in cells:
            while column in row:
                column += 1
            text = _cleaned("".join(cell.parts))
            for place in range(column, column + cell.n_columns):
                row[place] = text
                if cell.n_rows > 1:
                    reaching[place] = (text, cell.n_rows - 1)
            column += cell.n_columns
        n_cells += len(row)
        if n_cells > MAX_CELLS:
            raise TooLargeError(f"its merged cells unfold to more than {MAX_CELLS} cells")
        rows.append([row.get(k, "") for k in range(max(row, default=-1) + 1)])
        all_headers = all_headers and (in_head or all(cell.is_header for cell in cells))
        n_header_rows += all_headers
    width = max(map(len, rows), default=0)
    if width * len(rows) > MAX_CELLS:
        raise TooLargeError(f"it has more than {MAX_CELLS} cells")
    filled = [row + [""] * (width - len(row)) for row in rows]
    return HtmlTable(filled, n_header_rows, _cleaned("".join(table.caption or [])))


def joined_header(rows: list[list[str]]) -> list[str]:
    """Return one header out of several rows: ``2020 / Sold``; what a merged cell repeats is said once."""
    return [" / ".join(dict.fromkeys(cell for cell in column if cell)) for column in zip(*rows, strict=True)]


def _span(text: str, most: int, *, zero: int = 1) -> int:
    number = re.match(r"\s*\+?(\d{1,9})", text)
    if number is None:
        return 1
    return min(most, int(number[1]) or zero)


def _cleaned(text: str) -> str:
    lines = (" ".join(line.split(" ")).strip(" ") for line in re.sub(r" +", " ", text).split("\n"))
    return "\n".join(line for line in lines if line)
