"""How labelled boxes of a scene lie to each other, whoever looks: on, under, above, next to, between, at walls."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from lavis.datasets.loaders.instances import Instance

TOUCH_M = 0.08  # labels of real scans are this exact
UNDER = ("table", "desk", "counter", "bed", "bench", "shelf", "sink")  # what has room below it
NEXT_TO_M = 0.5
AT_WALL_M = 0.2
THIN_WALL_M = 0.5  # a thicker "wall" is several of them in one box
ABOVE_M = 1.5
HANGING_M = 0.2
BETWEEN_REACH_M = 1.5
BETWEEN_NEAREST = 12  # keeps halls of hundreds of chairs quick
DETOUR = 1.1  # way over the middle thing against the straight way
OVERLAP = 0.5  # of the footprint of what lies on, under or above something


def low(one: Instance, axis: int) -> float:
    """Return where a box begins along an axis, m."""
    return one.center_m[axis] - one.size_m[axis] / 2


def high(one: Instance, axis: int) -> float:
    """Return where a box ends along an axis, m."""
    return one.center_m[axis] + one.size_m[axis] / 2


def footprint_m2(one: Instance) -> float:
    """Return the area of a box seen from above."""
    return one.size_m[0] * one.size_m[1]


def overlap(one: Instance, other: Instance) -> float:
    """Return which share of the footprint of ``one`` lies in that of ``other``; of a flat thing its middle decides."""
    sides = [
        max(0.0, min(high(one, axis), high(other, axis)) - max(low(one, axis), low(other, axis))) for axis in (0, 1)
    ]
    area = footprint_m2(one)
    if area == 0.0:
        return float(all(low(other, axis) <= one.center_m[axis] <= high(other, axis) for axis in (0, 1)))
    return sides[0] * sides[1] / area


def gap_m(one: Instance, other: Instance) -> float:
    """Return the distance between two footprints, 0 where they overlap."""
    apart = [max(0.0, low(one, a) - high(other, a), low(other, a) - high(one, a)) for a in (0, 1)]
    return math.hypot(*apart)


def support(one: Instance, others: Sequence[Instance]) -> tuple[str, Instance] | None:
    """Return what a thing is on, under or above, the nearest first; None where it is on nothing named.

    Returns:
        (``on`` | ``under`` | ``above``, the other thing).
    """
    best: tuple[int, float, int, str, Instance] | None = None
    for other in others:
        rest = low(one, 2) - high(other, 2)
        if other is one or overlap(one, _grown(other) if rest > TOUCH_M else other) < OVERLAP:
            continue
        candidate: tuple[int, float, int, str, Instance] | None = None
        if abs(rest) <= TOUCH_M and footprint_m2(one) <= footprint_m2(other):
            candidate = (0, abs(rest), other.instance_id, "on", other)
        elif (
            high(one, 2) <= high(other, 2) - TOUCH_M and low(one, 2) <= low(other, 2) + 2 * TOUCH_M and _has_room(other)
        ):
            candidate = (1, high(other, 2) - high(one, 2), other.instance_id, "under", other)
        elif TOUCH_M < rest <= ABOVE_M:
            candidate = (2, rest, other.instance_id, "above", other)
        if candidate is not None and (best is None or candidate[:3] < best[:3]):
            best = candidate
    return None if best is None else (best[3], best[4])


def _grown(other: Instance) -> Instance:
    """Return a box as wide as what hangs on the wall behind it may be said to be above."""
    x_m, y_m, z_m = other.size_m
    return dataclasses.replace(other, size_m=(x_m + 2 * HANGING_M, y_m + 2 * HANGING_M, z_m))


def _has_room(other: Instance) -> bool:
    return any(word in other.label.lower() for word in UNDER)


def neighbours(things: Sequence[Instance]) -> list[tuple[float, Instance, Instance]]:
    """Return pairs whose footprints are apart and close and that overlap in height, the closest first."""
    pairs = []
    for k, one in enumerate(things):
        for other in things[k + 1 :]:
            gap = round(gap_m(one, other), 6)
            level = min(high(one, 2), high(other, 2)) > max(low(one, 2), low(other, 2))
            if level and 0.0 < gap <= NEXT_TO_M:
                pairs.append((gap, one, other))
    return sorted(pairs, key=lambda pair: (pair[0], pair[1].instance_id, pair[2].instance_id))


def between(things: Sequence[Instance]) -> list[tuple[Instance, Instance, Instance]]:
    """Return (middle, one, other) where a thing stands on the straight way between two near ones."""
    found = []
    for middle in things:
        gaps = [(round(gap_m(middle, one), 6), one.instance_id, one) for one in things if one is not middle]
        near = [one for gap, _, one in sorted(gaps, key=lambda row: row[:2]) if 0.0 < gap <= BETWEEN_REACH_M]
        near = near[:BETWEEN_NEAREST]
        for k, one in enumerate(near):
            for other in near[k + 1 :]:
                straight = _apart_m(one, other)
                way = _apart_m(one, middle) + _apart_m(middle, other)
                if straight > 0 and way <= DETOUR * straight and gap_m(one, other) > 0:
                    found.append((round(way / straight, 6), middle, one, other))
    found.sort(key=lambda row: (row[0], *(thing.instance_id for thing in row[1:])))
    first: dict[int, tuple[Instance, Instance, Instance]] = {}
    for _, middle, one, other in found:
        first.setdefault(middle.instance_id, (middle, one, other))
    return list(first.values())


def _apart_m(one: Instance, other: Instance) -> float:
    return math.dist(one.center_m[:2], other.center_m[:2])


def thin_walls(instances: Sequence[Instance]) -> list[Instance]:
    """Return the labelled walls that are one wall each."""
    return [one for one in instances if one.label == "wall" and min(one.size_m[:2]) <= THIN_WALL_M]


def edges_of(instances: Sequence[Instance]) -> list[Instance]:
    """Return four flat boxes around a scene, in place of walls that nobody labelled."""
    edges: list[Instance] = []
    for axis in (0, 1):
        other = 1 - axis
        begin, end = min(low(one, other) for one in instances), max(high(one, other) for one in instances)
        for place in (min(low(one, axis) for one in instances), max(high(one, axis) for one in instances)):
            center, size = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
            center[axis], center[other], size[other] = place, (begin + end) / 2, end - begin
            edges.append(Instance(-1 - len(edges), "edge", (center[0], center[1], 0.0), (size[0], size[1], 0.0)))
    return edges


def walls_at(one: Instance, walls: Sequence[Instance]) -> frozenset[int]:
    """Return the axes (0: x, 1: y) along which a thing stands against one of the walls: both in a corner."""
    return frozenset(0 if wall.size_m[0] <= wall.size_m[1] else 1 for wall in walls if gap_m(one, wall) <= AT_WALL_M)
