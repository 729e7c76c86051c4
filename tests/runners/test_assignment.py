"""Who asks what: the same on every machine, balanced, and one rank a medium."""

from __future__ import annotations

import random

import pytest

from lavis.runners.assignment import assign, chosen_indices


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 9])
def test_every_question_is_asked_once_and_a_medium_stays_on_one_rank(world_size: int) -> None:
    media = [f"scene{random.Random(index).randrange(20)}" for index in range(400)]
    ranks = assign(media, world_size)
    assert sorted(position for rank in ranks for position in rank) == list(range(400))
    owners = {}
    for number, rank in enumerate(ranks):
        for position in rank:
            assert owners.setdefault(media[position], number) == number


def test_loads_differ_by_at_most_one_medium() -> None:
    media = [f"scene{index % 31}" for index in range(310)]
    loads = [len(rank) for rank in assign(media, 4)]
    assert max(loads) - min(loads) <= 10


def test_questions_on_one_medium_follow_each_other() -> None:
    assert [list(rank) for rank in assign(["a", "b", "a", "b"], 1)] == [[0, 2, 1, 3]]


def test_a_limit_takes_the_first_or_spreads() -> None:
    assert list(chosen_indices(10, 3, spread=False)) == [0, 1, 2]
    assert list(chosen_indices(10, 3, spread=True)) == [0, 3, 6]
    assert list(chosen_indices(10, None, spread=True)) == list(chosen_indices(10, 99, spread=False)) == list(range(10))
    assert list(chosen_indices(3519, 120, spread=True)) == sorted(set(chosen_indices(3519, 120, spread=True)))
