"""Wording that every expert shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lavis.datasets.loaders.base import Clip
from lavis.experts.words import (
    at_moment,
    between_moments,
    capital,
    count_word,
    counted,
    listed,
    metres,
    plural,
    runs,
    spread,
    thirds,
)


@pytest.mark.parametrize(
    ("label", "many"),
    [
        ("chair", "chairs"),
        ("office chair", "office chairs"),
        ("person", "people"),
        ("bookshelf", "bookshelves"),
        ("box", "boxes"),
        ("bench", "benches"),
        ("bus", "buses"),
        ("wine glass", "wine glasses"),
        ("curtains", "curtains"),
        ("TV", "TVs"),
        ("tray", "trays"),
        ("trophy", "trophies"),
        ("couch", "couches"),
        ("mattress", "mattresses"),
        ("skis", "skis"),
    ],
)
def test_plurals_are_those_people_write(label: str, many: str) -> None:
    assert plural(label) == many


def test_counts_are_words_up_to_twenty_as_in_the_answers_of_sqa3d() -> None:
    assert [count_word(n) for n in (0, 1, 13, 20, 21)] == ["zero", "one", "thirteen", "twenty", "21"]
    assert counted(3, "chair", adjective="brown") == "three brown chairs"
    assert counted(1, "chair") == "one chair"


def test_lists_lengths_and_sentences() -> None:
    assert [listed(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert (metres(1.25), metres(0.04), capital("tV is")) == ("1.2 m", "0.0 m", "TV is")


@pytest.mark.parametrize("n_items", range(1, 12))
@pytest.mark.parametrize("n_kept", range(1, 6))
def test_spread_keeps_the_last_and_no_position_twice(n_items: int, n_kept: int) -> None:
    kept = spread(n_items, n_kept)
    assert len(kept) == len(set(kept)) == min(n_items, n_kept)
    assert kept == sorted(kept) and kept[-1] == n_items - 1
    assert n_kept == 1 or kept[0] == 0


def test_runs_join_equal_neighbours_only() -> None:
    assert runs(["a", "a", "b", "a"]) == [(0, 1), (2, 2), (3, 3)]
    assert runs([]) == []


@pytest.mark.parametrize("size", range(1, 12))
def test_thirds_are_symmetric_and_never_empty(size: int) -> None:
    parts = [list(range(size))[part] for part in thirds(size)]
    assert len(parts[0]) == len(parts[2]) >= 1
    assert len(parts[1]) >= 1


def test_moments_are_seconds_where_a_rate_is_known_and_frame_numbers_elsewhere() -> None:
    array = np.zeros((2, 1, 1), dtype=np.float32)
    timed = Clip("m", "depth", array, "t h w", "m", Path("d"), (3, 9), (0.3, 0.9), 10.0)
    untimed = Clip("m", "depth", array, "t h w", "m", Path("d"), (3, 9))
    assert (at_moment(timed, 1), between_moments(timed, 0, 1)) == ("at 0.9 s", "from 0.3 s to 0.9 s")
    assert (at_moment(untimed, 1), between_moments(untimed, 0, 1)) == ("in frame 9", "from frame 3 to frame 9")
