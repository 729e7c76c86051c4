"""Questions that a scene's objects and the agent's pose answer: sides, distances, numbers, colours."""

from __future__ import annotations

from collections.abc import Iterator

from lavis.datasets.sample.candidates import NUMBER_WORDS, YES_NO, Candidate, plural, stable_number, yes_no
from lavis.datasets.sample.furniture import ON_TOP
from lavis.datasets.sample.places import (
    ahead_or_behind,
    center_bearing_deg,
    center_distance_m,
    clear_side,
    corner_bearings_deg,
    distance_m,
    is_seen,
    landmarks,
    left_or_right,
    may_mean_another,
)
from lavis.datasets.sample.plan import Room, Stand, Thing

EXPERT = "scene3d"
SIDES = ("left", "right")
WHERE = {"left": "on my left", "right": "on my right", "back": "behind me", "front": "in front of me"}
REACH_M, OUT_OF_REACH_M = 0.6, 1.4
NEARER_BY_M = 0.6
VIEW_HALF_DEG, OUT_OF_VIEW_DEG = 28.0, 80.0
# Things whose colour is no question: it is many, it is the label's own, or it is the light's.
COLORLESS = frozenset(
    {
        "picture",
        "window",
        "mirror",
        "whiteboard",
        "blackboard",
        "plant",
        "floor lamp",
        "table lamp",
        "clock",
        "TV",
        "box",
    }
)


def ask(room: Room, stand: Stand, told: frozenset[str]) -> Iterator[Candidate]:
    """Yield every question on objects that has one clear answer at a stand.

    Args:
        room: the scene.
        stand: the agent's place.
        told: labels whose direction the situation gives away.
    """
    free = [thing for thing in landmarks(room) if thing.label not in told]
    for thing in free:
        yield from _directions(stand, thing)
        yield from _reach(room, stand, thing)
    yield from _colors(room, stand, landmarks(room))
    yield from _pairs(room, stand, free)
    yield from _closest(room, stand, told)
    yield from _numbers(room)
    yield from _numbers_around(room, stand)


def _directions(stand: Stand, thing: Thing) -> Iterator[Candidate]:
    name, about = thing.label, f"side of {thing.label}"
    side = left_or_right(stand, thing)
    if side:
        yield Candidate(f"Is the {name} on my left or right side?", side, EXPERT, about, SIDES)
        yield Candidate(f"Which direction should I turn to face the {name}, left or right?", side, EXPERT, about, SIDES)
        yield Candidate(f"On which side of me is the {name}, left or right?", side, EXPERT, about, SIDES)
        yield Candidate(f"Is the {name} to my left?", yes_no(side == "left"), EXPERT, about, YES_NO)
    end = ahead_or_behind(stand, thing)
    if end:
        about = f"end of {name}"
        yield Candidate(f"Is the {name} behind me?", yes_no(end == "back"), EXPERT, about, YES_NO)
        yield Candidate(f"Do I have the {name} in front of me?", yes_no(end == "front"), EXPERT, about, YES_NO)
        answer = {"front": "front", "back": "behind"}[end]
        yield Candidate(
            f"Where is the {name} from my position, in front or behind?", answer, EXPERT, about, ("front", "behind")
        )
    away = abs(center_bearing_deg(stand, thing))
    if away <= 12 or away >= 60:
        yield Candidate(f"Am I facing the {name}?", yes_no(away <= 12), EXPERT, f"facing {name}", YES_NO)


def _reach(room: Room, stand: Stand, thing: Thing) -> Iterator[Candidate]:
    away_m = distance_m(stand, thing)
    if thing.low_m[2] < 1.2 and not REACH_M < away_m < OUT_OF_REACH_M:
        yield Candidate(
            f"Can I touch the {thing.label} without walking?",
            yes_no(away_m <= REACH_M),
            EXPERT,
            f"reach {thing.label}",
            YES_NO,
        )
    bearings = [abs(angle) for angle in corner_bearings_deg(stand, thing)]
    if (max(bearings) <= VIEW_HALF_DEG and is_seen(room, stand, thing)) or min(bearings) >= OUT_OF_VIEW_DEG:
        yield Candidate(
            f"Can I see the {thing.label} without turning around?",
            yes_no(max(bearings) <= VIEW_HALF_DEG),
            EXPERT,
            f"view of {thing.label}",
            YES_NO,
        )


def _colors(room: Room, stand: Stand, things: list[Thing]) -> Iterator[Candidate]:
    for thing in things:
        if thing.label in COLORLESS:
            continue
        side = clear_side(stand, thing)
        where = f" {WHERE[side]}" if side else ""
        about = f"color of {thing.label}"
        yield Candidate(f"What color is the {thing.label}{where}?", thing.color, EXPERT, about)


