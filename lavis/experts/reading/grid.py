"""The grid of a table in a picture: by its ruled lines where it has them, else by how its texts stand."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import numpy as np

from lavis.datasets.loaders.base import Array
from lavis.experts.reading.engine import TextLine
from lavis.experts.reading.order import rows_of

# A ruled line is darker or lighter than the ground by so much of 255, over so much of the table, and at most so thick.
RULE_CONTRAST, RULE_SHARE, MAX_RULE_PX = 30, 0.6, 6
# A text that reaches so far beyond a line, in its own heights, goes on in the next cell.
CROSSING = 0.6
# A line between two cells is drawn along so much of their side, at most so far from where it is in the other rows.
DRAWN_SHARE, NEAR_PX = 0.9, 2.0


@dataclasses.dataclass(frozen=True)
class Grid:
    """A table that was read from a picture.

    Attributes:
        cells: rows of texts, all of one length; empty cells are empty.
        uncertain: (text, confidence) of cells below the certainty asked for.
        above: lines over the table (its title).
        below: lines under it (notes).
        is_ruled: whether ruled lines gave the cells.
    """

    cells: list[list[str]]
    uncertain: tuple[tuple[str, float], ...]
    above: tuple[str, ...]
    below: tuple[str, ...]
    is_ruled: bool


def read_grid(picture: Array, read: Callable[[Array], tuple[TextLine, ...]], *, certain: float) -> Grid | None:
    """Read a table, or return None where the texts make no grid of two rows and columns.

    Args:
        picture: [h, w, 3] uint8 RGB, upright.
        read: reads the lines of a picture.
        certain: confidence below which a cell is listed as uncertain.
    """
    lines = [line for line in read(picture) if not line.is_vertical]
    if len(lines) < 2:
        return None
    edges_x, edges_y = ruled_lines(picture)
    if len(edges_x) >= 3 and len(edges_y) >= 3:
        placed = _placed(_split(lines, edges_x, picture, read), edges_x, edges_y, picture)
        if placed is not None:
            return _grid(placed, certain, is_ruled=True)
    return _clustered(lines, certain)


def ruled_lines(picture: Array) -> tuple[list[float], list[float]]:
    """Return x of upright and y of level lines that run through most of a picture's table, in px."""
    grey = picture.astype(np.int16).mean(axis=2)
    marked = np.abs(grey - np.median(grey)) > RULE_CONTRAST
    found_y = _lines(marked.mean(axis=1))
    # Lines are as long as the table, which may be smaller than the picture.
    top, bottom = (int(found_y[0]), int(found_y[-1]) + 1) if len(found_y) > 1 else (0, len(marked))
    found_x = _lines(marked[top:bottom].mean(axis=0))
    if len(found_x) > 1:
        found_y = _lines(marked[:, int(found_x[0]) : int(found_x[-1]) + 1].mean(axis=1))
    return found_x, found_y


def _lines(shares: Array) -> list[float]:
    places = np.flatnonzero(shares >= RULE_SHARE)
    groups = np.split(places, np.flatnonzero(np.diff(places) > 1) + 1) if len(places) else []
    return [float(group.mean()) for group in groups if len(group) <= MAX_RULE_PX]


def _split(
    lines: Sequence[TextLine],
    edges_x: Sequence[float],
    picture: Array,
    read: Callable[[Array], tuple[TextLine, ...]],
) -> list[TextLine]:
    """Read again, cell by cell, what was read across an upright line."""
    found: list[TextLine] = []
    for line in lines:
        left, top, right, bottom = line.box_px
        reach = CROSSING * line.height_px
        crossed = [x for x in edges_x if left + reach < x < right - reach]
        # A merged cell interrupts the line.
        is_drawn = [x for x in crossed if _is_drawn(picture, (x - NEAR_PX, x + NEAR_PX), (top, bottom))]
        if not is_drawn:
            found.append(line)
            continue
        bounds = [left, *is_drawn, right]
        for start, end in itertools.pairwise(bounds):
            margin = MAX_RULE_PX // 2
            x0, x1 = int(start) + (start != left) * margin, int(end) - (end != right) * margin
            pad = 4
            y0 = max(0, int(top) - pad)
            piece = picture[y0 : int(bottom) + pad, x0:x1]
            for one in read(piece):
                box = (one.box_px[0] + x0, one.box_px[1] + y0, one.box_px[2] + x0, one.box_px[3] + y0)
                found.append(TextLine(one.text, one.confidence, box, line.size_px))
    return found


def _is_drawn(picture: Array, x: tuple[float, float], y: tuple[float, float]) -> bool:
    """Return whether a ruled line runs along the whole longer side of a narrow stretch of a picture."""
    stretch = picture[max(0, round(y[0])) : round(y[1]) + 1, max(0, round(x[0])) : round(x[1]) + 1]
    if not stretch.size:
        return False
    marked = np.abs(stretch.astype(np.int16).mean(axis=2) - np.median(picture)) > RULE_CONTRAST
    along = 0 if marked.shape[0] >= marked.shape[1] else 1
    return bool(marked.any(axis=1 - along).mean() > DRAWN_SHARE)


@dataclasses.dataclass
class _Placed:
    """Lines by (row, column) of a grid; a line in several columns stands in each."""

    n_rows: int
    n_columns: int
    cells: dict[tuple[int, int], list[TextLine]]
    above: list[TextLine]
    below: list[TextLine]


