"""The sample's questions: their formats, their balance, and every answer worked out again from the files alone."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lavis.datasets.datasets.sqa3d_annotations import read_records

Record = dict[str, Any]
WORDS = "zero one two three four five six seven eight nine ten".split()
SHOWN = {"cat", "cup", "person", "rocket", "coins"}


# -- formats -----------------------------------------------------------------------------------


def test_the_official_pair_and_the_scanqa_form_say_the_same(sample: Path) -> None:
    folder = sample / "annotations"
    pair = read_records([folder / "v1_balanced_questions_test_scannetv2.json"])
    single = read_records([folder / "SQA_test.json"])
    assert pair == single
    assert all(math.hypot(*record.side["pose"].forward) == pytest.approx(1) for record in pair)


def test_records_have_exactly_the_keys_of_the_real_files(sample: Path, shared_data: Path) -> None:
    names = ("v1_balanced_questions_test_scannetv2.json", "v1_balanced_sqa_annotations_test_scannetv2.json")
    for name, key in zip(names, ("questions", "annotations"), strict=True):
        made = json.loads((sample / "annotations" / name).read_text())
        real = json.loads((shared_data / "sqa3d" / name).read_text())
        assert made.keys() == real.keys()
        assert all(record.keys() == real[key][0].keys() for record in made[key])
        assert all(type(made[key][0][field]) is type(real[key][0][field]) for field in made[key][0])
    made, real = (
        json.loads(path.read_text())
        for path in (sample / "annotations" / "SQA_test.json", shared_data / "sqa3d" / "SQA_test.json")
    )
    assert all(record.keys() == real[0].keys() for record in made)


def test_nothing_but_the_truth_file_says_what_a_question_was_made_for(
    sample: Path, scanqa: list[Record], designed_for: dict[str, Record]
) -> None:
    assert {str(record["question_id"]) for record in scanqa} == designed_for.keys()
    for path in (sample / "annotations").iterdir():
        text = path.read_text()
        assert "expert" not in text and "scene3d" not in text and '"about"' not in text


def test_answers_are_in_the_vocabulary_among_others(sample: Path, scanqa: list[Record]) -> None:
    vocabulary = json.loads((sample / "annotations" / "answer_vocabulary.json").read_text())
    used = {record["answers"][0] for record in scanqa}
    assert vocabulary == sorted(set(vocabulary)) and used < set(vocabulary)
    assert len(vocabulary) > 1.5 * len(used)
    assert all(len(answer.split()) <= 2 for answer in used)


# -- balance -----------------------------------------------------------------------------------


def kind_of(question: str) -> str:
    """Return the type by LEO's rule: the first word, whatever its case."""
    return next((kind for kind in ("what", "is", "how", "can", "which") if question.lower().startswith(kind)), "other")


def test_types_rooms_experts_and_answers_are_balanced(scanqa: list[Record], designed_for: dict[str, Record]) -> None:
    assert len(scanqa) >= 72
    kinds = Counter(kind_of(record["question"]) for record in scanqa)
    assert len(kinds) == 6 and len(set(kinds.values())) == 1
    rooms = Counter(record["scene_id"] for record in scanqa)
    assert len(rooms) >= 6 and min(rooms.values()) >= 12
    experts = Counter(truth["expert"] for truth in designed_for.values())
    assert experts.keys() == {"scene3d", "frames", "flow", "depth", "normals"} and min(experts.values()) >= 5
    answers = Counter(record["answers"][0] for record in scanqa)
    assert abs(answers["yes"] - answers["no"]) <= 4 and abs(answers["left"] - answers["right"]) <= 2
    for kind in ("can", "is", "other"):
        of_kind = Counter(record["answers"][0] for record in scanqa if kind_of(record["question"]) == kind)
        assert abs(of_kind["yes"] - of_kind["no"]) <= 2
    assert max(answers.values()) < 0.25 * len(scanqa)
    assert max(Counter(a for a in answers.elements() if a not in ("yes", "no")).values()) <= 8


def test_rooms_have_several_situations_told_in_words(scanqa: list[Record]) -> None:
    for scene_id in {record["scene_id"] for record in scanqa}:
        own = {(record["situation"], tuple(record["position"])) for record in scanqa if record["scene_id"] == scene_id}
        assert len(own) >= 3
        assert len({text for text, _ in own}) == len({pose for _, pose in own})
    assert all(re.search(r"I am facing the \w", record["situation"]) for record in scanqa)


