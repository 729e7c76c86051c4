"""The sample's files through the project's own loaders, and against each other."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lavis.datasets.loaders.flow import FlowLoader
from lavis.datasets.loaders.instances import InstancesLoader
from lavis.datasets.loaders.point_cloud import PointCloudLoader
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.loaders.video import VideoLoader
from lavis.datasets.question import Media

FOCAL_PX = 160 / math.tan(math.radians(30))
FOLDERS = {"frame": "frames", "depth": "depth", "norm": "norm", "flow": "flow"}


def scene_ids(sample: Path) -> list[str]:
    return sorted(path.name for path in (sample / "frames").iterdir())


@pytest.fixture(scope="module", params=[0, 3, 6])
def reader(request: pytest.FixtureRequest, sample: Path) -> MediaReader:
    scene_id = scene_ids(sample)[request.param]
    sources = {modality: sample / folder / scene_id for modality, folder in FOLDERS.items()}
    return MediaReader(Media(scene_id, sources), n_frames=8, modalities={name: {"rate_hz": 8.0} for name in FOLDERS})


def truth_of(sample: Path, scene_id: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((sample / "truth" / f"{scene_id}.json").read_text())
    return data


def test_every_room_has_every_modality(sample: Path) -> None:
    ids = scene_ids(sample)
    assert len(ids) >= 6
    for scene_id in ids:
        for folder, count in (("frames", 28), ("depth", 28), ("norm", 28), ("flow", 27)):
            assert len(list((sample / folder / scene_id).iterdir())) == count
        for name in (f"video/{scene_id}.mp4", f"pc/{scene_id}.npz", f"instances/{scene_id}.json"):
            assert (sample / name).is_file()
    total_bytes = sum(path.stat().st_size for path in sample.rglob("*") if path.is_file())
    assert total_bytes < 40e6
    assert "not** a benchmark" in (sample / "README.md").read_text()


def test_all_modalities_come_aligned(reader: MediaReader) -> None:
    clips = {modality: reader.load(modality) for modality in FOLDERS}
    assert {clip.indices for clip in clips.values()} == {reader.sampling().indices}
    assert len(reader.sampling().indices) == 8
    for modality, channels in (("frame", (3,)), ("depth", ()), ("norm", (3,)), ("flow", (2,))):
        assert clips[modality].array.shape == (8, 240, 320, *channels)
        assert np.isfinite(clips[modality].array).all()
    assert clips["depth"].unit == "m" and 0.2 < clips["depth"].array.min() < clips["depth"].array.max() < 11


def local_points(depth_m: np.ndarray) -> np.ndarray:
    x, y = np.meshgrid(np.arange(320) + 0.5 - 160, np.arange(240) + 0.5 - 120)
    return np.stack([x / FOCAL_PX * depth_m, y / FOCAL_PX * depth_m, depth_m], axis=-1)


def test_depth_and_normals_describe_the_same_planes(reader: MediaReader) -> None:
    """Truth: where neighbours share a normal, the way between their points is at right angles to it."""
    depth, normals = reader.load("depth").array[5].astype(float), reader.load("norm").array[5].astype(float)
    spots = local_points(depth)
    way = spots[:, 4:] - spots[:, :-4]
    same = np.abs(normals[:, 4:] - normals[:, :-4]).max(axis=-1) < 1e-6
    along = np.abs((way * normals[:, 4:]).sum(axis=-1))[same]
    # Parallel planes at different depths (a board before its shelf) share a normal: a few pixels may step.
    assert np.quantile(along, 0.9) < 0.004


def test_flow_is_where_the_points_go(sample: Path, reader: MediaReader) -> None:
    """Truth: depth and the cameras of the truth file, with the pinhole formulas written out here."""
    scene_id = reader.media.media_id
    views = truth_of(sample, scene_id)["views"]
    flow, depth = reader.load("flow"), reader.load("depth").array
    for position, index in list(enumerate(flow.indices))[::3]:
        world = local_points(depth[position].astype(float)) @ axes(views[index]) + views[index]["position_m"]
        local = (world - views[index + 1]["position_m"]) @ axes(views[index + 1]).T
        expected = np.stack([local[..., 0], local[..., 1]], -1) / local[..., 2:] * FOCAL_PX
        x, y = np.meshgrid(np.arange(320) + 0.5 - 160, np.arange(240) + 0.5 - 120)
        off = np.abs(flow.array[position] - (expected - np.stack([x, y], -1)))
        assert np.quantile(off, 0.99) < 0.1 and off.max() < 0.5


def axes(view: dict[str, Any]) -> np.ndarray:
    yaw, pitch = math.radians(view["yaw_deg"]), math.radians(view["pitch_deg"])
    forward = np.array([math.cos(pitch) * math.cos(yaw), math.cos(pitch) * math.sin(yaw), math.sin(pitch)])
    right = np.array([math.sin(yaw), -math.cos(yaw), 0.0])
    return np.stack([right, np.cross(forward, right), forward])


def test_the_last_frame_takes_the_last_flow(sample: Path) -> None:
    path = sample / "flow" / scene_ids(sample)[0]
    assert FlowLoader().count(path, media_id="m") == (28, None)
    clip = FlowLoader().load(path, media_id="m")
    np.testing.assert_array_equal(clip.array[27], clip.array[26])


def test_the_video_shows_the_frames(sample: Path) -> None:
    scene_id = scene_ids(sample)[1]
    path = sample / "video" / f"{scene_id}.mp4"
    assert VideoLoader().count(path, media_id="m") == (28, 8.0)
    clip = VideoLoader().load(path, media_id="m")
    frames = [np.asarray(Image.open(file)) for file in sorted((sample / "frames" / scene_id).iterdir())]
    for shown in (0, 10, 27):
        away = [np.abs(clip.array[shown].astype(int) - frame).mean() for frame in frames]
        assert away[shown] == min(away) and away[shown] < 8


def test_points_fill_the_boxes_of_the_instances(sample: Path) -> None:
    for scene_id in scene_ids(sample)[::3]:
        cloud = PointCloudLoader().load(sample / "pc" / f"{scene_id}.npz", media_id=scene_id)
        instances = InstancesLoader().load(sample / "instances" / f"{scene_id}.json", media_id=scene_id)
        assert cloud.unit == "m" and len(cloud.array) > 5000
        for instance in instances:
            own = cloud.array[cloud.extras["instance"] == instance.instance_id]
            low = np.array(instance.center_m) - np.array(instance.size_m) / 2
            high = low + instance.size_m
            assert (own >= low - 1e-3).all() and (own <= high + 1e-3).all()
            assert (own.max(axis=0) - own.min(axis=0) >= 0.6 * np.array(instance.size_m)).all()


def test_truth_of_the_views_can_be_read_off_the_files(sample: Path) -> None:
    for scene_id in scene_ids(sample)[1::3]:
        truth = truth_of(sample, scene_id)
        depth_mm = np.asarray(Image.open(sample / "depth" / scene_id / "00027.png")).astype(float)
        normals = np.asarray(Image.open(sample / "norm" / scene_id / "00027.png")) / 127.5 - 1
        last = truth["views"][27]
        assert np.median(depth_mm[:, :160]) / 1000 == pytest.approx(last["near_left_m"][1], abs=0.002)
        assert np.median(depth_mm[:, 160:]) / 1000 == pytest.approx(last["near_right_m"][1], abs=0.002)
        up = axes(last) @ np.array([0, 0, 1.0])
        assert ((normals @ up) > 0.98).mean() == pytest.approx(last["share"]["level_up"], abs=1e-3)
        assert (np.abs(normals @ up) < 0.02).mean() == pytest.approx(last["share"]["upright"], abs=1e-3)
        turned = sum(step["turn_left_deg_per_s"] for step in truth["steps"]) / truth["rate_hz"]
        assert turned == pytest.approx(last["yaw_deg"] - truth["views"][0]["yaw_deg"], abs=0.01)
