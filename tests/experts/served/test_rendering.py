"""Maps as pictures: every colour is the one that the words beside it promise."""

from __future__ import annotations

import numpy as np
import pytest

from lavis.experts.served.choosing import sharp_and_different, sharpness
from lavis.experts.served.rendering import (
    FARTHEST_GREY,
    UNKNOWN_RGB,
    depth_picture,
    flow_picture,
    normals_picture,
    table_picture,
    window_picture,
)

NAN = float("nan")


def test_depth_is_white_near_dark_far_and_blue_where_it_is_not_known() -> None:
    picture = depth_picture(np.array([[0.5, 1.0, 2.0, 3.0, 9.0, NAN]]), near=1.0, far=3.0)
    middle = round((255 + FARTHEST_GREY) / 2)
    greys = [255, 255, middle, FARTHEST_GREY, FARTHEST_GREY]
    assert picture[0, :5].tolist() == [[grey] * 3 for grey in greys]
    assert tuple(picture[0, 5]) == UNKNOWN_RGB
    assert picture.dtype == np.uint8


def test_disparity_is_white_where_it_is_large() -> None:
    picture = depth_picture(np.array([[0.1, 0.9]]), near=0.9, far=0.1)
    assert picture[0].tolist() == [[FARTHEST_GREY] * 3, [255] * 3]
    assert (depth_picture(np.full((2, 2), 1.5), near=1.5, far=1.5) == FARTHEST_GREY).all()


@pytest.mark.parametrize(
    ("flow", "colour"),
    [
        ((5.0, 0.0), (255, 0, 0)),  # right: red
        ((0.0, 5.0), (128, 255, 0)),  # down: yellow-green
        ((-5.0, 0.0), (0, 255, 255)),  # left: cyan
        ((0.0, -5.0), (128, 0, 255)),  # up: violet
        ((0.0, 0.0), (255, 255, 255)),
        ((2.5, 0.0), (255, 128, 128)),
        ((50.0, 0.0), (255, 0, 0)),
        ((NAN, NAN), (0, 0, 0)),
    ],
)
def test_flow_follows_the_colour_wheel(flow: tuple[float, float], colour: tuple[int, int, int]) -> None:
    picture = flow_picture(np.array([[flow]], np.float32), full_px=5.0)
    assert picture[0, 0].tolist() == list(colour)


def test_normals_are_coded_as_the_loader_reads_them() -> None:
    """The colours that the normals expert's words name, in the camera frame x right, y down, z forward."""
    normals = np.array([[[0, 0, -1], [0, -1, 0], [0, 1, 0], [1, 0, 0], [-1, 0, 0], [NAN] * 3]], np.float32)
    assert normals_picture(normals)[0].tolist() == [
        [128, 128, 0],
        [128, 0, 128],
        [128, 255, 128],
        [255, 128, 128],
        [0, 128, 128],
        [0, 0, 0],
    ]


def test_a_window_cuts_off_what_lies_outside() -> None:
    picture = window_picture(np.array([[-1000.0, -160.0, 40.0, 240.0, 3000.0, NAN]]), low=-160.0, high=240.0)
    assert picture[0, :, 0].tolist() == [0, 0, 128, 255, 255, 0]


def test_a_table_s_picture_holds_its_cells_in_their_columns() -> None:
    wide = table_picture(("name", "value"), [("a", "1"), ("a much longer name", "2")])
    assert wide.shape[0] > 3 * 20
    ink = (wide.min(axis=-1) < 100).sum(axis=0)  # by column of pixels
    rules = np.flatnonzero((wide[-1] == 160).all(axis=-1))
    assert ink[: wide.shape[1] // 2].sum() > ink[-60:].sum() > 0
    assert rules.size
    longer = table_picture(("name", "value"), [("a", "1"), ("x" * 500, "2")])
    assert longer.shape[1] < 1200, "a long cell is cut"


# -- which frames ------------------------------------------------------------------------------


def noise(seed: int, *, blurred: bool = False) -> np.ndarray:
    squares = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
    picture = np.repeat(np.repeat(squares, 8, axis=0), 8, axis=1)
    if blurred:
        soft = picture.astype(np.float64)
        for axis in (0, 1):
            soft = np.mean([np.roll(soft, k, axis=axis) for k in range(-8, 9)], axis=0)
        return soft.astype(np.uint8)
    return picture


def test_blurred_frames_and_those_that_show_the_same_are_left_out() -> None:
    frames = [noise(1), noise(1), noise(2, blurred=True), noise(3), noise(3), noise(1)]
    assert sharpness(frames[2]) < 0.25 * sharpness(frames[0])
    chosen = sharp_and_different(frames, 4)
    assert len(chosen) == 2
    assert {chosen[0] in (0, 1, 5) or chosen[1] in (0, 1, 5), chosen[0] in (3, 4) or chosen[1] in (3, 4)} == {True}


def test_as_many_as_asked_for_are_kept_in_their_order() -> None:
    frames = np.stack([noise(seed) for seed in range(9)])
    chosen = sharp_and_different(frames, 3)
    assert len(chosen) == 3
    assert chosen == sorted(chosen) == sharp_and_different(frames, 3)
    assert sharp_and_different(frames[:1], 3) == [0]
    assert sharp_and_different(np.zeros((4, 32, 32, 3), np.uint8), 3) == [0]
