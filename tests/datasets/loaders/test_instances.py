"""Instances: one JSON file per scene, checked value by value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.instances import Instance, InstancesLoader

CHAIR = {"instance_id": 3, "label": "chair", "center_m": [1, 2, 0.5], "size_m": [0.5, 0.5, 1], "color": "red"}


def test_instances_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    lamp = {**CHAIR, "instance_id": 1, "label": " lamp ", "color": None}
    path = InstancesLoader.locate(tmp_path, "room", annotation="r")
    for data in ([CHAIR, lamp], {"scene_id": "room", "instances": [CHAIR, lamp]}):
        path.write_text(json.dumps(data))
        assert InstancesLoader().load(path, media_id="room") == (
            Instance(3, "chair", (1.0, 2.0, 0.5), (0.5, 0.5, 1.0), "red"),
            Instance(1, "lamp", (1.0, 2.0, 0.5), (0.5, 0.5, 1.0), None),
        )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": ""}, "no label"),
        ({"instance_id": "3"}, "instance_id"),
        ({"center_m": [1, 2]}, "center_m"),
        ({"center_m": [1, 2, float("nan")]}, "center_m"),
        ({"size_m": [1, 1, -1]}, "below 0"),
        ({"color": 7}, "color"),
    ],
)
def test_a_wrong_value_names_record_and_key(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = tmp_path / "room.json"
    path.write_text(json.dumps([CHAIR, {**CHAIR, "instance_id": 4, **change}]))
    with pytest.raises(ModalityError, match=rf"room: instance 1 of .*room\.json.*{said}"):
        InstancesLoader().load(path, media_id="room")


@pytest.mark.parametrize("content", ["[", "[]", "{}", json.dumps([CHAIR, CHAIR])])
def test_files_that_are_no_scene(tmp_path: Path, content: str) -> None:
    (tmp_path / "room.json").write_text(content)
    with pytest.raises(ModalityError, match=r"room.*room\.json"):
        InstancesLoader().load(tmp_path / "room.json", media_id="room")
    with pytest.raises(ModalityError, match="does not exist"):
        InstancesLoader().load(tmp_path / "absent.json", media_id="room")