def _placed(
    lines: Sequence[TextLine], edges_x: Sequence[float], edges_y: Sequence[float], picture: Array
) -> _Placed | None:
    """Put lines in the cells of a ruled table; in each place of a cell that no line divides."""
    placed = _Placed(len(edges_y) - 1, len(edges_x) - 1, {}, [], [])
    joined = _joined(edges_x, edges_y, picture)
    for line in lines:
        x, y = line.center_px
        if y < edges_y[0] or y > edges_y[-1] or x < edges_x[0] or x > edges_x[-1]:
            (placed.above if y < edges_y[0] else placed.below).append(line)
            continue
        cell = (int(np.searchsorted(edges_y, y)) - 1, int(np.searchsorted(edges_x, x)) - 1)
        for place in joined[(max(0, cell[0]), max(0, cell[1]))]:
            placed.cells.setdefault(place, []).append(line)
    rows = {row for row, _ in placed.cells}
    columns = {column for _, column in placed.cells}
    return placed if len(rows) > 1 and len(columns) > 1 else None


def _joined(
    edges_x: Sequence[float], edges_y: Sequence[float], picture: Array
) -> dict[tuple[int, int], list[tuple[int, int]]]:
    """Return, for each place (row, column), the places that are one cell with it."""
    n_rows, n_columns = len(edges_y) - 1, len(edges_x) - 1
    groups = {(r, c): [(r, c)] for r in range(n_rows) for c in range(n_columns)}

    def join(one: tuple[int, int], other: tuple[int, int]) -> None:
        if groups[one] is not groups[other]:
            groups[one].extend(groups[other])
            for place in groups[other]:
                groups[place] = groups[one]

    inset = NEAR_PX + 1
    for r, c in list(groups):
        top, bottom, left, right = edges_y[r], edges_y[r + 1], edges_x[c], edges_x[c + 1]
        y, x = (top + inset, bottom - inset), (left + inset, right - inset)
        if c + 1 < n_columns and not _is_drawn(picture, (right - NEAR_PX, right + NEAR_PX), y):
            join((r, c), (r, c + 1))
        if r + 1 < n_rows and not _is_drawn(picture, x, (bottom - NEAR_PX, bottom + NEAR_PX)):
            join((r, c), (r + 1, c))
    return groups


def _clustered(lines: Sequence[TextLine], certain: float) -> Grid | None:
    boxes = [line.box_px for line in lines]
    rows = rows_of(boxes)
    columns = _columns(boxes, rows)
    if len(columns) < 2:
        return None
    # A single text in a row over or under the rows of several is no row of the table.
    first = next((k for k, row in enumerate(rows) if len(row) > 1), 0)
    last = next((k for k in reversed(range(len(rows))) if len(rows[k]) > 1), 0)
    if last <= first:
        return None
    placed = _Placed(last - first + 1, len(columns), {}, [], [])
    placed.above = [lines[k] for row in rows[:first] for k in row]
    placed.below = [lines[k] for row in rows[last + 1 :] for k in row]
    for number, row in enumerate(rows[first : last + 1]):
        for k in row:
            for column, (left, right) in enumerate(columns):
                shared = min(right, boxes[k][2]) - max(left, boxes[k][0])
                if shared > 0.3 * min(right - left, boxes[k][2] - boxes[k][0]):
                    placed.cells.setdefault((number, column), []).append(lines[k])
    return _grid(placed, certain, is_ruled=False)


def _columns(boxes: Sequence[tuple[float, float, float, float]], rows: list[list[int]]) -> list[tuple[float, float]]:
    """Return (left, right) of the columns, from the left; narrow texts define them, wide ones may cover several."""
    row_of = {k: number for number, row in enumerate(rows) for k in row}
    columns: list[tuple[float, float, set[int]]] = []
    inside = [k for row in rows if len(row) > 1 for k in row]
    for k in sorted(inside, key=lambda k: (boxes[k][2] - boxes[k][0], k)):
        left, right = boxes[k][0], boxes[k][2]
        met = [c for c in columns if min(c[1], right) - max(c[0], left) > 0.15 * (c[1] - c[0])]
        # Two texts of one row stand in two columns, however near.
        if len(met) > 1:
            apart = [c for c in met if any(c[2] & other[2] for other in met if other is not c)]
            if apart:
                continue
        for c in met:
            columns.remove(c)
        merged = (
            min([left, *(c[0] for c in met)]),
            max([right, *(c[1] for c in met)]),
            {row_of[k]}.union(*(c[2] for c in met)),
        )
        columns.append(merged)
    columns.sort(key=lambda c: c[:2])
    # Texts at the left and at the right of one column never share a row.
    joined: list[tuple[float, float, set[int]]] = []
    for column in columns:
        if joined and not joined[-1][2] & column[2]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], column[1]), joined[-1][2] | column[2])
        else:
            joined.append(column)
    return [(left, right) for left, right, _ in joined]


def _grid(placed: _Placed, certain: float, *, is_ruled: bool) -> Grid:
    cells = [[""] * placed.n_columns for _ in range(placed.n_rows)]
    doubted: dict[TextLine, None] = {}
    for (row, column), held in placed.cells.items():
        boxes = [line.box_px for line in held]
        cells[row][column] = " ".join(held[k].text for line in rows_of(boxes) for k in line)
        doubted.update((line, None) for line in held if line.confidence < certain)
    kept_rows = [row for row in cells if any(row)]
    kept = [c for c in range(placed.n_columns) if any(row[c] for row in kept_rows)]
    return Grid(
        [[row[c] for c in kept] for row in kept_rows],
        tuple((line.text, line.confidence) for line in doubted),
        tuple(line.text for line in placed.above),
        tuple(line.text for line in placed.below),
        is_ruled,
    )