def _pairs(room: Room, stand: Stand, things: list[Thing]) -> Iterator[Candidate]:
    for number, one in enumerate(things):
        for other in things[number + 1 :]:
            first, second = _shuffled(one, other, f"{room.scene_id}{stand}")
            names = (first.label, second.label)
            by_m = distance_m(stand, first) - distance_m(stand, second)
            middles_m = center_distance_m(stand, first) - center_distance_m(stand, second)
            if abs(by_m) >= NEARER_BY_M and abs(middles_m) >= NEARER_BY_M and by_m * middles_m > 0:
                about = f"nearer of {' and '.join(sorted(names))}"
                nearer = names[0] if by_m < 0 else names[1]
                text = f"Which is closer to me, the {names[0]} or the {names[1]}?"
                yield Candidate(text, nearer, EXPERT, about)
                text = f"Is the {names[0]} closer to me than the {names[1]}?"
                yield Candidate(text, yes_no(by_m < 0), EXPERT, about, YES_NO)
            sides = (left_or_right(stand, first), left_or_right(stand, second))
            for asked in SIDES:
                if all(sides) and sides.count(asked) == 1:
                    about = f"{asked} one of {' and '.join(sorted(names))}"
                    text = f"Which is on my {asked}, the {names[0]} or the {names[1]}?"
                    yield Candidate(text, names[sides.index(asked)], EXPERT, about)


def _shuffled(one: Thing, other: Thing, key: str) -> tuple[Thing, Thing]:
    swap = stable_number(f"{key}{one.label}{other.label}") % 2
    return (other, one) if swap else (one, other)


def _closest(room: Room, stand: Stand, told: frozenset[str]) -> Iterator[Candidate]:
    for side, where in WHERE.items():
        near = sorted(
            (thing for thing in room.things if thing.label not in ON_TOP and _may_be(stand, thing, side)),
            key=lambda thing: distance_m(stand, thing),
        )
        if not near or clear_side(stand, near[0]) != side or near[0].label in told:
            continue
        limit_m = distance_m(stand, near[0]) + 0.4
        if all(thing.label == near[0].label or distance_m(stand, thing) >= limit_m for thing in near[1:]):
            yield Candidate(f"What is the closest object {where}?", near[0].label, EXPERT, f"closest {side}")


def _may_be(stand: Stand, thing: Thing, side: str) -> bool:
    """Return whether any part of a thing may be counted to a side."""
    axis_deg = {"front": 0.0, "left": 90.0, "back": 180.0, "right": -90.0}[side]
    angles = [*corner_bearings_deg(stand, thing), center_bearing_deg(stand, thing)]
    return any(abs((angle - axis_deg + 180) % 360 - 180) <= 60 for angle in angles)


def _numbers(room: Room) -> Iterator[Candidate]:
    labels = sorted({thing.label for thing in room.things})
    counts = {label: sum(thing.label == label for thing in room.things) for label in labels}
    several = [label for label in labels if counts[label] > 1 and not may_mean_another(room, label)]
    for label in several:
        many, count = plural(label), counts[label]
        about = f"number of {many}"
        yield Candidate(f"How many {many} are in this room?", NUMBER_WORDS[count], EXPERT, about)
        odd = "odd" if count % 2 else "even"
        yield Candidate(f"Is the number of {many} in this room even or odd?", odd, EXPERT, about, ("even", "odd"))
    for label in several:
        for other in several:
            if label < other and counts[label] != counts[other]:
                first, second = (label, other) if stable_number(room.scene_id + label + other) % 2 else (other, label)
                text = f"Are there more {plural(first)} than {plural(second)} in this room?"
                more = counts[first] > counts[second]
                yield Candidate(text, yes_no(more), EXPERT, f"more {label} or {other}", YES_NO)


def _numbers_around(room: Room, stand: Stand) -> Iterator[Candidate]:
    for label in sorted({thing.label for thing in room.things} - ON_TOP):
        if sum(thing.label == label for thing in room.things) < 2 or may_mean_another(room, label):
            continue
        group = [thing for thing in room.things if thing.label == label]
        ends = [ahead_or_behind(stand, thing) for thing in group]
        sides = [left_or_right(stand, thing) for thing in group]
        for where, clear in (("back", ends), ("left", sides), ("right", sides)):
            if not all(clear):
                continue
            count = clear.count(where)
            about = f"number of {plural(label)} {where}"
            if count:
                text = f"How many {plural(label)} are {WHERE[where]}?"
                yield Candidate(text, NUMBER_WORDS[count], EXPERT, about)
            text = f"Are there any {plural(label)} {WHERE[where]}?"
            yield Candidate(text, yes_no(count > 0), EXPERT, about, YES_NO)
