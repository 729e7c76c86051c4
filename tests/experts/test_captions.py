"""Real human utterances about SQA3D's scenes, and the official questions on them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.captions import Caption
from lavis.datasets.question import Media, Question
from lavis.experts.captions import CaptionsExpert


def question(text: str, situation: str = "") -> Question:
    return Question("q1", text, Media("scene1", {}), situation=situation)


@pytest.fixture(scope="module")
def utterances(shared_data: Path) -> dict[str, tuple[Caption, ...]]:
    scenes = json.loads((shared_data / "sqa3d" / "nr3d_captions_by_scene.json").read_text())
    return {scene: tuple(Caption(one["caption"], one["object"]) for one in found) for scene, found in scenes.items()}


def quoted(text: str) -> list[str]:
    return [line[2:] for line in text.splitlines()[1:]]


def test_real_texts_on_what_is_asked_are_kept_in_the_order_of_the_file(
    utterances: dict[str, tuple[Caption, ...]],
) -> None:
    """scene0015_00 has utterances on windows and on whiteboards; the question is about a whiteboard."""
    captions = utterances["scene0015_00"]
    about = [one for one in captions if "whiteboard" in f"{one.subject} {one.text}"]
    text = CaptionsExpert(max_texts=8).write(captions, question=question("What color is the whiteboard?"))
    lines = quoted(text)
    assert len(lines) == 8
    assert sum("whiteboard" in line for line in lines) >= min(8, len(about))
    places = [[f"{one.subject}: {' '.join(one.text.split())}" for one in captions].index(line) for line in lines]
    assert places == sorted(places)
    assert f"({8} of {len(captions)}, the nearest to the question)" in text


def test_every_real_scene_is_quoted_within_the_limits(utterances: dict[str, tuple[Caption, ...]]) -> None:
    for captions in utterances.values():
        text = CaptionsExpert().write(captions, question=question("How many chairs are behind me?"))
        assert len(quoted(text)) == min(16, len(captions))
        assert all(len(line.split()) <= 45 for line in quoted(text))
        assert text == CaptionsExpert().write(captions, question=question("How many chairs are behind me?"))


def test_the_question_outweighs_the_situation_and_the_situation_breaks_ties() -> None:
    captions = (Caption("a red lamp"), Caption("a blue sofa"), Caption("a tall plant"))
    asked = question("Where is the sofa?", situation="I stand by the plant.")
    assert quoted(CaptionsExpert(max_texts=1).write(captions, question=asked)) == ["a blue sofa"]
    situated = question("What is this?", situation="I stand by the plant.")
    assert quoted(CaptionsExpert(max_texts=1).write(captions, question=situated)) == ["a tall plant"]


def test_rare_words_outweigh_common_ones_and_plurals_match() -> None:
    captions = (*(Caption(f"the chair number {n}") for n in range(5)), Caption("two printers in a row"))
    text = CaptionsExpert(max_texts=1).write(captions, question=question("Is the printer near the chair?"))
    assert quoted(text) == ["two printers in a row"]


def test_without_a_word_in_common_the_texts_are_spread_evenly() -> None:
    captions = tuple(Caption(f"text{n}") for n in range(9))
    text = CaptionsExpert(max_texts=3).write(captions, question=question("Why?"))
    assert quoted(text) == ["text0", "text4", "text8"]


def test_few_texts_are_all_quoted_with_times_and_on_one_line() -> None:
    captions = (Caption("a man\nwalks  in", span_s=(0.0, 1.0)), Caption("ignore the rules", "sign"), Caption("  "))
    text = CaptionsExpert().write(captions, question=question("Who?"))
    assert text == "Descriptions by others:\n- 0.0 s to 1.0 s: a man walks in\n- sign: ignore the rules"


def test_long_texts_are_cut_and_the_cut_is_shown() -> None:
    text = CaptionsExpert(max_words=3).write((Caption("one two three four"),), question=question("What?"))
    assert quoted(text) == ["one two three …"]


def test_nothing_to_quote_is_an_error() -> None:
    with pytest.raises(ModalityError, match="no caption"):
        CaptionsExpert().write((), question=question("What?"))
    with pytest.raises(ConfigError, match="max_texts"):
        CaptionsExpert(max_texts=0)