def test_no_question_is_asked_twice_of_a_room(scanqa: list[Record]) -> None:
    asked = Counter((record["scene_id"], record["question"]) for record in scanqa)
    assert max(asked.values()) == 1


# -- the answers, worked out again --------------------------------------------------------------


class Scene:
    """A room's instances around a pose, from its JSON file and the annotated quaternion."""

    def __init__(self, sample: Path, record: Record) -> None:
        data = json.loads((sample / "instances" / f"{record['scene_id']}.json").read_text())
        self.things = data["instances"]
        x, y, _, _, _, qz, qw = record["position"]
        # The turned x axis is (1 - 2 z², 2 z w); the agent looks the opposite way.
        self.at, self.gaze = np.array([x, y]), -np.array([1 - 2 * qz * qz, 2 * qz * qw])

    def named(self, label: str) -> list[Record]:
        return [thing for thing in self.things if thing["label"] == label]

    def only(self, label: str) -> Record:
        (thing,) = self.named(label)
        return thing

    def ahead(self, thing: Record) -> float:
        """Distance of a thing's middle along the gaze."""
        return float((np.array(thing["center_m"][:2]) - self.at) @ self.gaze)

    def to_left(self, thing: Record) -> float:
        """Distance of a thing's middle to the left of the gaze."""
        return float((np.array(thing["center_m"][:2]) - self.at) @ np.array([-self.gaze[1], self.gaze[0]]))

    def away(self, thing: Record) -> float:
        """Distance to the nearest edge of a thing's outline."""
        offset = np.abs(np.array(thing["center_m"][:2]) - self.at) - np.array(thing["size_m"][:2]) / 2
        return float(np.linalg.norm(np.maximum(offset, 0)))

    def angle(self, thing: Record) -> float:
        """Absolute angle between the gaze and a thing's middle, in degrees."""
        return abs(math.degrees(math.atan2(self.to_left(thing), self.ahead(thing))))

    def is_at(self, thing: Record, where: str) -> bool:
        return {
            "on my left": self.to_left(thing) > 0,
            "on my right": self.to_left(thing) < 0,
            "behind me": self.ahead(thing) < 0,
            "in front of me": self.ahead(thing) > 0,
        }[where]


def singular(many: str) -> str:
    if many.endswith("shelves"):
        return many[:-3] + "f"
    return many[:-2] if many.endswith(("xes", "ches", "shes", "sses")) else many[:-1]


def side(scene: Scene, label: str) -> str:
    return "left" if scene.to_left(scene.only(label)) > 0 else "right"


def end(scene: Scene, label: str) -> str:
    return "front" if scene.ahead(scene.only(label)) > 0 else "behind"


def yes(truth: bool) -> str:
    return "yes" if truth else "no"


def nearer(scene: Scene, one: str, other: str) -> str:
    return one if scene.away(scene.only(one)) < scene.away(scene.only(other)) else other


def closest(scene: Scene, where: str) -> str:
    sector = {
        "on my left": lambda t: scene.to_left(t) > abs(scene.ahead(t)),
        "on my right": lambda t: -scene.to_left(t) > abs(scene.ahead(t)),
        "behind me": lambda t: -scene.ahead(t) > abs(scene.to_left(t)),
        "in front of me": lambda t: scene.ahead(t) > abs(scene.to_left(t)),
    }[where]
    found = [thing for thing in scene.things if sector(thing) and thing["label"] not in LYING]
    return str(min(found, key=scene.away)["label"])


