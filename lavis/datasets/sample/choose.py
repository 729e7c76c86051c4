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


def choose(per_room: Sequence[Sequence[Asked]]) -> list[Asked]:
    """Choose ``PER_TYPE`` questions of every type per room.

    Greedy and the same every time: the next question is the one whose expert, answer, fact and place
    have been used least so far.

    Raises:
        ConfigError: a room has too few questions of a type; names both.
    """
    answers: Counter[tuple[str, str]] = Counter()
    everywhere: Counter[str] = Counter()
    chosen: list[Asked] = []
    for number, found in enumerate(per_room):
        experts: Counter[str] = Counter()
        facts: Counter[str] = Counter()
        stands: Counter[Stand] = Counter()
        # Experts with few questions choose first: another type begins in every room.
        order = [TYPES[(number + k) % len(TYPES)] for k in range(len(TYPES))] * PER_TYPE
        left = list(found)
        for kind in order:
            of_kind = [asked for asked in left if asked.candidate.type == kind]
            if not of_kind:
                raise ConfigError(f"{found[0].room.scene_id} has fewer than {PER_TYPE} {kind} questions.")

            def cost(asked: Asked) -> tuple[float, int]:
                one = asked.candidate
                used = (experts[one.expert] + 1) / EXPERT_SHARE[one.expert]
                used += 0.25 * _surplus(one, answers) + 0.12 * _surplus_anywhere(one, everywhere)
                used += 2.0 * facts[one.about] + 0.15 * stands[asked.stand]
                return round(used, 6), stable_number(asked.room.scene_id + asked.situation.text + one.text)

            best = min(of_kind, key=cost)
            chosen.append(best)
            left = [asked for asked in left if asked.candidate.text != best.candidate.text]
            answers[best.candidate.type, best.candidate.answer] += 1
            everywhere[best.candidate.answer] += 1
            experts[best.candidate.expert] += 1
            facts[best.candidate.about] += 1
            stands[best.stand] += 1
    return chosen


def _surplus(one: Candidate, answers: Counter[tuple[str, str]]) -> float:
    """Return how much more often than its alternatives an answer was given in its type."""
    used = answers[one.type, one.answer]
    return used - min((answers[one.type, other] for other in one.among), default=0)


def _surplus_anywhere(one: Candidate, everywhere: Counter[str]) -> float:
    return everywhere[one.answer] - min((everywhere[other] for other in one.among), default=0)
