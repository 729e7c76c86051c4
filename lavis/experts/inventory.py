"""Inventory of a 3D scene, whoever looks: what there is, how many, how large, what lies on, under and beside what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.instances import Instance
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.relations3d import (
    between,
    edges_of,
    footprint_m2,
    high,
    low,
    neighbours,
    support,
    thin_walls,
    walls_at,
)
from lavis.experts.scene3d import STRUCTURE
from lavis.experts.words import counted, listed, metres

MAX_SUPPORTS = 8  # carriers per relation
MAX_PAIRS = 6
MAX_BETWEEN = 3
MAX_AT_WALLS = 10
FLAT_M = 0.05
CLOSE_M = 0.05
FLOOR_M = 0.3  # what begins higher hangs


class InventoryExpert(Expert):
    """Lists the labelled objects of a scene and how they lie to each other; no agent is needed.

    What is left out, so that the text stays short in full rooms: kinds beyond ``max_kinds`` keep their
    count and lose their sizes; beyond twice as many only the number of further objects is said. Each
    sort of relation has its own limit.

    Args:
        max_kinds: kinds of object that are given with sizes, the most numerous and then the largest first.
        leave_out: labels that are parts of the building; they give the room's extent and its walls.
    """

    card = ExpertCard(
        name="inventory",
        modality="instances",
        skill="C1",
        summary="all objects of a 3D scene: counts, sizes in m, colours, what is on, under, next to what; room size",
        version="1",
    )

    def __init__(self, *, max_kinds: int = 15, leave_out: Sequence[str] = STRUCTURE) -> None:
        if max_kinds < 1:
            raise ConfigError(f"model.experts.inventory.max_kinds: {max_kinds} leaves nothing to say; give 1 or more.")
        self.max_kinds = max_kinds
        self.leave_out = frozenset(leave_out)

    def write(self, instances: tuple[Instance, ...]) -> str:
        """Describe the objects of a scene.

        Args:
            instances: labelled boxes in scene coordinates (m, z up).

        Returns:
            The extent of the scene, the kinds (``three brown chairs (about 0.5 x 0.5 m, 0.9 m high)``), then a line
            per sort of relation: on, under, above, next to, between, against walls.

        Raises:
            ModalityError: no object is left to speak of.
        """
        things = tuple(one for one in instances if one.label not in self.leave_out)
        if not things:
            left_out = ", ".join(sorted(self.leave_out))
            raise ModalityError(f"the scene has no object: {len(instances)} instances, none of them beside {left_out}.")
        supports = {one.instance_id: support(one, things) for one in things}
        floor_m = min(low(one, 2) for one in instances)
        standing = [
            one
            for one in things
            if supports[one.instance_id] is None and low(one, 2) - floor_m <= FLOOR_M and one.size_m[2] >= FLAT_M
        ]
        lines = [_extent(instances, things), f"Objects: {', '.join(self._kinds(things))}."]
        lines += [line for name in ("on", "under", "above") if (line := _carried(name, things, supports))]
        lines += _beside(standing) + _between(standing) + _at_walls(standing, instances)
        return "\n".join(lines)

    def _kinds(self, things: Sequence[Instance]) -> list[str]:
        kinds: dict[str, list[Instance]] = {}
        for one in things:
            kinds.setdefault(one.label, []).append(one)
        order = sorted(kinds, key=lambda label: (-len(kinds[label]), -max(map(_volume_m3, kinds[label])), label))
        words = [
            _kind(label, kinds[label], sized=n < self.max_kinds) for n, label in enumerate(order[: 2 * self.max_kinds])
        ]
        further = sum(len(kinds[label]) for label in order[2 * self.max_kinds :])
        return [*words, counted(further, "further object")] if further else words


def _volume_m3(one: Instance) -> float:
    return footprint_m2(one) * one.size_m[2]


def _kind(label: str, group: Sequence[Instance], *, sized: bool) -> str:
    """Return ``two brown chairs (0.5 x 0.5 m, 0.9 m high)``; of several the middle sizes."""
    colors = Counter(one.color for one in group if one.color)
    shared = next(iter(colors)) if len(colors) == 1 and colors.total() == len(group) else ""
    details = [] if shared or not colors else [", ".join(f"{n} {color}" for color, n in sorted(colors.items()))]
    if sized:
        long, short = ([sorted(one.size_m[:2])[k] for one in group] for k in (1, 0))
        about = "about " if len(group) > 1 else ""
        height_m = _middle([one.size_m[2] for one in group])
        tall = f"{height_m:.1f} m high" if height_m >= FLAT_M else "flat"
        details.append(f"{about}{_middle(long):.1f} x {_middle(short):.1f} m, {tall}")
    name = counted(len(group), label, adjective=shared)
    return f"{name} ({'; '.join(details)})" if details else name


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _extent(instances: Sequence[Instance], things: Sequence[Instance]) -> str:
    x_m, y_m, z_m = (
        max(high(one, axis) for one in instances) - min(low(one, axis) for one in instances) for axis in range(3)
    )
    kinds = len({one.label for one in things})
    return (
        f"The scene measures {metres(max(x_m, y_m))} by {metres(min(x_m, y_m))} and is {metres(z_m)} high; "
        f"{counted(len(things), 'object')} of {counted(kinds, 'kind')}."
    )


def _carried(name: str, things: Sequence[Instance], supports: dict[int, tuple[str, Instance] | None]) -> str:
    """Return ``On something: two books and one lamp on a table; …``, the fullest carriers first."""
    groups: dict[int, list[str]] = {}
    carriers: dict[int, Instance] = {}
    for one in things:
        found = supports[one.instance_id]
        if found is not None and found[0] == name:
            groups.setdefault(found[1].instance_id, []).append(one.label)
            carriers[found[1].instance_id] = found[1]
    phrases: Counter[str] = Counter()
    for number in sorted(groups, key=lambda number: (-len(groups[number]), number)):
        labels = Counter(groups[number])
        what = listed(
            counted(labels[label], label) for label in sorted(labels, key=lambda one: (-labels[one], one))[:4]
        )
        color = f"{carriers[number].color} " if carriers[number].color else ""
        phrases[f"{what} {name} the {color}{carriers[number].label}"] += 1
    words = [phrase if n == 1 else f"{phrase} ({n} times)" for phrase, n in list(phrases.items())[:MAX_SUPPORTS]]
    return f"{name.capitalize()} something: {'; '.join(words)}." if words else ""


def _apart(gap: float) -> str:
    return f"{metres(gap)} apart" if gap >= CLOSE_M else "close together"


def _beside(standing: Sequence[Instance]) -> list[str]:
    """Return the closest pairs of different kinds, each pair of kinds once."""
    words: dict[tuple[str, str], str] = {}
    for gap, one, other in neighbours(standing):
        first, second = sorted((one.label, other.label))
        if first != second:
            words.setdefault((first, second), f"{first} and {second} ({_apart(gap)})")
    told = list(words.values())[:MAX_PAIRS]
    return [f"Next to each other: {'; '.join(told)}."] if told else []


def _between(standing: Sequence[Instance]) -> list[str]:
    words: dict[str, None] = {}
    for middle, one, other in between(standing):
        if middle.label in (one.label, other.label):  # "a chair between a chair and a table" tells nobody which
            continue
        first, second = sorted((one.label, other.label))
        ends = f"two {counted(2, first).split(' ', 1)[1]}" if first == second else f"a {first} and a {second}"
        words[f"{middle.label} between {ends}"] = None
    return [f"Between: {'; '.join(list(words)[:MAX_BETWEEN])}."] if words else []


def _at_walls(standing: Sequence[Instance], instances: Sequence[Instance]) -> list[str]:
    """Return what stands against walls, in corners and free; of the scene's edges where no walls are labelled."""
    walls = thin_walls(instances)
    edge = "wall" if walls else "edge of the scene"
    axes = {one.instance_id: walls_at(one, walls or edges_of(instances)) for one in standing}
    groups = {
        f"against {'a' if walls else 'the'} {edge}": [one for one in standing if len(axes[one.instance_id]) == 1],
        "in a corner": [one for one in standing if len(axes[one.instance_id]) == 2],
        f"away from the {edge}{'s' if walls else ''}": [one for one in standing if not axes[one.instance_id]],
    }
    words = []
    for where, group in groups.items():
        counts = Counter(one.label for one in group)
        order = sorted(counts, key=lambda label: (-counts[label], label))[:MAX_AT_WALLS]
        words += [f"{where}: {', '.join(counted(counts[label], label) for label in order)}"] if order else []
    return [f"Places: {'; '.join(words)}."] if words else []
