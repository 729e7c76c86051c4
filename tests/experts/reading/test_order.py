"""Reading order on layouts whose order is known: each box's number says when it is read."""

from __future__ import annotations

import numpy as np

from lavis.experts.reading.order import Box, reading_order, rows_of

LINE, WIDTH = 20.0, 300.0


def lines(left: float, top: float, count: int, *, step: float = 30.0, width: float = WIDTH) -> list[Box]:
    return [(left, top + step * k, left + width, top + step * k + LINE) for k in range(count)]


def order_after_shuffle(boxes: list[Box], seed: int) -> list[int]:
    shuffled = np.random.default_rng(seed).permutation(len(boxes)).tolist()
    return [shuffled[k] for k in reading_order([boxes[k] for k in shuffled])]


def test_a_title_two_columns_and_a_footer_are_read_in_that_order() -> None:
    """The left column is read to its end before the right one, though their lines lie side by side."""
    page = [
        (20.0, 10.0, 700.0, 40.0),
        *lines(20, 60, 6),
        *lines(380, 60, 5),
        (20.0, 300.0, 700.0, 320.0),
    ]
    for seed in range(5):
        assert order_after_shuffle(page, seed) == list(range(len(page)))


def test_columns_whose_lines_do_not_match_are_columns_too() -> None:
    page = [*lines(20, 60, 6), *lines(380, 71, 8, step=23)]
    for seed in range(5):
        assert order_after_shuffle(page, seed) == list(range(len(page)))


def test_cells_of_a_table_are_read_row_by_row() -> None:
    """Three columns of short cells are no columns of running text."""
    cells = [(20.0 + 150 * c, 40.0 * r, 80.0 + 150 * c, 40.0 * r + LINE) for r in range(4) for c in range(3)]
    for seed in range(5):
        assert order_after_shuffle(cells, seed) == list(range(len(cells)))


def test_a_slanting_row_stays_one_row() -> None:
    boxes: list[Box] = [(100.0 * k, 3.0 * k, 100.0 * k + 60, 3.0 * k + LINE) for k in range(4)]
    assert rows_of(boxes) == [[0, 1, 2, 3]]
    assert rows_of([]) == [] and reading_order([]) == []
