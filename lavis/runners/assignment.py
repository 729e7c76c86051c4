"""Which questions a run asks, and which rank asks them: decided from the data alone."""

from __future__ import annotations

from collections.abc import Sequence


def chosen_indices(n: int, limit: int | None, *, spread: bool) -> list[int]:
    """Return the indices of the questions that a run asks.

    Args:
        n: questions in the split.
        limit: how many to ask; None for all.
        spread: take them evenly over the split instead of from its start.
    """
    if limit is None or limit >= n:
        return list(range(n))
    if spread:
        return [position * n // limit for position in range(limit)]
    return list(range(limit))


def assign(media_ids: Sequence[str], world_size: int) -> list[list[int]]:
    """Spread positions over ranks by medium, so that a medium is looked at on one rank.

    The largest medium goes first, each to the rank with the fewest questions; equal sizes go by
    first appearance. Within a rank, questions on one medium follow each other.

    Args:
        media_ids: the medium of each question, in the run's order.
        world_size: number of ranks.

    Returns:
        For each rank the positions of its questions.
    """
    by_medium: dict[str, list[int]] = {}
    for position, media_id in enumerate(media_ids):
        by_medium.setdefault(media_id, []).append(position)
    ranks: list[list[list[int]]] = [[] for _ in range(world_size)]
    loads = [0] * world_size
    for positions in sorted(by_medium.values(), key=lambda group: (-len(group), group[0])):
        rank = loads.index(min(loads))
        ranks[rank].append(positions)
        loads[rank] += len(positions)
    return [[position for group in sorted(groups) for position in group] for groups in ranks]
