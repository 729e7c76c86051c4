"""The renderer against geometry that can be worked out by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from lavis.datasets.loaders.base import Array
from lavis.datasets.sample import shading
from lavis.datasets.sample.camera import FOCAL_PX, HEIGHT_PX, WIDTH_PX, Camera, camera_path, grid_px
from lavis.datasets.sample.plan import Room, Stand, Walk
from lavis.datasets.sample.raycast import cast, cast_view, geometry
from lavis.datasets.sample.record import coded_normals, depth_mm, flow_px, points
from lavis.datasets.sample.rooms import Walls
from lavis.datasets.sample.shading import picture

EYE = (0.0, 0.0, 1.25)
WEST = (-1.9, 0.0, 1.25)


def as_map(values: Array) -> Array:
    return values.reshape(HEIGHT_PX, WIDTH_PX, *values.shape[1:])


def test_depth_of_walls_and_floor_is_exact(bare_room: Room) -> None:
    """Truth: the east wall is 2 m away everywhere along the camera's axis; the floor follows from the eye's height."""
    depth_m = as_map(cast_view(bare_room, Camera(EYE, 0.0, 0.0)).depth_m)
    assert depth_m[HEIGHT_PX // 2, WIDTH_PX // 2] == pytest.approx(2.0, abs=1e-12)
    assert np.allclose(depth_m[100], 2.0)
    depth_m = as_map(cast_view(bare_room, Camera(WEST, 0.0, 0.0)).depth_m)
    row = 235
    assert depth_m[row, 5] == pytest.approx(1.25 * FOCAL_PX / (row + 0.5 - HEIGHT_PX / 2))
    depth_m = as_map(cast_view(bare_room, Camera(EYE, 90.0, 0.0)).depth_m)
    assert depth_m[HEIGHT_PX // 2, WIDTH_PX // 2] == pytest.approx(3.0)


def test_the_mask_of_a_cube_is_its_projection(bare_room: Room) -> None:
    """Truth: the cube's near face is 2.9 m away and 0.6 m wide; its upper edge is 0.65 m below the eye."""
    hits = cast_view(bare_room, Camera(WEST, 0.0, 0.0))
    mask = as_map(geometry(bare_room).instances(hits.box)) == 1
    near = mask & np.isclose(as_map(hits.depth_m), 2.9)
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    assert len(columns) == pytest.approx(0.6 / 2.9 * FOCAL_PX, abs=1)
    assert columns.mean() == pytest.approx(WIDTH_PX / 2 - 0.5, abs=0.5)
    assert rows[0] == math.ceil(HEIGHT_PX / 2 + 0.65 / 2.9 * FOCAL_PX - 0.5)
    top = mask & ~near
    # Its upper face lies 0.65 m below the eye and ends 3.5 m away.
    assert np.flatnonzero(top.any(axis=1))[0] == math.ceil(HEIGHT_PX / 2 + 0.65 / 3.5 * FOCAL_PX - 0.5)


@pytest.mark.parametrize("pitch_deg", [0.0, -20.0, 12.0])
def test_normals_are_in_the_camera_frame(bare_room: Room, pitch_deg: float) -> None:
    """Truth: x right, y down, z forward; looking east, north is left, so the north wall's normal points right."""
    camera = Camera(EYE, 0.0, pitch_deg)
    hits = cast_view(bare_room, camera)
    decoded = coded_normals(camera, hits) / 127.5 - 1
    up = np.array([0.0, -math.cos(math.radians(pitch_deg)), math.sin(math.radians(pitch_deg))])
    east_wall = np.array([0.0, -math.sin(math.radians(pitch_deg)), -math.cos(math.radians(pitch_deg))])
    floor = as_map((hits.box < 0) & (hits.face == 5))
    wall = as_map((hits.box < 0) & (hits.face == 0))
    assert wall.any() and np.allclose(decoded[wall], east_wall, atol=0.005)
    assert not floor.any() or np.allclose(decoded[floor], up, atol=0.005)
    north = cast_view(bare_room, Camera(EYE, 60.0, pitch_deg))
    spotted = as_map((north.box < 0) & (north.face == 2))
    normal = as_map(north.normals)[spotted]
    assert np.allclose(normal, (0, -1, 0))


