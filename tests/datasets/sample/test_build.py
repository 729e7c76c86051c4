"""Making the sample: the same bytes, once, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from pathlib import Path

import pytest

from lavis.common.errors import ConfigError, LavisError
from lavis.common.weights import entries
from lavis.datasets.sample import build, build_sample, sample_root
from lavis.datasets.sample.choose import candidates, choose
from lavis.datasets.sample.once import VERSION_FILE
from lavis.datasets.sample.plan import Room, Stand
from lavis.datasets.sample.record import record_room
from lavis.datasets.sample.rooms import PHOTO_SHOWS, all_rooms
from lavis.datasets.sample.situations import describe


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_one_room_gives_the_same_bytes_twice(bare_room: Room, tmp_path: Path) -> None:
    for name in ("one", "other"):
        record_room(bare_room, tmp_path / name, n_frames=4)
        time.sleep(1.1)  # a time of day in some header would now differ
    first = digests(tmp_path / "one")
    assert first == digests(tmp_path / "other")
    suffixes = sorted(Path(name).suffix for name in first)
    assert suffixes == sorted([".jpg"] * 4 + [".png"] * 8 + [".npz"] * 4 + [".mp4"] + [".json"] * 2)


def test_the_root_is_in_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path))
    assert sample_root() == tmp_path / "sample" / "sqa3d-v1"


@pytest.fixture
def makings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stand in for the half minute of rendering: a folder with a version file, and a record of each making."""
    made: list[Path] = []

    def make(root: Path, version: str) -> None:
        made.append(root)
        root.mkdir()
        time.sleep(0.2)
        (root / VERSION_FILE).write_text(json.dumps({"version": version}))

    monkeypatch.setattr(build, "_make", make)
    return made


def test_it_is_made_once_also_by_builders_at_the_same_time(makings: list[Path], tmp_path: Path) -> None:
    root = tmp_path / "sqa3d-v1"
    threads = [threading.Thread(target=build_sample, args=(root,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert build_sample(root) == root
    assert len(makings) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".sqa3d-v1.lock", "sqa3d-v1"]


def test_an_old_version_is_replaced_and_remains_of_a_killed_build_go(makings: list[Path], tmp_path: Path) -> None:
    root = tmp_path / "sqa3d-v1"
    root.mkdir()
    (root / VERSION_FILE).write_text(json.dumps({"version": "before"}))
    (root / "old.txt").touch()
    (tmp_path / ".sqa3d-v1.build-killed" / "sample").mkdir(parents=True)
    build_sample(root)
    assert not (root / "old.txt").exists() and len(makings) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".sqa3d-v1.lock", "sqa3d-v1"]


def test_a_build_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(root: Path, version: str) -> None:
        root.mkdir()
        raise LavisError("the disk is full")

    monkeypatch.setattr(build, "_make", fail)
    with pytest.raises(LavisError, match="disk is full"):
        build_sample(tmp_path / "sqa3d-v1")
    assert [path.name for path in tmp_path.iterdir()] == [".sqa3d-v1.lock"]


def test_someone_elses_folder_is_not_replaced(makings: list[Path], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(LavisError, match="not the sample"):
        build_sample(tmp_path / "mine")
    assert not makings


def test_a_room_that_cannot_be_rendered_is_named(tmp_path: Path, bare_room: Room) -> None:
    with pytest.raises(LavisError, match="bare0000_00"):
        build._record_in_process(bare_room, tmp_path)


def test_every_photograph_is_listed() -> None:
    listed = entries()
    assert all(f"photo_{name}" in listed for name in PHOTO_SHOWS)


def test_a_stand_that_cannot_be_told_is_an_error(bare_room: Room) -> None:
    with pytest.raises(ConfigError, match="faces no landmark"):
        describe(bare_room, Stand(0.0, 0.0, 180.0), arrived=False)


def test_a_room_with_too_few_questions_is_an_error(bare_room: Room) -> None:
    found = candidates(bare_room, VIEWS)
    assert {one.candidate.type for one in found} >= {"What", "Is", "How"}
    with pytest.raises(ConfigError, match="bare0000_00 has fewer than 2 How questions"):
        choose([[one for one in found if one.candidate.type != "How"]])


VIEWS = [
    build.View.from_json(
        {
            "position_m": [0, 0, 1.5],
            "yaw_deg": 0,
            "pitch_deg": 0,
            "share": {"floor": 0.3, "wall": 0.7, "ceiling": 0, "level_up": 0.3, "upright": 0.7, "level_down": 0},
            "near_left_m": [1, 1, 1],
            "near_right_m": [2, 2, 2],
            "ahead_m": 1.0,
            "seen": {"1": 0.1},
        }
    )
] * 28


def test_rooms_can_be_lived_in() -> None:
    """Nobody walks through furniture, nothing stands in another thing, ids and names are distinct."""
    from lavis.datasets.sample.camera import camera_path
    from lavis.datasets.sample.places import is_free

    rooms = all_rooms()
    assert len({room.scene_id for room in rooms}) == len({room.name for room in rooms}) == len(rooms) >= 6
    for room in rooms:
        assert 8 <= len(room.things) <= 25
        for stand in (room.walk.end, *room.stands):
            assert is_free(room, stand.x_m, stand.y_m, 0.25), (room.name, stand)
        for camera in camera_path(room.walk):
            assert is_free(room, *camera.position_m[:2], 0.15), (room.name, camera)
        solid = [thing for thing in room.things if thing.label != "rug"]
        for number, one in enumerate(solid):
            assert all(
                abs(value) <= room.size_m[axis] / 2 + 1e-6
                for axis in (0, 1)
                for value in (one.low_m[axis], one.high_m[axis])
            ), (room.name, one.label)
            for other in solid[number + 1 :]:
                common = [min(one.high_m[a], other.high_m[a]) - max(one.low_m[a], other.low_m[a]) for a in range(3)]
                assert min(common) < 0.03, (room.name, one.label, other.label)
