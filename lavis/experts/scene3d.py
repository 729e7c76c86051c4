"""A 3D scene as its agent finds it: what is in front, right, behind and left, how far, how many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.instances import Instance
from lavis.datasets.question import Pose
from lavis.experts.base import Expert
from lavis.experts.bearings import SIDES, Placed, place_all
from lavis.experts.card import ExpertCard
from lavis.experts.words import counted, listed, metres

SIDE_WORDS = {"front": "In front of you", "right": "On your right", "back": "Behind you", "left": "On your left"}
STRUCTURE = ("wall", "floor", "ceiling")
MAX_DISTANCES = 3


class Scene3DExpert(Expert):
    """Sorts the labelled objects of a scene around an agent's pose.

    What is left out, so that the text stays short in full rooms: walls, floor and ceiling; on each
    side, the kinds of object beyond ``max_kinds`` keep their count and lose their distances; beyond
    twice as many only the number of further objects is said. Whole-room counts name only what is
    there more than once.

    Args:
        reach_m: what is nearer than this is within reach.
        ahead_deg: half the angle that counts as directly in front.
        max_kinds: kinds of object per side that are given with distances.
        clock: whether to add a line by clock hours.
        leave_out: labels that are no objects to be found.
    """

    card = ExpertCard(
        name="scene3d",
        modality="instances",
        skill="C2",
        summary="objects in front, right, behind and left of the agent: counts, distances, colours, clock directions",
        version="1",
        needs=("pose",),
    )

    def __init__(
        self,
        *,
        reach_m: float = 1.0,
        ahead_deg: float = 25.0,
        max_kinds: int = 6,
        clock: bool = True,
        leave_out: Sequence[str] = STRUCTURE,
    ) -> None:
        if max_kinds < 1:
            raise ConfigError(f"model.experts.scene3d.max_kinds: {max_kinds} leaves nothing to say; give 1 or more.")
        self.reach_m = reach_m
        self.ahead_deg = ahead_deg
        self.max_kinds = max_kinds
        self.clock = clock
        self.leave_out = frozenset(leave_out)

    def write(self, instances: tuple[Instance, ...], *, pose: Pose) -> str:
        """Describe the objects around an agent.

        Args:
            instances: labelled boxes in scene coordinates (m, z up).
            pose: where the agent stands and looks, in the same coordinates.

        Returns:
            A line per side, nearest first: ``On your left: one brown table (1.2 m), two chairs (1.5 m, 2.0 m).``,
            then what is directly in front, within reach, nearest and farthest, by the clock, and counts.

        Raises:
            ModalityError: no object is left to speak of.
        """
        placed = place_all(tuple(one for one in instances if one.label not in self.leave_out), pose)
        if not placed:
            left_out = ", ".join(sorted(self.leave_out))
            raise ModalityError(f"the scene has no object: {len(instances)} instances, none of them beside {left_out}.")
        around = [one for one in placed if not one.here]
        here = [one for one in placed if one.here]
        lines = ["Objects around you, nearest first, with the distance to their nearest edge."]
        if here:
            lines.append(f"Where you are: {listed(_kinds(here, self.max_kinds, distances=False))}.")
        lines += [self._side(side, [one for one in around if one.side == side]) for side in SIDES]
        lines += self._relations(around)
        if self.clock and around:
            lines.append(_by_clock(around))
        lines += _totals(placed)
        return "\n".join(lines)

    def _side(self, side: str, found: list[Placed]) -> str:
        return f"{SIDE_WORDS[side]}: {', '.join(_kinds(found, self.max_kinds, distances=True)) or 'nothing'}."

    def _relations(self, around: list[Placed]) -> list[str]:
        if not around:
            return []
        ahead = [one for one in around if abs(one.bearing_deg) <= self.ahead_deg]
        reach = [one for one in around if one.distance_m < self.reach_m]
        nearest, farthest = around[0], max(around, key=lambda one: one.distance_m)
        labels_ahead = _distinct(one.instance.label for one in ahead)[:3]
        within_reach = _distinct(_with_side(one) for one in reach)[:6]
        lines = [
            f"Directly in front of you: {', then '.join(labels_ahead) or 'nothing'}.",
            f"Within reach: {listed(within_reach) or 'nothing'}.",
        ]
        if nearest is not farthest:
            lines.append(
                f"Nearest: {_with_side(nearest)} ({metres(nearest.distance_m)}). "
                f"Farthest: {_with_side(farthest)} ({metres(farthest.distance_m)})."
            )
        return lines


def _with_side(one: Placed) -> str:
    words = SIDE_WORDS[one.side]
    return f"{one.instance.label} {words[0].lower()}{words[1:]}"


def _distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _kinds(found: list[Placed], max_kinds: int, *, distances: bool) -> list[str]:
    """Return the objects of one side by kind, the kind with the nearest object first."""
    kinds: dict[str, list[Placed]] = {}
    for one in found:
        kinds.setdefault(one.instance.label, []).append(one)
    groups = list(kinds.values())
    words = [_kind(group, distances=distances and n < max_kinds) for n, group in enumerate(groups[: 2 * max_kinds])]
    further = sum(len(group) for group in groups[2 * max_kinds :])
    return [*words, counted(further, "further object")] if further else words


def _kind(group: list[Placed], *, distances: bool) -> str:
    """Return ``two brown chairs (1.2 m, 1.5 m)``; colours go to each object where they differ."""
    label = group[0].instance.label
    colors = [one.instance.color for one in group]
    shared = colors[0] if colors[0] and len(set(colors)) == 1 else ""
    head = counted(len(group), label, adjective=shared or "")
    mixed = [color for color in colors if color] if not shared else []
    if not distances:
        return f"{head} ({', '.join(_distinct(mixed))})" if mixed else head
    if len(group) > MAX_DISTANCES:
        span = f"{metres(group[0].distance_m)} to {metres(group[-1].distance_m)}"
        tally = [f"{number} {color}" for color, number in Counter(mixed).items()]
        return f"{head} ({'; '.join([span, ', '.join(tally)] if tally else [span])})"
    details = [
        f"{one.instance.color} {metres(one.distance_m)}" if mixed and one.instance.color else metres(one.distance_m)
        for one in group
    ]
    return f"{head} ({', '.join(details)})"


def _by_clock(around: list[Placed]) -> str:
    hours: dict[int, list[str]] = {}
    for one in around:
        hours.setdefault(one.hour, []).append(one.instance.label)
    in_order = sorted(hours, key=lambda hour: hour % 12)
    words = "; ".join(f"{hour} o'clock {', '.join(_distinct(hours[hour])[:3])}" for hour in in_order)
    return f"By the clock (12 is ahead): {words}."


def _totals(placed: list[Placed]) -> list[str]:
    counts = Counter(one.instance.label for one in placed)
    repeated = sorted((label for label, number in counts.items() if number > 1), key=lambda one: (-counts[one], one))
    if not repeated:
        return []
    return [f"In the whole scene: {', '.join(counted(counts[label], label) for label in repeated[:8])}."]
