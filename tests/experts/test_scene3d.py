"""Truth: boxes that are placed around a pose by hand, so that every direction and distance is known."""

from __future__ import annotations

import math
import re

import pytest

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.instances import Instance
from lavis.datasets.question import Pose
from lavis.experts.bearings import place
from lavis.experts.scene3d import Scene3DExpert

NORTH = Pose((0.0, 0.0, 0.0), (0.0, 1.0))
SIDE_OF_OCTANT = ["front", "front", "right", "back", "back", "back", "left", "front"]


def box(number: int, label: str, x: float, y: float, *, size_m: float = 0.2, color: str | None = None) -> Instance:
    return Instance(number, label, (x, y, 0.5), (size_m, size_m, 1.0), color)


def around(bearing_deg: float, distance_m: float = 2.0) -> tuple[float, float]:
    """Where a point lies from the origin for an agent that looks along +y; clockwise."""
    return distance_m * math.sin(math.radians(bearing_deg)), distance_m * math.cos(math.radians(bearing_deg))


def side_line(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


@pytest.mark.parametrize("octant", range(8))
def test_the_eight_directions_and_their_borders(octant: int) -> None:
    """Diagonals belong to the front, or to the back; the axes to their side."""
    placed = place(box(1, "chair", *around(45.0 * octant)), NORTH)
    assert placed.side == SIDE_OF_OCTANT[octant]
    assert placed.bearing_deg == pytest.approx(45.0 * octant if octant <= 4 else 45.0 * octant - 360.0, abs=1e-5)


@pytest.mark.parametrize(
    ("bearing_deg", "side"), [(44.9, "front"), (45.1, "right"), (134.9, "right"), (135.1, "back"), (-45.1, "left")]
)
def test_a_side_is_a_quarter_of_the_circle(bearing_deg: float, side: str) -> None:
    assert place(box(1, "chair", *around(bearing_deg)), NORTH).side == side


@pytest.mark.parametrize("hour", range(1, 13))
def test_clock_hours_run_clockwise_from_straight_ahead(hour: int) -> None:
    assert place(box(1, "chair", *around(30.0 * hour)), NORTH).hour == hour


def test_left_is_minus_fy_fx_in_z_up_right_handed_coordinates() -> None:
    for turn_deg in range(0, 360, 15):
        fx, fy = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
        left = place(box(1, "chair", 3.0 - 2 * fy, 1.0 + 2 * fx), Pose((3.0, 1.0, 0.0), (fx, fy)))
        assert (left.side, left.hour) == ("left", 9)


def test_distance_is_to_the_nearest_edge_in_the_ground_plane() -> None:
    """A table of 2 m, its middle 3 m ahead and 5 m above: its edge is 2 m away."""
    table = Instance(1, "table", (0.0, 3.0, 5.0), (2.0, 2.0, 1.0))
    assert place(table, NORTH).distance_m == pytest.approx(2.0)
    corner = Instance(2, "table", (4.0, 5.0, 0.0), (2.0, 2.0, 1.0))
    assert place(corner, NORTH).distance_m == pytest.approx(math.hypot(3.0, 4.0))


ROOM = (
    box(1, "chair", *around(-90, 1.1), color="brown"),
    box(2, "chair", *around(-80, 2.1), color="brown"),
    box(3, "chair", *around(180, 0.8), color="black"),
    box(4, "table", *around(5, 1.6)),
    box(5, "window", *around(10, 4.1)),
    box(6, "bed", *around(90, 3.1), color="white"),
    box(7, "wall", *around(0, 5.0)),
    box(8, "rug", 0.1, 0.1, size_m=3.0),
)


def test_a_room_is_told_by_side_with_counts_colours_and_distances() -> None:
    text = Scene3DExpert().write(ROOM, pose=NORTH)
    assert side_line(text, "In front of you") == "In front of you: one table (1.5 m), one window (4.0 m)."
    assert side_line(text, "On your right") == "On your right: one white bed (3.0 m)."
    assert side_line(text, "Behind you") == "Behind you: one black chair (0.7 m)."
    assert side_line(text, "On your left") == "On your left: two brown chairs (1.0 m, 2.0 m)."
    assert side_line(text, "Directly in front") == "Directly in front of you: table, then window."
    assert side_line(text, "Where you are") == "Where you are: one rug."
    assert "Within reach: chair behind you" in text
    assert "Nearest: chair behind you (0.7 m). Farthest: window in front of you (4.0 m)." in text
    assert "In the whole scene: three chairs." in text
    assert "wall" not in text
    assert "9 o'clock chair" in text


def test_objects_come_in_the_same_order_whatever_the_order_of_the_file() -> None:
    expected = Scene3DExpert().write(ROOM, pose=NORTH)
    assert Scene3DExpert().write(ROOM[::-1], pose=NORTH) == expected
    assert Scene3DExpert().write(ROOM, pose=NORTH) == expected


def test_turning_and_moving_agent_and_room_together_changes_nothing() -> None:
    """Quarter turns keep the boxes axis-aligned, so that the text must be the same to the byte."""
    expected = Scene3DExpert().write(ROOM, pose=NORTH)
    for quarter in range(4):
        cosine, sine = [(1, 0), (0, 1), (-1, 0), (0, -1)][quarter]
        for shift_x, shift_y in ((0.0, 0.0), (12.5, -3.25)):
            moved = tuple(
                Instance(
                    one.instance_id,
                    one.label,
                    (
                        cosine * one.center_m[0] - sine * one.center_m[1] + shift_x,
                        sine * one.center_m[0] + cosine * one.center_m[1] + shift_y,
                        one.center_m[2],
                    ),
                    one.size_m,
                    one.color,
                )
                for one in ROOM
            )
            pose = Pose((shift_x, shift_y, 0.0), (-sine * 1.0, cosine * 1.0))
            assert Scene3DExpert().write(moved, pose=pose) == expected


@pytest.mark.parametrize("turn_deg", range(0, 360, 7))
def test_bearings_turn_with_the_agent(turn_deg: int) -> None:
    """An agent that turns by an angle finds every object by that angle the other way."""
    angle = math.radians(turn_deg)
    pose = Pose((0.0, 0.0, 0.0), (math.sin(angle), math.cos(angle)))  # turned clockwise from +y
    for one in ROOM:
        before, after = place(one, NORTH), place(one, pose)
        difference = (before.bearing_deg - turn_deg - after.bearing_deg + 180.0) % 360.0 - 180.0
        assert difference == pytest.approx(0.0, abs=1e-5)
        assert after.distance_m == before.distance_m


def test_colours_that_differ_go_to_each_object() -> None:
    chairs = (
        box(1, "chair", 0, 1.1, color="brown"),
        box(2, "chair", 0, 2.1, color="black"),
        box(3, "chair", 0, 3.1),
    )
    text = Scene3DExpert().write(chairs, pose=NORTH)
    assert "In front of you: three chairs (brown 1.0 m, black 2.0 m, 3.0 m)." in text


def test_many_of_a_kind_are_given_as_a_span_with_a_tally_of_colours() -> None:
    chairs = tuple(box(n, "chair", 0, 1.1 + n, color="brown" if n % 2 else "black") for n in range(6))
    text = Scene3DExpert().write(chairs, pose=NORTH)
    assert "In front of you: six chairs (1.0 m to 6.0 m; 3 black, 3 brown)." in text


def test_a_full_room_stays_short_and_loses_no_count() -> None:
    """80 objects of 40 kinds: every object is counted on its side, the text stays below 350 words."""
    room = tuple(box(n, f"thing{n % 40:02d}", *around(4.5 * n + 0.1, 1.0 + 0.05 * n)) for n in range(80))
    text = Scene3DExpert().write(room, pose=NORTH)
    assert len(text.split()) < 350
    words = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}
    words |= {"ten": 10, "eleven": 11, "twelve": 12}
    sides = [side_line(text, start) for start in ("In front", "On your right", "Behind", "On your left")]
    counts = [words[word] for line in sides for word in re.findall(r"\b(\w+) (?:thing|further)", line)]
    assert sum(counts) == 80


def test_structure_alone_is_no_object() -> None:
    with pytest.raises(ModalityError, match="no object"):
        Scene3DExpert().write((box(1, "wall", 0, 2), box(2, "floor", 0, 0)), pose=NORTH)
    with pytest.raises(ModalityError, match="no object"):
        Scene3DExpert().write((), pose=NORTH)


def test_an_empty_side_is_said_and_an_agent_inside_everything_is_not_lost() -> None:
    text = Scene3DExpert().write((box(1, "rug", 0.0, 0.0, size_m=4.0),), pose=NORTH)
    assert "Where you are: one rug." in text
    assert "Behind you: nothing." in text


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match="max_kinds"):
        Scene3DExpert(max_kinds=0)
    assert "o'clock" not in Scene3DExpert(clock=False).write(ROOM, pose=NORTH)
    assert "floor" in Scene3DExpert(leave_out=["wall"]).write((box(1, "floor", 0, 2),), pose=NORTH)
