"""How an agent's place is told in words: what it faces, and what is beside it."""

from __future__ import annotations

import dataclasses

from lavis.common.errors import ConfigError
from lavis.datasets.sample.places import center_bearing_deg, clear_side, distance_m, landmarks
from lavis.datasets.sample.plan import Room, Stand, Thing

FACING_DEG = 25.0
BESIDE_M = 2.6
SIDE_WORDS = {"left": "on my left", "right": "on my right", "back": "behind me"}


@dataclasses.dataclass(frozen=True)
class Situation:
    """An agent's place in words.

    Attributes:
        text: the situation.
        alternatives: the same place, told otherwise.
        told: labels whose direction the text gives away; questions leave them out.
    """

    text: str
    alternatives: tuple[str, ...]
    told: frozenset[str]


def describe(room: Room, stand: Stand, *, arrived: bool) -> Situation:
    """Tell a stand by the nearest landmark that it faces and one beside it.

    Args:
        room: where.
        stand: who stands where.
        arrived: True for the stand where the camera's walk ends.

    Raises:
        ConfigError: the stand faces no landmark, so it cannot be told; names room and stand.
    """
    found = landmarks(room)
    faced = [thing for thing in found if abs(center_bearing_deg(stand, thing)) <= FACING_DEG]
    if not faced:
        raise ConfigError(f"{room.scene_id}: {stand} faces no landmark; turn it towards one.")
    facing = min(faced, key=lambda thing: (abs(center_bearing_deg(stand, thing)) > 15, distance_m(stand, thing)))
    beside = sorted(
        (thing for thing in found if clear_side(stand, thing) in SIDE_WORDS and distance_m(stand, thing) <= BESIDE_M),
        key=lambda thing: distance_m(stand, thing),
    )[:1]
    opening = "I have just arrived at this place" if arrived else "I am standing"
    text = f"{opening} in the {room.name} and I am facing the {facing.label}{_with(stand, beside)}."
    near = "right in front of" if distance_m(stand, facing) < 1.0 else "across from"
    alternatives = [f"I am standing {near} the {facing.label} and looking at it{_with(stand, beside)}."]
    if beside:
        where = SIDE_WORDS[clear_side(stand, beside[0])]
        alternatives.append(f"The {beside[0].label} is {where} and I am looking towards the {facing.label}.")
    return Situation(text, tuple(alternatives), frozenset({facing.label, *(thing.label for thing in beside)}))


def _with(stand: Stand, beside: list[Thing]) -> str:
    return "".join(f", with the {thing.label} {SIDE_WORDS[clear_side(stand, thing)]}" for thing in beside)