LYING = ("rug", "monitor", "table lamp", "microwave")
WHERE = "(on my left|on my right|behind me|in front of me)"
RULES = {
    r"Is the (.+) on my left or right side\?": side,
    r"Which direction should I turn to face the (.+), left or right\?": side,
    r"On which side of me is the (.+), left or right\?": side,
    r"Is the (.+) to my left\?": lambda s, a: yes(side(s, a) == "left"),
    r"Is the (.+) behind me\?": lambda s, a: yes(end(s, a) == "behind"),
    r"Do I have the (.+) in front of me\?": lambda s, a: yes(end(s, a) == "front"),
    r"Where is the (.+) from my position, in front or behind\?": end,
    r"Am I facing the (.+)\?": lambda s, a: yes(s.angle(s.only(a)) < 30),
    r"Can I touch the (.+) without walking\?": lambda s, a: yes(s.away(s.only(a)) < 1),
    r"Can I see the (.+) without turning around\?": lambda s, a: yes(s.angle(s.only(a)) < 40),
    rf"What color is the (.+?)(?: {WHERE})?\?": lambda s, a, where: (
        s.only(a)["color"] if where is None or s.is_at(s.only(a), where) else "at another place"
    ),
    r"Which is closer to me, the (.+) or the (.+)\?": nearer,
    r"Is the (.+) closer to me than the (.+)\?": lambda s, a, b: yes(nearer(s, a, b) == a),
    r"Which is on my (left|right), the (.+) or the (.+)\?": lambda s, where, a, b: a if side(s, a) == where else b,
    rf"What is the closest object {WHERE}\?": closest,
    r"How many (.+) are in this room\?": lambda s, a: WORDS[len(s.named(singular(a)))],
    r"Is the number of (.+) in this room even or odd\?": lambda s, a: ("even", "odd")[len(s.named(singular(a))) % 2],
    r"Are there more (.+) than (.+) in this room\?": lambda s, a, b: yes(
        len(s.named(singular(a))) > len(s.named(singular(b)))
    ),
    rf"How many (.+) are {WHERE}\?": lambda s, a, where: WORDS[sum(s.is_at(t, where) for t in s.named(singular(a)))],
    rf"Are there any (.+) {WHERE}\?": lambda s, a, where: yes(any(s.is_at(t, where) for t in s.named(singular(a)))),
}


def test_every_question_on_the_scene_is_answered_by_its_instances(
    sample: Path, scanqa: list[Record], designed_for: dict[str, Record]
) -> None:
    checked: Counter[str] = Counter()
    for record in scanqa:
        if designed_for[str(record["question_id"])]["expert"] != "scene3d":
            continue
        matches = [(rule, re.fullmatch(rule, record["question"])) for rule in RULES]
        rule, match = next((rule, match) for rule, match in matches if match)
        answer = RULES[rule](Scene(sample, record), *match.groups())
        assert [answer] == record["answers"], (record["scene_id"], record["situation"], record["question"])
        checked[rule] += 1
    assert sum(checked.values()) == sum(truth["expert"] == "scene3d" for truth in designed_for.values())
    assert len(checked) >= 12


def last_view(sample: Path, scene_id: str, folder: str) -> np.ndarray:
    return np.asarray(Image.open(sorted((sample / folder / scene_id).iterdir())[-1])).astype(float)


def mean_flow(sample: Path, scene_id: str) -> np.ndarray:
    files = sorted((sample / "flow" / scene_id).iterdir())
    return np.stack([np.load(file)["flow"].astype(float) for file in files])


def walked(sample: Path, scene_id: str) -> tuple[str, str, str]:
    """Return the side of the turn, the direction of the walk and the first move, from the flow files alone."""
    flow = mean_flow(sample, scene_id)
    across = np.median(flow[..., 0], axis=(1, 2))
    turning = np.abs(across) > 8
    x = np.arange(320) - 159.5
    spread = np.array([np.median(one[..., 0] * np.sign(x)) for one in flow[~turning]])
    return (
        "left" if across[turning].mean() > 0 else "right",
        "forward" if spread.mean() > 0 else "backward",
        "turn" if turning[:5].all() else "walk",
    )


def nearer_side(sample: Path, scene_id: str) -> str:
    depth = last_view(sample, scene_id, "depth")
    return "left" if np.median(depth[:, :160]) < np.median(depth[:, 160:]) else "right"


def free_ahead(sample: Path, scene_id: str) -> bool:
    return bool(np.median(last_view(sample, scene_id, "depth")[80:160, 107:213]) > 2000)


def planes(sample: Path, scene_id: str) -> tuple[float, float, float]:
    normals = last_view(sample, scene_id, "norm") / 127.5 - 1
    # The camera looks at most 25 degrees up or down: level surfaces keep most of their y.
    down = normals[..., 1]
    return float((down < -0.8).mean()), float((np.abs(down) < 0.5).mean()), float((down > 0.8).mean())


