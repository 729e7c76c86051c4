"""Truth: flow of a pinhole camera that is moved by an exact rotation and translation in rooms of known depth."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from photos import clip_of, fetched, photo

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.experts import detector
from lavis.experts.egomotion import camera_step, own_motion
from lavis.experts.flow import FlowExpert

HEIGHT, WIDTH, FOV_DEG, RATE_HZ = 96, 128, 60.0, 10.0
Maps = npt.NDArray[np.float32]


def focal_px(fov_deg: float) -> float:
    return float(WIDTH / 2 / np.tan(np.deg2rad(fov_deg) / 2))


def rays(fov_deg: float = FOV_DEG) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    columns, rows = np.meshgrid(np.arange(WIDTH) + 0.5 - WIDTH / 2, np.arange(HEIGHT) + 0.5 - HEIGHT / 2)
    return columns / focal_px(fov_deg), rows / focal_px(fov_deg)


def room_depth_m() -> npt.NDArray[np.float64]:
    """Depth of a room 4 m deep, 4 m wide, 2.6 m high, with a box 1.5 m away on the left."""
    x, y = rays()
    depth = np.minimum.reduce(
        [np.full(x.shape, 4.0), 1.4 / np.maximum(y, 1e-3), 1.2 / np.maximum(-y, 1e-3), 2.0 / np.maximum(abs(x), 1e-3)]
    )
    depth[48:80, 16:48] = np.minimum(depth[48:80, 16:48], 1.5)
    return depth


def rotation(up_deg: float, right_deg: float) -> npt.NDArray[np.float64]:
    up, right = np.deg2rad([up_deg, right_deg])
    tilt = np.array([[1, 0, 0], [0, np.cos(up), -np.sin(up)], [0, np.sin(up), np.cos(up)]])
    turn = np.array([[np.cos(right), 0, np.sin(right)], [0, 1, 0], [-np.sin(right), 0, np.cos(right)]])
    return turn @ tilt


def flow_px(
    *,
    right_deg: float = 0.0,
    up_deg: float = 0.0,
    move_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
    depth_m: npt.NDArray[np.float64] | None = None,
    fov_deg: float = FOV_DEG,
    pitch_deg: float = 0.0,
) -> Maps:
    """Project every point again after the camera turned (degrees) and moved (right, down, forward)."""
    x, y = rays(fov_deg)
    depth = room_depth_m() if depth_m is None else depth_m
    points = np.stack([x * depth, y * depth, depth], axis=-1)
    level = rotation(pitch_deg, 0.0)  # a turn is about the world's vertical, whatever the camera's pitch
    turned = level.T @ rotation(up_deg, right_deg) @ level
    seen = (points - np.array(move_m)) @ turned  # the inverse rotation, on rows
    again = np.stack([seen[..., 0] / seen[..., 2] - x, seen[..., 1] / seen[..., 2] - y], axis=-1)
    return (focal_px(fov_deg) * again).astype(np.float32)


def clip(maps: list[Maps], *, indices: tuple[int, ...] | None = None, rate_hz: float | None = RATE_HZ) -> Clip:
    indices = indices or tuple(range(len(maps)))
    times = tuple(index / rate_hz for index in indices) if rate_hz else ()
    return Clip("room1", "flow", np.stack(maps), "t h w c", "px", Path("data/flow/room1"), indices, times, rate_hz)


def turn_rate(text: str) -> float:
    return float(re.findall(r"turns (?:left|right) at ([\d.]+) degrees per second", text)[0])


@pytest.mark.parametrize("right_deg", [-6.0, -1.5, -0.5, 0.5, 1.5, 6.0])
def test_a_turn_alone_is_measured_whatever_the_depth(right_deg: float) -> None:
    step = camera_step(flow_px(right_deg=right_deg), horizontal_fov_deg=FOV_DEG)
    assert step is not None
    assert step.right_deg == pytest.approx(right_deg, abs=0.01 * abs(right_deg))
    assert step.direction is None
    assert abs(step.up_deg) < 0.02
    assert len(step.stray) == 0


@pytest.mark.parametrize(
    ("move_m", "words"),
    [
        ((0.0, 0.0, 0.1), "forward"),
        ((0.0, 0.0, -0.1), "backward"),
        ((0.1, 0.0, 0.0), "to the right"),
        ((-0.1, 0.0, 0.0), "to the left"),
        ((0.0, -0.1, 0.0), "up"),
        ((0.06, 0.0, 0.1), "forward and to the right"),
    ],
)
def test_a_translation_alone_is_told_from_a_turn(move_m: tuple[float, float, float], words: str) -> None:
    text = FlowExpert().write(clip([flow_px(move_m=move_m)] * 3))
    assert text.splitlines()[0] == f"On the whole the camera moves {words}."
    assert "turn" not in text and "by itself" not in text


@pytest.mark.parametrize("right_deg", [-2.0, 1.0, 3.0])
@pytest.mark.parametrize("move_m", [(0.05, 0.0, 0.0), (0.0, 0.0, 0.08), (-0.04, 0.0, 0.04)])
def test_turn_and_translation_at_once_are_separated(right_deg: float, move_m: tuple[float, float, float]) -> None:
    step = camera_step(flow_px(right_deg=right_deg, move_m=move_m), horizontal_fov_deg=FOV_DEG)
    assert step is not None and step.direction is not None
    assert step.right_deg == pytest.approx(right_deg, abs=0.1)
    # The direction at the middle of the step: half the turn lies between it and the first frame.
    expected = np.array(move_m) @ rotation(0.0, right_deg / 2) / np.linalg.norm(move_m)
    assert float(np.dot(step.direction, expected)) > np.cos(np.deg2rad(6.0))


def test_sideways_motion_in_front_of_a_flat_wall_is_not_taken_for_a_turn() -> None:
    """A wall 3 m ahead has no parallax: only the signs of depth tell the two explanations apart."""
    wall = np.full((HEIGHT, WIDTH), 3.0)
    step = camera_step(flow_px(move_m=(0.1, 0.0, 0.0), depth_m=wall), horizontal_fov_deg=FOV_DEG)
    assert step is not None and step.direction is not None
    assert step.direction[0] > 0.99
    assert abs(step.right_deg) < 0.1


@pytest.mark.parametrize("noise_px", [0.1, 0.3, 0.6])
def test_noise_makes_no_translation_and_little_error(noise_px: float) -> None:
    noise = np.random.default_rng(7).normal(0.0, noise_px, (HEIGHT, WIDTH, 2)).astype(np.float32)
    step = camera_step(flow_px(right_deg=-1.5) + noise, horizontal_fov_deg=FOV_DEG)
    assert step is not None
    assert step.right_deg == pytest.approx(-1.5, abs=0.15)
    assert step.direction is None


def test_unknown_flow_is_left_out_of_the_measure() -> None:
    maps = flow_px(right_deg=1.5)
    maps[:, : WIDTH // 2] = np.nan
    step = camera_step(maps, horizontal_fov_deg=FOV_DEG)
    assert step is not None
    assert step.right_deg == pytest.approx(1.5, abs=0.05)


@pytest.mark.parametrize("fov_deg", [40.0, 60.0, 90.0])
def test_the_field_of_view_scales_the_angles(fov_deg: float) -> None:
    step = camera_step(flow_px(right_deg=1.5, fov_deg=fov_deg), horizontal_fov_deg=fov_deg)
    assert step is not None
    assert step.right_deg == pytest.approx(1.5, abs=0.01)


def test_pan_left_is_reported_with_its_rate_and_its_angle() -> None:
    """Ground truth: 1.5 degrees to the left in each of 20 frames at 10 Hz are 30 degrees in 2 s."""
    text = FlowExpert().write(clip([flow_px(right_deg=-1.5)] * 20))
    assert "the camera turns left by about 30 degrees" in text
    assert "From 0.0 s to 2.0 s the camera turns left at 15 degrees per second." in text


@pytest.mark.parametrize("pitch_deg", [-30.0, -10.0, 20.0])
def test_a_camera_that_looks_down_turns_as_fast_about_the_vertical(pitch_deg: float) -> None:
    text = FlowExpert().write(clip([flow_px(right_deg=-1.5, pitch_deg=pitch_deg)] * 20))
    assert "turns left by about 30 degrees." in text
    assert "tilts" not in text


def test_sparse_samples_are_integrated_over_the_whole_time() -> None:
    """Ground truth: 40 frames; the rate grows evenly from 0 to 3 degrees per frame, 60 degrees in all."""
    indices = (2, 7, 12, 17, 22, 27, 32, 37)
    text = FlowExpert().write(clip([flow_px(right_deg=3.0 * (i + 0.5) / 40) for i in indices], indices=indices))
    total = re.search(r"turns right by about (\d+) degrees", text)
    assert total is not None
    assert float(total[1]) == pytest.approx(60.0, abs=1.5)


def test_what_happens_one_after_the_other_is_told_in_order() -> None:
    """Ground truth: a second to the left at 20 degrees per s, a second forward, a second still."""
    maps = [flow_px(right_deg=-2.0)] * 10 + [flow_px(move_m=(0.0, 0.0, 0.1))] * 10 + [flow_px()] * 10
    text = FlowExpert().write(clip(maps))
    assert text.splitlines()[1] == (
        "From 0.0 s to 1.0 s the camera turns left at 20 degrees per second; from 1.0 s to 2.0 s the camera moves "
        "forward; from 2.0 s to 3.0 s the camera stays still."
    )
    assert turn_rate(text) == pytest.approx(20.0, abs=0.5)


def test_without_a_rate_angles_are_per_frame() -> None:
    text = FlowExpert().write(clip([flow_px(right_deg=1.5)] * 4, rate_hz=None))
    assert "From frame 0 to frame 4 the camera turns right at 1.5 degrees per frame." in text
    assert "turns right by about 6 degrees" in text


def test_tilting_up_is_not_turning() -> None:
    text = FlowExpert().write(clip([flow_px(up_deg=1.0)] * 10))
    assert "tilts up by about 10 degrees" in text
    assert "turns" not in text


def test_a_still_camera_is_said_to_be_still() -> None:
    text = FlowExpert().write(clip([flow_px()] * 5))
    assert text.splitlines()[0] == "On the whole the camera stays still."


@pytest.mark.parametrize("right_deg", [0.0, -1.5])
def test_an_object_that_moves_by_itself_is_found_and_placed(right_deg: float) -> None:
    """Ground truth: a patch of 24 by 20 px on the right goes 4 px to the left of what the camera explains."""
    maps = flow_px(right_deg=right_deg)
    maps[40:64, 100:120, 0] -= 4.0
    text = FlowExpert().write(clip([flow_px(right_deg=right_deg), maps]))
    assert "Something moves by itself: on the right, going left (at 0.1 s)." in text


def test_the_text_is_the_same_every_time_and_short() -> None:
    maps = [flow_px(right_deg=1.0, move_m=(0.02, 0.0, 0.03 * (n % 2))) for n in range(8)]
    texts = {FlowExpert().write(clip(maps)) for _ in range(3)}
    assert len(texts) == 1
    assert len(texts.pop().split()) < 200


def test_segments_are_limited_and_the_limit_is_said() -> None:
    maps = [flow_px(right_deg=2.0 if n % 2 else -2.0) for n in range(10)]
    text = FlowExpert(max_segments=3).write(clip(maps))
    assert text.count("degrees per second") == 3
    assert "7 shorter stretches are left out" in text
    assert "turns but ends looking where it began" in text


def test_no_known_flow_is_an_error_that_names_medium_and_path() -> None:
    nothing = np.full((HEIGHT, WIDTH, 2), np.nan, dtype=np.float32)
    with pytest.raises(ModalityError, match=r"room1: no flow vector is known \(data/flow/room1\)"):
        FlowExpert().write(clip([nothing]))


def test_a_field_of_view_that_no_camera_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="horizontal_fov_deg"):
        FlowExpert(horizontal_fov_deg=180.0)


def cat_on_the_right() -> npt.NDArray[np.uint8]:
    """A picture of 640 by 480 px; the cat's middle half lies in columns 77 to 108 and rows 36 to 60 of the flow."""
    fetched(detector.WEIGHTS, detector.GRAPH)
    picture = np.full((480, 640, 3), 128, dtype=np.uint8)
    picture[140:340, 310:610] = photo("photo_chelsea", (300, 200))
    return picture


