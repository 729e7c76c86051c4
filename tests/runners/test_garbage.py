"""The garbage collector while a run works."""

from __future__ import annotations

import gc

import pytest

from lavis.runners.garbage import YOUNG, little_garbage_collection


def test_what_was_there_before_is_set_aside_and_given_back() -> None:
    outlives = [{"number": number} for number in range(1000)]
    before = gc.get_threshold()
    with little_garbage_collection():
        assert gc.get_threshold() == (YOUNG, *before[1:])
        frozen = gc.get_freeze_count()
        assert frozen > len(outlives)
        assert not any(found is outlives[0] for found in gc.get_objects())
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
    assert any(found is outlives for found in gc.get_objects())


def test_what_is_made_inside_is_still_collected() -> None:
    class Knot:
        alive = 0

        def __init__(self) -> None:
            self.self = self
            Knot.alive += 1

        def __del__(self) -> None:
            Knot.alive -= 1

    with little_garbage_collection():
        for _ in range(20 * YOUNG):
            Knot()
        assert Knot.alive < 3 * YOUNG


def test_it_is_given_back_after_an_error() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="trouble"), little_garbage_collection():
        raise ValueError("trouble")
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
