"""Tables as words: the cells as they are, the rows that bear on the question, exact figures over every column."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.tables import Table
from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.ranking import bm25, content_words
from lavis.experts.reading.engine import PACKAGES, shared_reader
from lavis.experts.reading.grid import read_grid
from lavis.experts.reading.numbers import ColumnNumbers, column_numbers, is_missing, written
from lavis.experts.reading.passages import OPTION_WEIGHT
from lavis.experts.words import spread

CERTAIN = 0.8
MAX_CELL_CHARS = 160
MAX_TOLD_COLUMNS = 40
# Rows from the top that are always shown, as examples.
N_EXAMPLES = 3
MAX_KINDS, MAX_KIND_COLUMNS = 12, 8
MEAN_DIGITS = 6


class TableExpert(Expert):
    """Tells a table's cells exactly; of a long one the rows nearest to the question, and figures over all of them.

    Args:
        max_rows: at most so many rows are quoted.
        max_chars: of the rows that are quoted.
    """

    card = ExpertCard(
        name="table",
        modality="table",
        skill="F2",
        summary="the cells of a table as text (also of a picture of one), and minimum, maximum, sum per column",
        version="1",
        question_aware=True,
        cost="local",
    )
    packages = PACKAGES

    def __init__(self, *, max_rows: int = 40, max_chars: int = 6000) -> None:
        if max_rows < 1 or not 500 <= max_chars <= 15_000:
            raise ConfigError("model.experts.table: max_rows is 1 or more, max_chars lies between 500 and 15,000.")
        self.max_rows = max_rows
        self.max_chars = max_chars

    def write(self, table: Table, *, question: Question) -> str:
        """Tell a table.

        Args:
            table: its cells, or its picture.
            question: its text and options choose rows where there are too many; it comes without its gold answers.

        Returns:
            How many rows and columns, the rows (``2 | North | 12.50``), then a line of figures per column.

        Raises:
            ModalityError: a picture shows no table; names medium and path.
            ConfigError: the table is a picture and RapidOCR is not installed; says how to install it.
        """
        remarks: tuple[str, ...] = table.notes
        if table.picture is not None:
            table, remarks = from_picture(table)
        columns = [column_numbers(cells) for cells in zip(*table.rows, strict=True)]
        names = [_cell(name) or f"column {k}" for k, name in enumerate(table.header, 1)]
        chosen = self._chosen(table, columns, question)
        lines = [_header(table, names), *remarks, *self._rows(table, names, chosen)]
        return "\n".join([*lines, *_figures(table, names, columns), *_kinds(table, names, columns)])

    def _chosen(self, table: Table, columns: list[ColumnNumbers | None], question: Question) -> list[int]:
        if len(table.rows) <= self.max_rows:
            return list(range(len(table.rows)))
        documents = [content_words(" ".join(row)) for row in table.rows]
        asked = content_words(question.text)
        scores = bm25(documents, asked)
        if options := content_words(" ".join(question.options)):
            scores = [a + OPTION_WEIGHT * b for a, b in zip(scores, bm25(documents, options), strict=True)]
        extremes = [
            column.places[column.values.index(pick(column.values))]
            for name, column in zip(table.header, columns, strict=True)
            if column and set(content_words(name)) & set(asked)
            for pick in (max, min)
        ]
        ranked = sorted((k for k, score in enumerate(scores) if score > 0), key=lambda k: (-round(scores[k], 9), k))
        # Where no row has a word of the question, rows from all over the table stand for it.
        sample = [] if ranked or extremes else spread(len(table.rows), self.max_rows)
        first = [*range(min(N_EXAMPLES, self.max_rows)), *extremes, *ranked, *sample]
        return sorted(list(dict.fromkeys(first))[: self.max_rows])

    def _rows(self, table: Table, names: Sequence[str], chosen: list[int]) -> list[str]:
        lines = [_row("row", names)]
        n_chars = 0
        told = 0
        for k in chosen:
            line = _row(str(k + 1), [_cell(cell) for cell in table.rows[k]])
            n_chars += len(line)
            if told and n_chars > self.max_chars:
                break
            lines.append(line)
            told += 1
        if told == len(table.rows):
            return ["All rows:", *lines]
        way = (
            "the first ones and those nearest to the question" if len(table.rows) > self.max_rows else "the first ones"
        )
        return [f"{told} of {len(table.rows)} rows ({way}):", *lines]


def from_picture(table: Table) -> tuple[Table, tuple[str, ...]]:
    """Return a table with the cells that its picture shows, and remarks on how they were read.

    Raises:
        ModalityError: the picture shows no table; names medium and path.
    """
    assert table.picture is not None  # noqa: S101 - the caller has looked
    grid = read_grid(table.picture.array, shared_reader().read, certain=CERTAIN)
    if grid is None or len(grid.cells) < 2:
        raise ModalityError(
            f"{table.media_id}: no table of two rows and two columns is found in the picture {table.path}; give a "
            f"sharper picture, or the table as .csv, .html or .xlsx."
        )
    way = "its ruled lines" if grid.is_ruled else "where the texts stand"
    remarks = [
        f"Read from a picture by OCR; rows and columns were found by {way}. Cells may be misread; an empty one may "
        f"hold a mark too small to be seen (a dash)."
    ]
    if grid.uncertain:
        doubted = ", ".join(f'"{text}" ({confidence:.2f})' for text, confidence in grid.uncertain[:10])
        remarks.append(f"Uncertain cells: {doubted}{' and others' if len(grid.uncertain) > 10 else ''}.")
    if grid.below:
        remarks.append(f"Under the table: {' '.join(grid.below)}")
    rows = tuple(map(tuple, grid.cells[1:]))
    read = Table(table.media_id, tuple(grid.cells[0]), rows, table.path, title=" ".join(grid.above))
    return read, tuple(remarks)


def _header(table: Table, names: Sequence[str]) -> str:
    shown = ", ".join(names[:MAX_TOLD_COLUMNS])
    more = f" and {len(names) - MAX_TOLD_COLUMNS} more" if len(names) > MAX_TOLD_COLUMNS else ""
    title = f" ({_cell(table.title)})" if table.title else ""
    n_rows, n_columns = len(table.rows), len(names)
    return (
        f"Table{title} of {n_rows} row{'s' if n_rows != 1 else ''} below its header and {n_columns} "
        f"column{'s' if n_columns != 1 else ''}: {shown}{more}."
    )


def _row(number: str, cells: Sequence[str]) -> str:
    return " | ".join([number, *cells[:MAX_TOLD_COLUMNS]])


def _cell(text: str) -> str:
    """Return a cell in one line; bars would look like the next cell."""
    text = " ".join(text.split()).replace("|", "\\|")
    return text if len(text) <= MAX_CELL_CHARS else f"{text[:MAX_CELL_CHARS]} …"


def _figures(table: Table, names: Sequence[str], columns: Sequence[ColumnNumbers | None]) -> list[str]:
    """Return exact figures of every column of numbers, over all rows."""
    lines = []
    for name, column in list(zip(names, columns, strict=True))[:MAX_TOLD_COLUMNS]:
        if column is None:
            continue
        unit = f" {column.unit}" if column.unit else ""
        low, high, total = min(column.values), max(column.values), sum(column.values, Decimal(0))
        said = [f"min {written(low)}{unit} ({_where(table, column, low)})"]
        said.append(f"max {written(high)}{unit} ({_where(table, column, high)})")
        # The sum of years says nothing.
        if "year" not in name.lower():
            mean = total / len(column.values)
            about = round(mean, max(0, MEAN_DIGITS - 1 - mean.adjusted())) if mean else mean
            equals = "" if about == mean else "about "
            said += [f"sum {written(total)}{unit}", f"mean {equals}{written(about)}{unit}"]
        count = f"{len(column.values)} number{'s' if len(column.values) != 1 else ''}"
        missing = f", {column.n_missing} missing" if column.n_missing else ""
        odd = f", {len(column.others)} not numeric (such as {_cell(column.others[0])})" if column.others else ""
        lines.append(f"- {name}: {count}{missing}{odd}; {', '.join(said)}")
    return ["Figures over all rows:", *lines] if lines else []


def _where(table: Table, column: ColumnNumbers, value: Decimal) -> str:
    """Return the row of a value with its first cell, and how many more rows have it."""
    places = [place for place, other in zip(column.places, column.values, strict=True) if other == value]
    label = _cell(table.rows[places[0]][0])
    named = f"row {places[0] + 1}" + (f", {label}" if label and column_numbers([label]) is None else "")
    return named if len(places) == 1 else f"{named}, and {len(places) - 1} more"


def _kinds(table: Table, names: Sequence[str], columns: Sequence[ColumnNumbers | None]) -> list[str]:
    """Return how often each text stands in the columns that have few different ones."""
    lines: list[str] = []
    for name, column, cells in zip(names, columns, zip(*table.rows, strict=True), strict=True):
        counts = Counter(_cell(cell) for cell in cells if not is_missing(cell))
        if column is not None or not 2 <= len(counts) <= MAX_KINDS or len(counts) == sum(counts.values()):
            continue
        told = ", ".join(
            f"{text} ×{count}" for text, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
        )
        lines.append(f"- {name}: {told}")
    return ["How often each text occurs:", *lines[:MAX_KIND_COLUMNS]] if lines else []
