"""Truth: depth maps whose halves, thirds and middles are set by hand, in m, beside a real photograph of a cat."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from photos import clip_of, fetched, photo

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.experts import detector
from lavis.experts.depth import DepthExpert, measure

Map = npt.NDArray[np.float32]


def view(left_m: float, center_m: float, right_m: float) -> Map:
    depth_m = np.empty((30, 60), dtype=np.float32)
    depth_m[:, :20], depth_m[:, 20:40], depth_m[:, 40:] = left_m, center_m, right_m
    return depth_m


def clip(*views: Map) -> Clip:
    indices = tuple(5 * n for n in range(len(views)))
    times = tuple(0.5 * n for n in range(len(views)))
    return Clip("room1", "depth", np.stack(views), "t h w", "m", Path("data/depth/room1"), indices, times, 10.0)


def test_the_nearer_side_of_the_last_view_is_named_with_both_distances() -> None:
    text = DepthExpert().write(clip(view(3.0, 3.0, 1.0), view(0.9, 2.1, 2.4)))
    last = text.splitlines()[-1]
    assert last == (
        "In the last view (at 0.5 s): straight ahead 2.1 m, left 0.9 m, right 2.4 m, nearest 0.9 m, farthest 2.4 m. "
        "The left side is nearer (0.9 m) than the right (2.4 m)."
    )


def test_the_whole_clip_comes_first_with_the_times_of_its_extremes() -> None:
    text = DepthExpert().write(clip(view(3.0, 5.2, 3.0), view(0.6, 2.0, 2.0), view(1.0, 2.0, 2.0)))
    assert text.splitlines()[0] == (
        "Over the whole clip the nearest surface is 0.6 m away (at 0.5 s), the farthest 5.2 m (at 0.0 s)."
    )


@pytest.mark.parametrize(
    ("left_m", "right_m", "said"),
    [
        (2.0, 2.0, "about equally far (2.0 m and 2.0 m)"),
        (2.0, 2.2, "about equally far"),
        (2.0, 2.3, "The left side is nearer"),
        (2.3, 2.0, "The right side is nearer"),
    ],
)
def test_sides_within_a_tenth_are_equally_far(left_m: float, right_m: float, said: str) -> None:
    assert said in DepthExpert().write(clip(view(left_m, 3.0, right_m)))


def test_mirroring_the_picture_swaps_left_and_right() -> None:
    rng = np.random.default_rng(3)
    depth_m = rng.uniform(0.5, 5.0, (31, 47)).astype(np.float32)
    one, other = measure(depth_m), measure(depth_m[:, ::-1])
    assert one is not None and other is not None
    assert (one.left_m, one.right_m, one.ahead_m) == (other.right_m, other.left_m, other.ahead_m)


def test_unknown_depth_is_neither_near_nor_far() -> None:
    depth_m = view(1.0, 2.0, 3.0)
    depth_m[:15] = np.nan
    assert measure(depth_m) == measure(view(1.0, 2.0, 3.0))


def test_a_side_that_is_unknown_is_said_to_be() -> None:
    depth_m = view(1.0, 2.0, 3.0)
    depth_m[:, 40:] = np.nan
    text = DepthExpert().write(clip(depth_m))
    assert "right unknown" in text
    assert "Which side is nearer is not known." in text
    assert "nan" not in text


def test_single_stray_pixels_do_not_decide_what_is_nearest() -> None:
    depth_m = view(1.0, 2.0, 3.0)
    depth_m[0, :3] = 0.01
    numbers = measure(depth_m)
    assert numbers is not None
    assert numbers.nearest_m == pytest.approx(1.0)


def test_many_views_are_thinned_evenly_and_the_last_stays() -> None:
    text = DepthExpert(max_views=3).write(clip(*(view(1.0 + n, 2.0, 3.0) for n in range(9))))
    assert [line.split(":")[0] for line in text.splitlines()[1:]] == [
        "At 0.0 s",
        "At 2.0 s",
        "In the last view (at 4.0 s)",
    ]
    assert len(DepthExpert().write(clip(*(view(1.0, 2.0, 3.0) for _ in range(32)))).split()) < 150


def test_views_without_depth_are_passed_over_and_a_clip_without_any_is_an_error() -> None:
    nothing = np.full((30, 60), np.nan, dtype=np.float32)
    assert "In the last view (at 0.0 s)" in DepthExpert().write(clip(view(1.0, 2.0, 3.0), nothing))
    with pytest.raises(ModalityError, match=r"room1: no depth is known in any frame \(data/depth/room1\)"):
        DepthExpert().write(clip(nothing, nothing))


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="max_views"):
        DepthExpert(max_views=0)


def cat_at(left_px: int) -> npt.NDArray[np.uint8]:
    """A picture of 600 by 400 px with a cat in the middle of its height."""
    fetched(detector.WEIGHTS, detector.GRAPH)
    picture = np.full((400, 600, 3), 128, dtype=np.uint8)
    picture[100:300, left_px : left_px + 300] = photo("photo_chelsea", (300, 200))
    return picture


def test_an_object_gets_the_distance_of_its_middle_whatever_the_sizes_of_the_maps() -> None:
    """Ground truth: 60 by 30 values of depth for 600 by 400 px; the left half is 1.2 m away, the right one 4 m."""
    depth_m = np.full((30, 60), 4.0, dtype=np.float32)
    depth_m[:, :30] = 1.2
    left = DepthExpert().write(clip(depth_m), frame=clip_of("frame", cat_at(0)))
    assert left.endswith("Objects, nearest first, each where it was last seen: the cat at the left is 1.2 m away.")
    right = DepthExpert().write(clip(depth_m), frame=clip_of("frame", cat_at(300)))
    assert right.endswith("the cat at the right is 4.0 m away.")


def test_the_distance_over_time_and_the_view_of_the_last_sight_are_told() -> None:
    grey = np.full((400, 600, 3), 128, dtype=np.uint8)
    maps = [np.full((30, 60), metres, dtype=np.float32) for metres in (3.0, 2.0, 1.5)]
    text = DepthExpert().write(clip(*maps), frame=clip_of("frame", cat_at(150), cat_at(150), grey))
    assert "the cat in the centre is 2.0 m away at 0.5 s." in text
    assert "Distance over time: to the cat it falls from 3.0 m at 0.0 s to 2.0 m at 0.5 s." in text


def test_an_object_of_unknown_depth_is_not_given_one() -> None:
    depth_m = np.full((30, 60), 2.0, dtype=np.float32)
    depth_m[5:25, 10:50] = np.nan
    depth_m[12, 20:40] = 2.0  # a tenth of the outline's middle or less says nothing of the cat
    assert "cat" not in DepthExpert().write(clip(depth_m), frame=clip_of("frame", cat_at(150)))


def test_without_frames_or_without_objects_the_evidence_is_that_of_depth_alone() -> None:
    alone = DepthExpert().write(clip(view(3.0, 3.0, 1.0)))
    assert "Objects" not in alone
    assert DepthExpert(objects=False).write(clip(view(3.0, 3.0, 1.0)), frame=clip_of("frame", cat_at(0))) == alone
    assert DepthExpert.needed_weights({"objects": False}) == ()
    assert DepthExpert.needed_weights({}) == (detector.WEIGHTS, detector.GRAPH)


def test_frames_of_other_views_are_an_error_that_names_both() -> None:
    grey = np.full((40, 60, 3), 128, dtype=np.uint8)
    with pytest.raises(ModalityError, match=r"room1: depth has 1 views \(data/depth/room1\) but frame 2 \(data/frame"):
        DepthExpert().write(clip(view(1.0, 2.0, 3.0)), frame=clip_of("frame", grey, grey))
    later = dataclasses.replace(clip_of("frame", grey), indices=(3,))
    with pytest.raises(ModalityError, match=r"are of different frames, \[0\] and \[3\]"):
        DepthExpert().write(clip(view(1.0, 2.0, 3.0)), frame=later)
