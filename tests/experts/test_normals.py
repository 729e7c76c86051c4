"""Truth: frames whose planes are painted by hand; camera frame x right, y down, z forward."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from photos import clip_of

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.experts.detector import Detection
from lavis.experts.normals import NormalsExpert

Normals = npt.NDArray[np.float32]
FLOOR, CEILING, FACING, LEFT_WALL = (0.0, -1.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0)


def frame(*bands: tuple[int, tuple[float, float, float]]) -> Normals:
    """Rows of planes from the top: (number of rows of 100, normal)."""
    return np.concatenate([np.broadcast_to(np.float32(normal), (rows, 120, 3)) for rows, normal in bands])


def clip(*frames: Normals) -> Clip:
    indices = tuple(range(len(frames)))
    times = tuple(0.5 * n for n in indices)
    return Clip(
        "room1", "norm", np.stack(frames), "t h w c", "unit vectors", Path("data/norm/room1"), indices, times, 2.0
    )


def shares(line: str) -> dict[str, int]:
    return {name: int(share) for name, share in re.findall(r"(floor|walls|ceiling) (\d+) %", line)}


def tilted(normals: Normals, down_deg: float) -> Normals:
    """The same planes in a camera that looks down by an angle."""
    angle = np.deg2rad(down_deg)
    rotate = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    return (normals @ rotate.T).astype(np.float32)


def test_shares_are_those_that_were_painted() -> None:
    text = NormalsExpert().write(clip(frame((10, CEILING), (59, FACING), (31, FLOOR))))
    assert shares(text) == {"floor": 31, "walls": 59, "ceiling": 10}
    assert "more wall than floor and ceiling" in text
    assert "other surfaces" not in text
    assert "no ceiling" in NormalsExpert().write(clip(frame((60, FACING), (40, FLOOR))))


@pytest.mark.parametrize("down_deg", [-30.0, -10.0, 0.0, 15.0, 30.0])
def test_a_camera_that_looks_down_or_up_sees_the_same_planes(down_deg: float) -> None:
    painted = frame((10, CEILING), (59, FACING), (31, FLOOR))
    assert shares(NormalsExpert().write(clip(tilted(painted, down_deg)))) == {"floor": 31, "walls": 59, "ceiling": 10}


@pytest.mark.parametrize(("left_wall", "said"), [(True, "mostly left"), (False, "mostly right")])
def test_the_side_of_the_walls_is_said(left_wall: bool, said: str) -> None:
    painted = frame((100, FLOOR)).copy()
    painted[:, :40] = LEFT_WALL
    assert said in NormalsExpert().write(clip(painted if left_wall else painted[:, ::-1]))


def test_walls_on_both_sides_have_no_side() -> None:
    assert "mostly" not in NormalsExpert().write(clip(frame((60, FACING), (40, FLOOR))))


def test_oblique_surfaces_are_other_surfaces() -> None:
    text = NormalsExpert().write(clip(frame((40, (0.0, -0.7071, -0.7071)), (60, FLOOR))))
    assert "other surfaces 40 %" in text


def test_unknown_normals_are_out_of_the_count() -> None:
    painted = frame((50, FACING), (50, FLOOR)).copy()
    painted[:25] = np.nan
    assert shares(NormalsExpert().write(clip(painted))) == {"floor": 67, "walls": 33}


def test_few_edges_ahead_are_open_and_many_are_cluttered() -> None:
    assert "open ahead" in NormalsExpert().write(clip(frame((60, FACING), (40, FLOOR))))
    boxes = frame((60, FACING), (40, FLOOR)).copy()
    boxes[20:80:8, 30:90] = FLOOR
    boxes[20:80, 30:90:9] = LEFT_WALL
    assert "cluttered ahead" in NormalsExpert().write(clip(boxes))


def test_the_average_comes_first_and_the_last_view_last() -> None:
    lines = NormalsExpert().write(clip(frame((100, FLOOR)), frame((50, FACING), (50, FLOOR)))).splitlines()
    assert lines[0].startswith("On average: ") and shares(lines[0]) == {"floor": 75, "walls": 25}
    assert lines[1].startswith("At 0.0 s: floor 100 %")
    assert lines[2].startswith("In the last view (at 0.5 s): floor 50 %")


def test_a_clip_without_any_normal_is_an_error() -> None:
    with pytest.raises(ModalityError, match=r"room1: no frame of norm has a known normal \(data/norm/room1\)"):
        NormalsExpert().write(clip(np.full((10, 12, 3), np.nan, dtype=np.float32)))


def test_a_long_clip_stays_short_and_options_are_checked() -> None:
    text = NormalsExpert().write(clip(*[frame((60, FACING), (40, FLOOR))] * 32))
    assert len(text.split()) < 120
    with pytest.raises(ConfigError, match="tolerance_deg"):
        NormalsExpert(tolerance_deg=60.0)


@pytest.mark.parametrize(
    ("normal", "said"),
    [
        (FLOOR, "shows mostly its level top (100 %)"),
        (FACING, "is upright and faces the camera (100 %)"),
        (LEFT_WALL, "is upright and faces right (100 %)"),
        ((0.0, -0.7071, -0.7071), ""),
        ((np.nan, np.nan, np.nan), ""),
    ],
)
def test_a_flat_object_is_told_by_the_plane_of_its_middle(normal: tuple[float, float, float], said: str) -> None:
    painted = frame((60, FACING), (40, FLOOR)).copy()
    painted[40:80, 30:90] = normal
    table = Detection("dining table", 0.9, (0.25, 0.4, 0.75, 0.8))
    lines = NormalsExpert()._flat_objects(clip(painted), [(table,)])
    assert lines == ([f"Objects: the dining table in the centre {said}."] if said else [])


def test_round_things_have_no_plane_and_the_latest_sight_counts() -> None:
    floor, wall = frame((50, FACING), (50, FLOOR)), frame((100, FACING))
    cat, book = (Detection(label, 0.9, (0.2, 0.6, 0.8, 1.0)) for label in ("cat", "book"))
    lines = NormalsExpert()._flat_objects(clip(wall, floor, wall), [(book,), (book, cat), ()])
    assert lines == ["Objects: the book in the lower centre shows mostly its level top (100 %) (at 0.5 s)."]


def test_frames_of_another_length_are_an_error() -> None:
    pictures = [np.full((40, 60, 3), 128, dtype=np.uint8)] * 2
    with pytest.raises(ModalityError, match="norm has 1 views"):
        NormalsExpert().write(clip(frame((100, FLOOR))), frame=clip_of("frame", *pictures))
