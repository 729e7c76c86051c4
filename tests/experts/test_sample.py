"""The experts on rendered rooms, through the real loaders, against the geometry that the rooms were rendered from.

Truth: ``truth/<room>.json`` has each frame's camera, motion and measured shares; ``instances`` has every object.
Only this test opens ``truth``; the experts see frames, depth, flow, normals and instances.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lavis.common.errors import WeightsError
from lavis.common.registry import registry
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.question import Media, Pose
from lavis.datasets.sample import build_sample
from lavis.experts.words import counted

ROOMS = tuple(f"sample000{number}_00" for number in range(8))
FOLDERS = {"frame": "frames", "depth": "depth", "norm": "norm", "flow": "flow"}
RATE_HZ = 8.0
SIDE_LINES = {"front": "In front of you", "right": "On your right", "back": "Behind you", "left": "On your left"}


@pytest.fixture(scope="session")
def sample() -> Path:
    try:
        return build_sample()
    except WeightsError as error:
        pytest.skip(f"the sample cannot be rendered: {error}")


def truth_of(sample: Path, room: str) -> dict[str, Any]:
    truth: dict[str, Any] = json.loads((sample / "truth" / f"{room}.json").read_text())
    return truth


def reader(sample: Path, room: str) -> MediaReader:
    sources = {modality: sample / folder / room for modality, folder in FOLDERS.items()}
    sources["instances"] = sample / "instances" / f"{room}.json"
    return MediaReader(Media(room, sources), n_frames=8, modalities={name: {"rate_hz": RATE_HZ} for name in FOLDERS})


def write(sample: Path, room: str, name: str) -> tuple[str, tuple[int, ...]]:
    expert, medium = registry.require("expert", name)(), reader(sample, room)
    text: str = expert.write(medium.load(expert.card.modality))
    return text, medium.sampling().indices


@pytest.mark.parametrize("room", ROOMS)
def test_the_turn_has_its_side_and_its_rate_within_3_degrees_per_second(sample: Path, room: str) -> None:
    text, _ = write(sample, room, "flow")
    rates = [step["turn_left_deg_per_s"] for step in truth_of(sample, room)["steps"]]
    turning = [rate for rate in rates if rate]
    said = re.findall(r"turns (left|right) at ([\d.]+) degrees per second", text)
    assert {side for side, _ in said} == {"left" if turning[0] > 0 else "right"}
    for _, rate in said:
        assert float(rate) == pytest.approx(abs(turning[0]), abs=3.0)
    # Eight samples tell when a turn ends to half a sampling step: about 3.5 frames.
    total = re.search(r"turns (?:left|right) by about (\d+) degrees", text)
    assert total is not None
    assert float(total[1]) == pytest.approx(abs(sum(rates)) / RATE_HZ, abs=3.5 * abs(turning[0]) / RATE_HZ)


@pytest.mark.parametrize("room", ROOMS)
def test_turn_and_walk_are_told_in_their_order(sample: Path, room: str) -> None:
    text, _ = write(sample, room, "flow")
    steps = truth_of(sample, room)["steps"]
    walked = next(step["forward_m_per_s"] for step in steps if step["forward_m_per_s"])
    order = ["turns", "moves forward" if walked > 0 else "moves backward"]
    over_time = text.splitlines()[1]
    assert all(words in over_time for words in order)
    turned_first = bool(steps[0]["turn_left_deg_per_s"])
    assert (over_time.index(order[0]) < over_time.index(order[1])) == turned_first
    assert "by itself" not in text and "tilts" not in text


@pytest.mark.parametrize("room", ROOMS)
def test_the_nearer_side_of_the_last_view_is_right_where_it_is_clear(sample: Path, room: str) -> None:
    text, indices = write(sample, room, "depth")
    view = truth_of(sample, room)["views"][indices[-1]]
    pairs = list(zip(view["near_left_m"], view["near_right_m"], strict=True))
    if view["nearest_side"] and all(abs(left - right) >= 0.12 * min(left, right) for left, right in pairs):
        assert f"The {view['nearest_side']} side is nearer" in text
    ahead = re.search(r"In the last view [^:]*: straight ahead ([\d.]+) m", text)
    assert ahead is not None
    assert float(ahead[1]) == pytest.approx(view["ahead_m"], abs=0.1)


@pytest.mark.parametrize("room", ROOMS)
def test_level_and_upright_shares_are_within_3_points(sample: Path, room: str) -> None:
    text, indices = write(sample, room, "normals")
    share = truth_of(sample, room)["views"][indices[-1]]["share"]
    last = text.splitlines()[-1]
    said = {name: float(percent) for name, percent in re.findall(r"(floor|walls|ceiling) (\d+) %", last)}
    for name, key in (("floor", "level_up"), ("walls", "upright"), ("ceiling", "level_down")):
        assert said.get(name, 0.0) == pytest.approx(100 * share[key], abs=3.0)
    assert ("no ceiling" in last) == (share["level_down"] < 0.005)


def side_of(instance: dict[str, Any], x_m: float, y_m: float, yaw_deg: float) -> str:
    """The side by angles alone, counter-clockwise from +x: another way than the expert's."""
    absolute = math.degrees(math.atan2(instance["center_m"][1] - y_m, instance["center_m"][0] - x_m))
    left_deg = (absolute - yaw_deg) % 360.0
    return ("front", "left", "back", "right")[int(((left_deg + 45.0) % 360.0) // 90.0)]


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("turned_deg", [0.0, 90.0, 217.0])
def test_objects_are_counted_on_their_side_of_the_agent(sample: Path, room: str, turned_deg: float) -> None:
    camera = truth_of(sample, room)["views"][-1]
    x_m, y_m, _ = camera["position_m"]
    yaw_deg = camera["yaw_deg"] + turned_deg
    forward = (math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg)))
    medium = reader(sample, room)
    expert = registry.require("expert", "scene3d")(max_kinds=20)
    text = expert.write(medium.load("instances"), pose=Pose((x_m, y_m, 0.0), forward))

    records = json.loads((sample / "instances" / f"{room}.json").read_text())["instances"]
    outside = [one for one in records if f"one {one['color']} {one['label']}." not in text.split("In front of you")[0]]
    for side, start in SIDE_LINES.items():
        line = next(line for line in text.splitlines() if line.startswith(start))
        expected = Counter(one["label"] for one in outside if side_of(one, x_m, y_m, yaw_deg) == side)
        said = re.sub(r" \([^)]*\)", "", line.removeprefix(f"{start}: ").removesuffix("."))
        colors = "|".join(sorted({one["color"] for one in records}))
        kinds = [re.sub(rf"^(\w+) (?:{colors}) ", r"\1 ", kind) for kind in said.split(", ")]
        assert sorted(kinds) == sorted(counted(number, label) for label, number in expected.items()) or (
            not expected and kinds == ["nothing"]
        )


@pytest.mark.parametrize("name", ["flow", "depth", "normals"])
def test_evidence_is_the_same_to_the_byte_and_short(sample: Path, name: str) -> None:
    first, _ = write(sample, ROOMS[0], name)
    second, _ = write(sample, ROOMS[0], name)
    assert first == second
    assert len(first.split()) < 110
