"""Truth: boxes that are moved by hand from view to view."""

from __future__ import annotations

import pytest

from lavis.experts.detector import Detection
from lavis.experts.tracks import follow

Box = tuple[float, float, float, float]


def at(x: float, y: float = 0.5, *, side: float = 0.2, label: str = "chair") -> Detection:
    return Detection(label, 0.9, (x - side / 2, y - side / 2, x + side / 2, y + side / 2))


def test_two_objects_of_a_kind_keep_apart_while_they_move() -> None:
    seen = [(at(0.2 + 0.1 * n), at(0.8, 0.3)) for n in range(5)]
    tracks = follow([tuple(reversed(found)) if n % 2 else found for n, found in enumerate(seen)])
    assert [(track.label, track.views) for track in tracks] == [("chair", (0, 1, 2, 3, 4))] * 2
    assert [track.motion() for track in tracks] == ["moves from left to right", "stays where it is"]


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (at(0.3), "moves from right to left"),
        (at(0.5, 0.7), "moves down"),
        (at(0.5, 0.3), "moves up"),
        (at(0.5, side=0.3), "comes nearer"),
        (at(0.5, side=0.13), "gets farther away"),
        (at(0.52), "stays where it is"),
        (at(0.68, side=0.3), "moves from left to right and comes nearer"),
    ],
)
def test_motion_is_told_from_the_first_to_the_last_box(last: Detection, words: str) -> None:
    (track,) = follow([(at(0.5),), (last,)])
    assert track.motion() == words


def test_one_miss_of_the_detector_does_not_end_a_track_and_two_do() -> None:
    assert [track.views for track in follow([(at(0.5),), (), (at(0.55),)])] == [(0, 2)]
    assert [track.views for track in follow([(at(0.5),), (), (), (at(0.55),)])] == [(0,), (3,)]


def test_nothing_is_followed_into_a_new_scene_nor_into_another_kind_or_a_far_place() -> None:
    assert len(follow([(at(0.5),), (at(0.5),)], cuts=(1,))) == 2
    assert len(follow([(at(0.5),), (at(0.5, label="couch"),)])) == 2
    assert len(follow([(at(0.1),), (at(0.9),)])) == 2
    assert len(follow([(at(0.5),), (at(0.5, side=0.6),)])) == 2  # nine times as large


def test_the_order_of_detections_does_not_matter_and_empty_boxes_do_no_harm() -> None:
    empty = Detection("chair", 0.5, (0.4, 0.4, 0.4, 0.6))
    seen = [(at(0.3), at(0.5), empty), (at(0.35), at(0.55), empty)]
    assert follow(seen) == follow([tuple(reversed(found)) for found in seen])
    assert sum(len(track.views) for track in follow(seen)) == 6
    assert follow([]) == []