@pytest.mark.parametrize(
    "camera", [{}, {"right_deg": -1.5}, {"move_m": (0.0, 0.0, 0.1)}, {"right_deg": 1.0, "move_m": (0.05, 0.0, 0.0)}]
)
@pytest.mark.parametrize(("down_px", "way"), [(6.0, "down"), (-6.0, "up")])
def test_an_object_that_moves_against_the_camera_is_named(camera: dict[str, Any], down_px: float, way: str) -> None:
    """Ground truth: the cat's outline goes 6 px a frame up or down, whatever the camera does."""
    still, maps = flow_px(**camera), flow_px(**camera)
    maps[28:68, 62:122, 1] += down_px
    frame = clip_of("frame", *[cat_on_the_right()] * 2)
    text = FlowExpert().write(clip([maps, maps], indices=(0, 5)), frame=frame)
    said = re.search(rf"Against the background: the cat at the right moves {way}, ([\d.]+) px a frame", text)
    assert said is not None
    assert 4.0 <= float(said[1]) <= 7.0  # a camera that moves hides what goes along its own flow
    assert "Without motion of their own: cat." in FlowExpert().write(clip([still, still], indices=(0, 5)), frame=frame)


@pytest.mark.parametrize("camera", [{"right_deg": 3.0}, {"move_m": (0.1, 0.0, 0.05)}])
def test_still_points_have_no_motion_of_their_own_at_any_depth(camera: dict[str, Any]) -> None:
    maps = flow_px(**camera)
    step = camera_step(maps, horizontal_fov_deg=FOV_DEG)
    assert step is not None
    rest = own_motion(maps, step, horizontal_fov_deg=FOV_DEG)
    assert float(np.percentile(np.hypot(rest[..., 0], rest[..., 1]), 95)) < 0.25


def test_without_objects_the_evidence_is_that_of_flow_alone_and_other_lengths_are_an_error() -> None:
    maps = clip([flow_px(right_deg=1.0)])
    frame = clip_of("frame", *[np.full((48, 64, 3), 128, dtype=np.uint8)] * 2)
    assert FlowExpert(objects=False).write(maps, frame=frame) == FlowExpert().write(maps)
    with pytest.raises(ModalityError, match="flow has 1 views"):
        FlowExpert().write(maps, frame=frame)