def test_flow_is_what_reprojected_points_do(bare_room: Room) -> None:
    """Truth, written out for one turn and one step: a turn moves points by the tangent, a step by their depth."""
    camera = Camera(EYE, 0.0, 0.0)
    hits = cast_view(bare_room, camera)
    x = as_map(grid_px()[0]) - WIDTH_PX / 2
    y = as_map(grid_px()[1]) - HEIGHT_PX / 2
    turn = math.radians(3.0)
    flow = flow_px(dataclasses.replace(camera, yaw_deg=3.0), hits)
    expected_x = FOCAL_PX * np.tan(np.arctan(x / FOCAL_PX) + turn) - x
    np.testing.assert_allclose(flow[..., 0], expected_x, atol=1e-3)
    assert (flow[..., 0] > 0).all(), "a camera that turns left sees things move right"
    step_m = 0.1
    flow = flow_px(dataclasses.replace(camera, position_m=(step_m, 0.0, 1.25)), hits)
    depth_m = as_map(hits.depth_m)
    np.testing.assert_allclose(flow[..., 0], x * step_m / (depth_m - step_m), atol=1e-3)
    np.testing.assert_allclose(flow[..., 1], y * step_m / (depth_m - step_m), atol=1e-3)


def test_single_rays_and_whole_views_agree(bare_room: Room) -> None:
    camera = Camera((-1.2, 0.4, 1.5), -20.0, -15.0)
    view = cast_view(bare_room, camera)
    picked = np.arange(0, WIDTH_PX * HEIGHT_PX, 37)
    x, y = grid_px()
    some = cast(bare_room, camera, x[picked], y[picked])
    np.testing.assert_array_equal(some.depth_m, view.depth_m[picked])
    np.testing.assert_array_equal(some.box, view.box[picked])
    assert depth_mm(view).max() < 10000


@pytest.mark.parametrize(("wall", "yaw_deg"), [("north", 90), ("east", 0), ("south", -90), ("west", 180)])
def test_pictures_are_upright_and_not_mirrored(
    bare_room: Room, wall: str, yaw_deg: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Truth: a photograph that is red on the left, blue on the right and black below is seen so on every wall."""
    photo = np.zeros((90, 120, 3), np.uint8)
    photo[:60, :60, 0] = 250
    photo[:60, 60:, 2] = 250
    monkeypatch.setattr(shading, "photograph", lambda name: photo)
    hung = Walls(bare_room.size_m).picture("any", wall, 0.0, (1.6, 1.2))
    room = dataclasses.replace(bare_room, things=(hung,))
    camera = Camera((0.0, 0.0, 1.6), float(yaw_deg), 0.0)
    view = picture(room, camera, cast_view(room, camera)).astype(int)
    middle, across = HEIGHT_PX // 2, WIDTH_PX // 2
    left, right, below = view[middle - 5, across - 15], view[middle - 5, across + 15], view[middle + 40, across]
    assert left[0] > 150 > left[2] and right[2] > 150 > right[0] and below.max() < 60


def test_a_path_ends_at_its_stand_and_keeps_its_moves() -> None:
    """Truth: first 60 degrees to the left in one half of the time, then 1 m along the final gaze in the other."""
    path = camera_path(Walk(Stand(1.0, 2.0, 90.0), (("turn", 60.0), ("walk", 1.0)), -5.0), n_frames=21)
    assert len(path) == 21
    assert path[-1].position_m[:2] == pytest.approx((1.0, 2.0)) and path[-1].yaw_deg == pytest.approx(90)
    assert path[0].position_m[:2] == pytest.approx((1.0, 1.0)) and path[0].yaw_deg == pytest.approx(30)
    assert path[10].yaw_deg == pytest.approx(90) and path[10].position_m[:2] == pytest.approx((1.0, 1.0))


def test_points_lie_on_the_surfaces(bare_room: Room) -> None:
    cloud = points(bare_room)
    on_cube = cloud["xyz"][cloud["instance"] == 1]
    low, high = np.array((1.0, -0.3, 0.0)), np.array((1.6, 0.3, 0.6))
    assert len(on_cube) > 200
    away = np.minimum(np.abs(on_cube - low), np.abs(on_cube - high)).min(axis=1)
    assert away.max() < 1e-5 and (on_cube >= low - 1e-5).all() and (on_cube <= high + 1e-5).all()
    red = cloud["rgb"][cloud["instance"] == 1].mean(axis=0)
    assert red[0] > 2 * red[1] and red[0] > 2 * red[2]
