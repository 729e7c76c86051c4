"""Which of the possible questions are asked: two of each type per room, balanced over experts, answers and places."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from lavis.common.errors import ConfigError
from lavis.datasets.sample import ask_scene, ask_views
from lavis.datasets.sample.candidates import TYPES, Candidate, stable_number
from lavis.datasets.sample.plan import Room, Stand
from lavis.datasets.sample.situations import Situation, describe
from lavis.datasets.sample.views import View

PER_TYPE = 2
# How many of a room's twelve questions each expert should have.
EXPERT_SHARE = {"scene3d": 6.0, "frames": 2.0, "depth": 1.5, "normals": 1.5, "flow": 1.5}


@dataclasses.dataclass(frozen=True)
class Asked:
    """A question at its place."""

    room: Room
    stand: Stand
    situation: Situation
    candidate: Candidate


def candidates(room: Room, views: Sequence[View]) -> list[Asked]:
    """Return every question of a room that has one clear answer; views are all frames of its walk."""
    found = []
    for stand in (room.walk.end, *room.stands):
        situation = describe(room, stand, arrived=stand == room.walk.end)
        asked = [*ask_scene.ask(room, stand, situation.told), *ask_views.ask_frames(room, views)]
        if stand == room.walk.end:
            asked += ask_views.ask_flow(room.walk)
            asked += ask_views.ask_depth(room, room.walk, views)
            asked += ask_views.ask_normals(views)
        found += [Asked(room, stand, situation, candidate) for candidate in asked]
    return found


class Ledger:
    """What was asked so far: everywhere, and in the room at hand."""

    def __init__(self) -> None:
        self.by_type: Counter[tuple[str, str]] = Counter()
        self.everywhere: Counter[str] = Counter()
        self.enter_room()

    def enter_room(self) -> None:
        """Forget what counts per room."""
        self.experts: Counter[str] = Counter()
        self.facts: Counter[str] = Counter()
        self.stands: Counter[Stand] = Counter()

    def cost(self, asked: Asked) -> tuple[float, int]:
        """Return how much of the same was asked already; equal costs are told apart by a stable number."""
        one = asked.candidate
        type_surplus = self.by_type[one.type, one.answer] - min(
            (self.by_type[one.type, other] for other in one.among), default=0
        )
        surplus = self.everywhere[one.answer] - min((self.everywhere[other] for other in one.among), default=0)
        used = (self.experts[one.expert] + 1) / EXPERT_SHARE[one.expert]
        used += 0.25 * type_surplus + 0.12 * surplus
        used += 2.0 * self.facts[one.about] + 0.15 * self.stands[asked.stand]
        return round(used, 6), stable_number(asked.room.scene_id + asked.situation.text + one.text)

    def add(self, asked: Asked) -> None:
        """Note a question as asked."""
        one = asked.candidate
        self.by_type[one.type, one.answer] += 1
        self.everywhere[one.answer] += 1
        self.experts[one.expert] += 1
        self.facts[one.about] += 1
        self.stands[asked.stand] += 1


def choose(per_room: Sequence[Sequence[Asked]]) -> list[Asked]:
    """Choose ``PER_TYPE`` questions of every type per room.

    Greedy and the same every time: the next question is the one whose expert, answer, fact and place
    have been used least so far.

    Raises:
        ConfigError: a room has too few questions of a type; names both.
    """
    ledger = Ledger()
    chosen: list[Asked] = []
    for number, found in enumerate(per_room):
        ledger.enter_room()
        left = list(found)
        # Another type begins in every room, so that experts with few questions have their turn in each.
        for kind in [TYPES[(number + k) % len(TYPES)] for k in range(len(TYPES))] * PER_TYPE:
            of_kind = [asked for asked in left if asked.candidate.type == kind]
            if not of_kind:
                raise ConfigError(f"{found[0].room.scene_id} has fewer than {PER_TYPE} {kind} questions.")
            best = min(of_kind, key=ledger.cost)
            ledger.add(best)
            chosen.append(best)
            left = [asked for asked in left if asked.candidate.text != best.candidate.text]
    return chosen