VIEW_RULES = {
    r"Which way did I turn on the way here, left or right\?": lambda p, i: walked(p, i)[0],
    r"In which direction did I turn on the way here, left or right\?": lambda p, i: walked(p, i)[0],
    r"Did I turn to the (left|right) on the way here\?": lambda p, i, a: yes(walked(p, i)[0] == a),
    r"Is it to the (left|right) that I turned on the way here\?": lambda p, i, a: yes(walked(p, i)[0] == a),
    r"How did I walk on the way here, forward or backward\?": lambda p, i: walked(p, i)[1],
    r"What did I do first on the way here, turn or walk\?": lambda p, i: walked(p, i)[2],
    r"Which side of my view is closer to me, left or right\?": nearer_side,
    r"Is the (left|right) side of my view closer to me than the (?:left|right) side\?": lambda p, i, a: yes(
        nearer_side(p, i) == a
    ),
    r"Can I walk two meters straight ahead without bumping into anything\?": lambda p, i: yes(free_ahead(p, i)),
    r"Do I have more than two meters of free space straight ahead\?": lambda p, i: yes(free_ahead(p, i)),
    r"How much free space is straight ahead of me, more or less than two meters\?": lambda p, i: (
        "more" if free_ahead(p, i) else "less"
    ),
    r"(?:Is more of my view|What fills more of my view,) wall or floor\?": lambda p, i: (
        "floor" if planes(p, i)[0] > planes(p, i)[1] else "wall"
    ),
    r"Does the floor fill more of my view than the walls\?": lambda p, i: yes(planes(p, i)[0] > planes(p, i)[1]),
    r"(?:Can I see the ceiling|Is the ceiling visible) in my view\?": lambda p, i: yes(planes(p, i)[2] > 0.02),
}


def test_every_question_on_motion_depth_and_planes_is_answered_by_its_files(
    sample: Path, scanqa: list[Record], designed_for: dict[str, Record]
) -> None:
    checked = 0
    for record in scanqa:
        if designed_for[str(record["question_id"])]["expert"] in ("scene3d", "frames"):
            continue
        matches = [(rule, re.fullmatch(rule, record["question"])) for rule in VIEW_RULES]
        rule, match = next((rule, match) for rule, match in matches if match)
        answer = VIEW_RULES[rule](sample, record["scene_id"], *match.groups())
        assert [answer] == record["answers"], (record["scene_id"], record["question"])
        assert record["situation"].startswith("I have just arrived")
        checked += 1
    assert checked >= 15


def test_questions_on_pictures_and_walls_are_seen_in_the_frames(
    sample: Path, scanqa: list[Record], designed_for: dict[str, Record]
) -> None:
    """Truth: the truth file's shares say that the picture is well in view; walls have the colour of their pixels."""
    rgb = {"beige": (222, 205, 172), "blue": (52, 98, 178), "yellow": (236, 204, 62), "white": (238, 238, 236),
           "green": (66, 142, 74), "pink": (232, 150, 174), "purple": (122, 72, 152), "red": (188, 44, 40),
           "orange": (232, 130, 32), "grey": (140, 142, 145), "brown": (126, 80, 44)}  # fmt: skip
    for record in scanqa:
        if designed_for[str(record["question_id"])]["expert"] != "frames":
            continue
        views = json.loads((sample / "truth" / f"{record['scene_id']}.json").read_text())["views"]
        scene = Scene(sample, record)
        if "picture" in record["question"]:
            number = str(scene.only("picture")["instance_id"])
            assert max(views[index]["seen"].get(number, 0) for index in (3, 9, 16, 23)) >= 0.03
            assert record["answers"][0] in SHOWN | {"yes", "no"}
            continue
        cloud = np.load(sample / "pc" / f"{record['scene_id']}.npz")
        z = cloud["xyz"][:, 2]
        wall = (cloud["instance"] == 0) & (z > 0.3) & (z < z.max() - 0.3)
        color = np.median(cloud["rgb"][wall], axis=0)
        name = min(rgb, key=lambda known: _hue_distance(color, np.array(rgb[known])))
        asked = re.fullmatch(r"Are the walls of this room (\w+)\?", record["question"])
        expected = yes(asked[1] == name) if asked else name
        assert record["answers"] == [expected], record["question"]


def _hue_distance(color: np.ndarray, known: np.ndarray) -> float:
    """Return how far two colours are apart when brightness counts little."""
    one, other = color / color.sum(), known / known.sum()
    return float(np.abs(one - other).sum() + 0.0005 * abs(color.sum() - known.sum()))
