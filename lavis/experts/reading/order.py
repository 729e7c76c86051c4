"""Reading order of boxes on a page: columns of running text one after the other, all else row by row."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

Box = tuple[float, float, float, float]  # left, top, right, bottom in px
# A column holds running text: lines so many times as wide as tall, at least so many of them. Cells of tables do not.
RUNNING_WIDTH, MIN_COLUMN_LINES = 6.0, 2
# A gutter is so many line heights wide.
GUTTER = 0.8


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """Return positions of boxes in the order of reading: columns aware, top to bottom, left to right."""
    return [k for row in reading_rows(boxes) for k in row]


def reading_rows(boxes: Sequence[Box]) -> list[list[int]]:
    """Return positions of boxes row by row, in the order of reading; a row lies inside one column."""
    return _ordered(boxes, list(range(len(boxes)))) if boxes else []


def rows_of(boxes: Sequence[Box], chosen: Sequence[int] | None = None) -> list[list[int]]:
    """Return positions of boxes grouped in rows from top to bottom, each from left to right.

    Boxes share a row where the middle of one lies inside the other.
    """
    positions = range(len(boxes)) if chosen is None else chosen
    rows: list[list[int]] = []
    for k in sorted(positions, key=lambda k: (boxes[k][1] + boxes[k][3], boxes[k][0], k)):
        middle = (boxes[k][1] + boxes[k][3]) / 2
        if rows:
            tops, bottoms = [boxes[j][1] for j in rows[-1]], [boxes[j][3] for j in rows[-1]]
            others = sum(boxes[j][1] + boxes[j][3] for j in rows[-1]) / (2 * len(rows[-1]))
            if median(tops) < middle < median(bottoms) and boxes[k][1] < others < boxes[k][3]:
                rows[-1].append(k)
                continue
        rows.append([k])
    return [sorted(row, key=lambda k: (boxes[k][0], k)) for row in rows]


def _ordered(boxes: Sequence[Box], chosen: list[int]) -> list[list[int]]:
    bands = _bands(boxes, chosen)
    rows: list[list[int]] = []
    first = 0
    while first < len(bands):
        columns, n_bands = _longest_columns(boxes, bands[first:])
        if columns:
            for column in columns:
                rows += _ordered(boxes, column)
            first += n_bands
        else:
            rows += rows_of(boxes, bands[first])
            first += 1
    return rows


def _bands(boxes: Sequence[Box], chosen: list[int]) -> list[list[int]]:
    """Return positions in bands that no box reaches across, from top to bottom."""
    bands: list[list[int]] = []
    end = float("-inf")
    height = median(boxes[k][3] - boxes[k][1] for k in chosen)
    for k in sorted(chosen, key=lambda k: (boxes[k][1], boxes[k][0], k)):
        # Boxes of neighbouring lines overlap a little.
        if boxes[k][1] < end - 0.3 * height:
            bands[-1].append(k)
        else:
            bands.append([k])
        end = max(end, boxes[k][3])
    return bands


def _longest_columns(boxes: Sequence[Box], bands: list[list[int]]) -> tuple[list[list[int]], int]:
    """Return the columns that begin with the first band and go down as far as their gutters do, and how far."""
    best: tuple[list[list[int]], int] = ([], 0)
    taken: list[int] = []
    for n_bands, band in enumerate(bands, 1):
        taken += band
        columns = _columns(boxes, taken)
        if len(columns) < 2:
            break
        if all(_is_running(boxes, column) for column in columns):
            best = (columns, n_bands)
    return best


def _columns(boxes: Sequence[Box], chosen: list[int]) -> list[list[int]]:
    gutter = GUTTER * median(boxes[k][3] - boxes[k][1] for k in chosen)
    columns: list[list[int]] = []
    end = float("-inf")
    for k in sorted(chosen, key=lambda k: (boxes[k][0], boxes[k][1], k)):
        if columns and boxes[k][0] < end + gutter:
            columns[-1].append(k)
        else:
            columns.append([k])
        end = max(end, boxes[k][2])
    return columns


def _is_running(boxes: Sequence[Box], column: list[int]) -> bool:
    if len(column) < MIN_COLUMN_LINES:
        return False
    return median((boxes[k][2] - boxes[k][0]) / max(1.0, boxes[k][3] - boxes[k][1]) for k in column) >= RUNNING_WIDTH
