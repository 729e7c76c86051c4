"""The tagger on real photographs whose content is known; skipped where files or the package are absent."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from photos import clip_of, fetched, photo

from lavis.common.errors import ConfigError, ModalityError
from lavis.experts import detector, tagger
from lavis.experts.tagger import Tag, shared_tagger
from lavis.experts.tags import TagsExpert, tag_words


@pytest.fixture(scope="module", autouse=True)
def models() -> None:
    pytest.importorskip("ai_edge_litert")
    fetched(tagger.WEIGHTS, tagger.LABELS, detector.WEIGHTS, detector.GRAPH)


@pytest.mark.parametrize(("name", "tag"), [("photo_coffee", "espresso"), ("photo_chelsea", "Egyptian cat")])
def test_what_fills_a_photograph_is_its_first_tag(name: str, tag: str) -> None:
    first = shared_tagger().tag(photo(name), min_confidence=0.2, max_tags=3)[0]
    assert first.name == tag
    assert 0.5 <= first.confidence <= 1.0


def test_a_view_is_one_line_with_tag_and_objects_and_equal_neighbours_are_told_once() -> None:
    coffee, cat = photo("photo_coffee", (600, 400)), photo("photo_chelsea", (600, 400))
    lines = TagsExpert().write(clip_of("frame", coffee, coffee, cat)).splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("From 0.0 s to 0.5 s: looks like espresso (0.")
    assert "cup (" in lines[0]
    assert lines[1].startswith("At 1.0 s: looks like Egyptian cat (0.") and " cat (" in lines[1]


def test_many_distinct_views_are_thinned() -> None:
    views = [np.full((60, 80, 3), color, np.uint8) for color in ((250, 0, 0), (0, 0, 250), (0, 0, 0), (0, 250, 0))] * 3
    assert len(TagsExpert(max_views=4).write(clip_of("frame", *views)).splitlines()) == 4


def test_black_frames_and_a_single_small_one_are_described_without_invention() -> None:
    text = TagsExpert(min_tag=0.9).write(clip_of("frame", np.zeros((8, 8, 3), np.uint8)))
    assert text == "At 0.0 s: nothing recognised, mainly black."


def test_doubt_is_said() -> None:
    assert tag_words(()) == ""
    assert (
        tag_words((Tag("moped", 0.33), Tag("motor scooter", 0.21))) == "may show moped (0.33) or motor scooter (0.21)"
    )
    assert tag_words((Tag("moped", 0.54), Tag("motor scooter", 0.21))) == "looks like moped (0.54)"


def test_threads_share_the_interpreter_and_find_the_same() -> None:
    pictures = [photo("photo_coffee"), photo("photo_chelsea"), photo("photo_rocket")] * 2
    expected = [shared_tagger().tag(one, min_confidence=0.01, max_tags=5) for one in pictures]
    found: dict[int, tuple[Tag, ...]] = {}

    def look(number: int) -> None:
        found[number] = shared_tagger().tag(pictures[number], min_confidence=0.01, max_tags=5)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(len(pictures))] == expected


def test_no_frame_is_an_error_and_options_are_checked() -> None:
    nothing = clip_of("frame", np.zeros((4, 4, 3), np.uint8))
    object.__setattr__(nothing, "array", nothing.array[:0])
    with pytest.raises(ModalityError, match=r"room1: there is no frame to look at \(data/frame/room1\)"):
        TagsExpert().write(nothing)
    for options in ({"min_tag": 0.0}, {"min_confidence": 1.0}, {"max_tags": 0}, {"max_views": 0}):
        with pytest.raises(ConfigError, match=next(iter(options))):
            TagsExpert(**options)  # type: ignore[arg-type]
