"""Which questions a run asks, and which rank asks them: decided from the data alone."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import numpy as np


def chosen_indices(n: int, limit: int | None, *, spread: bool) -> Sequence[int]:
    """Return the indices of the questions that a run asks.

    Args:
        n: questions in the split.
        limit: how many to ask; None for all.
        spread: take them evenly over the split instead of from its start.
    """
    if limit is None or limit >= n:
        return range(n)
    if spread:
        return array("q", (position * n // limit for position in range(limit)))
    return range(limit)


def assign(media_ids: Iterable[str], world_size: int) -> list[array[int]]:
    """Spread positions over ranks by medium, so that a medium is looked at on one rank.

    The largest medium goes first, each to the rank with the fewest questions; equal sizes go by
    first appearance. Within a rank, questions on one medium follow each other, and media come in
    the order of their first appearance.

    Args:
        media_ids: the medium of each question, in the run's order.
        world_size: number of ranks.

    Returns:
        For each rank the positions of its questions. 8 bytes a position: there may be many.
    """
    numbers: dict[str, int] = {}
    first_seen = (numbers.setdefault(media_id, len(numbers)) for media_id in media_ids)
    medium = np.fromiter(first_seen, dtype=np.int64)
    sizes = np.bincount(medium, minlength=len(numbers))
    loads = [0] * world_size
    rank_of = np.zeros(len(numbers), dtype=np.int64)
    for number in sorted(range(len(numbers)), key=lambda number: (-sizes[number], number)):
        rank_of[number] = loads.index(min(loads))
        loads[rank_of[number]] += int(sizes[number])
    # Numbers were given by first appearance; a stable sort by them keeps the questions of a medium in order.
    order = np.argsort(medium, kind="stable")
    ranks = rank_of[medium[order]]
    return [array("q", order[ranks == rank].astype(np.int64).tobytes()) for rank in range(world_size)]
