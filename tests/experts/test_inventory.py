"""Truth: boxes that are placed by hand, so that every count, size and relation is known."""

from __future__ import annotations

import numpy as np
import pytest

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.instances import Instance
from lavis.experts.inventory import InventoryExpert
from lavis.experts.relations3d import overlap, support


def box(
    number: int, label: str, center_m: tuple[float, float, float], size_m: tuple[float, float, float], color: str = ""
) -> Instance:
    return Instance(number, label, center_m, size_m, color or None)


TABLE = box(1, "table", (0.0, 0.0, 0.375), (1.6, 0.8, 0.75), "brown")
ROOM = (
    TABLE,
    box(2, "book", (0.2, 0.1, 0.77), (0.2, 0.15, 0.04)),
    box(3, "book", (-0.3, 0.1, 0.77), (0.2, 0.15, 0.04)),
    box(4, "lamp", (0.6, 0.2, 0.95), (0.2, 0.2, 0.4), "white"),
    box(5, "box", (0.0, 0.0, 0.2), (0.3, 0.3, 0.4), "red"),
    box(6, "picture", (0.0, 0.45, 1.6), (0.8, 0.04, 0.6)),
    box(7, "chair", (-1.2, 0.0, 0.45), (0.5, 0.5, 0.9), "black"),
    box(8, "chair", (1.2, 0.0, 0.45), (0.5, 0.5, 0.9), "black"),
    box(9, "plant", (1.7, -1.7, 0.5), (0.4, 0.4, 1.0), "green"),
    box(10, "wall", (0.0, -2.0, 1.25), (4.0, 0.1, 2.5)),
    box(11, "wall", (2.0, 0.0, 1.25), (0.1, 4.0, 2.5)),
    box(12, "floor", (0.0, 0.0, 0.0), (4.0, 4.0, 0.0)),
)


def line(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def test_kinds_have_their_counts_colours_and_sizes() -> None:
    text = InventoryExpert().write(ROOM)
    assert text.startswith("The scene measures 4.0 m by 4.0 m and is 2.5 m high; nine objects of seven kinds.")
    assert "two black chairs (about 0.5 x 0.5 m, 0.9 m high)" in text
    assert "one brown table (1.6 x 0.8 m, 0.8 m high)" in text
    assert "two books (about 0.2 x 0.1 m, flat)" in text
    assert "wall (" not in text and "floor" not in text


def test_relations_are_those_that_were_built() -> None:
    text = InventoryExpert().write(ROOM)
    assert line(text, "On something") == "On something: two books and one lamp on the brown table."
    assert line(text, "Under something") == "Under something: one box under the brown table."
    assert line(text, "Above something") == "Above something: one picture above the brown table."
    assert line(text, "Next to each other") == "Next to each other: chair and table (0.1 m apart)."
    assert line(text, "Between") == "Between: table between two chairs."
    assert line(text, "Places") == "Places: in a corner: one plant; away from the walls: two chairs, one table."


def test_without_walls_the_edges_of_the_scene_stand_for_them() -> None:
    text = InventoryExpert().write(
        (TABLE, box(2, "bed", (3.0, 0.0, 0.3), (1.0, 0.5, 0.6)), box(3, "rug", (0.0, 5.0, 0.0), (1.0, 1.0, 0.01)))
    )
    assert "against the edge of the scene: one bed" in text or "in a corner: one bed" in text
    assert "wall" not in text


@pytest.mark.parametrize(
    ("bottom_m", "words"), [(0.75, "on"), (0.80, "on"), (0.70, "on"), (1.2, "above"), (0.0, "under"), (3.0, "")]
)
def test_height_decides_between_on_above_and_under(bottom_m: float, words: str) -> None:
    thing = box(2, "thing", (0.0, 0.0, bottom_m + 0.2), (0.3, 0.3, 0.4))
    found = support(thing, (TABLE, thing))
    assert (found[0] if found else "") == words


def test_what_lies_beside_the_table_is_not_on_it_and_a_chest_has_no_room_below() -> None:
    beside = box(2, "book", (2.0, 0.0, 0.77), (0.2, 0.2, 0.04))
    assert support(beside, (TABLE, beside)) is None
    chest = box(3, "chest", (0.0, 0.0, 0.375), (1.6, 0.8, 0.75))
    inside = box(4, "ball", (0.0, 0.0, 0.15), (0.3, 0.3, 0.3))
    assert support(inside, (chest, inside)) is None
    assert overlap(box(5, "line", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), TABLE) == 1.0


@pytest.mark.parametrize("turned", [0, 1])
def test_turning_the_scene_by_90_degrees_changes_nothing(turned: int) -> None:
    def quarter(one: Instance) -> Instance:
        (x, y, z), (w, d, h) = one.center_m, one.size_m
        return box(one.instance_id, one.label, (-y, x, z), (d, w, h), one.color or "")

    room = tuple(quarter(one) for one in ROOM) if turned else tuple(reversed(ROOM))
    assert InventoryExpert().write(room) == InventoryExpert().write(ROOM)


def test_a_room_of_a_hundred_objects_of_many_kinds_stays_short_and_says_what_is_left_out() -> None:
    rng = np.random.default_rng(0)
    room = tuple(box(n, f"kind {n % 50}", (*rng.uniform(-5, 5, 2), 0.4), (0.5, 0.6, 0.8), "red") for n in range(100))
    text = InventoryExpert().write(room)
    assert "further objects" in text and "100 objects of 50 kinds" in text
    assert len(text) < 2500


def test_a_scene_without_objects_is_an_error_and_options_are_checked() -> None:
    with pytest.raises(ModalityError, match="no object: 1 instances, none of them beside ceiling, floor, wall"):
        InventoryExpert().write((ROOM[9],))
    with pytest.raises(ConfigError, match="max_kinds"):
        InventoryExpert(max_kinds=0)
