"""What every expert has from its base: needs, blind questions, errors that name medium and path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lavis.common.errors import ModalityError
from lavis.common.registry import registry
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.question import Media, Pose, Question
from lavis.experts import Expert, ExpertCard
from lavis.experts.base import shortened
from lavis.experts.scene3d import Scene3DExpert
from lavis.experts.skills import SKILLS

LIVE = ("frames", "depth", "flow", "normals", "scene3d", "captions")


def ask(path: Path, modality: str, **side: Any) -> Question:
    return Question("q7", "What is left?", Media("room1", {modality: path}, side), answers=("a secret",))


@pytest.mark.parametrize("name", LIVE)
def test_every_live_expert_is_registered_under_the_name_of_its_card(name: str) -> None:
    expert = registry.require("expert", name)
    assert expert.card.name == name
    assert expert.card.modality in registry.list_names("loader")
    assert isinstance(expert(), Expert)


def test_a_question_aware_expert_never_sees_the_gold(tmp_path: Path) -> None:
    seen: list[Question] = []

    class Listener(Expert):
        card = ExpertCard("listener", "captions", "A3", "hears the question", "1", question_aware=True)

        def write(self, captions: Any, *, question: Question) -> str:
            seen.append(question)
            return "heard"

    path = tmp_path / "captions.json"
    path.write_text('{"room1": ["a chair"]}')
    asked = ask(path, "captions")
    assert Listener().look(asked, MediaReader(asked.media)).text == "heard"
    assert seen[0].text == "What is left?" and seen[0].answers == ()


def test_an_error_of_an_expert_names_question_medium_and_path(tmp_path: Path) -> None:
    path = tmp_path / "room1.json"
    path.write_text('[{"instance_id": 1, "label": "wall", "center_m": [0, 2, 1], "size_m": [4, 0.1, 2]}]')
    asked = ask(path, "instances", pose=Pose((0.0, 0.0, 0.0), (0.0, 1.0)))
    with pytest.raises(ModalityError) as caught:
        Scene3DExpert().look(asked, MediaReader(asked.media))
    assert all(word in str(caught.value) for word in ("q7", "room1", str(path), "no object"))


def test_side_data_that_is_missing_is_named(tmp_path: Path) -> None:
    asked = ask(tmp_path / "room1.json", "instances")
    with pytest.raises(ModalityError, match="has no pose, which expert 'scene3d' needs"):
        Scene3DExpert().look(asked, MediaReader(asked.media))


def captions_of(tmp_path: Path, **texts: list[str]) -> Path:
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(texts or {"room1": ["a chair"]}))
    return path


class CompanionExpert(Expert):
    card = ExpertCard("companion", "captions", "A3", "s", "1", companions=("instances",))

    def write(self, captions: Any, *, instances: Any) -> str:
        return f"{len(captions)} texts, {'no instances' if instances is None else f'{len(instances)} instances'}"


def test_a_companion_comes_where_the_medium_has_it_and_is_none_where_not(tmp_path: Path) -> None:
    """Three media: without the source, with a source whose file is not there, with the file."""
    captions, boxes = captions_of(tmp_path), tmp_path / "room1.json"
    said = []
    for sources in ({}, {"instances": boxes}, {"instances": boxes}):
        asked = Question("q", "What?", Media("room1", {"captions": captions, **sources}))
        said.append(CompanionExpert().look(asked, MediaReader(asked.media)).text)
        if len(said) == 2:
            boxes.write_text('[{"instance_id": 1, "label": "wall", "center_m": [0, 2, 1], "size_m": [4, 0.1, 2]}]')
    assert said == ["1 texts, no instances", "1 texts, no instances", "1 texts, 1 instances"]
    assert CompanionExpert().look(asked, MediaReader(asked.media)).text == "1 texts, 1 instances"


def test_a_companion_that_is_there_and_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    captions, boxes = captions_of(tmp_path), tmp_path / "room1.json"
    boxes.write_text("[")
    asked = Question("q", "What?", Media("room1", {"captions": captions, "instances": boxes}))
    with pytest.raises(ModalityError, match=r"room1\.json"):
        CompanionExpert().look(asked, MediaReader(asked.media))


def test_an_expert_whose_package_is_absent_says_how_to_install_it() -> None:
    class NeedsMuch(Expert):
        card = ExpertCard("needs_much", "captions", "A3", "s", "1")
        packages = ("json", "a_package_nobody_has")

        def write(self, captions: Any) -> str:
            return ""

    assert NeedsMuch.lacks({}) == ("pip install a_package_nobody_has",)


def write(self: Expert, loaded: Any) -> str:
    return "said"


def test_two_experts_cannot_carry_one_name() -> None:
    with pytest.raises(TypeError, match=r"name 'frames', which lavis\.experts\.frames:FramesExpert carries"):
        type("Imitation", (Expert,), {"card": ExpertCard("frames", "frame", "A1", "s", "1"), "write": write})
    first = {"card": ExpertCard("claimed", "frame", "A1", "s", "1"), "write": write}
    type("First", (Expert,), dict(first))
    type("First", (Expert,), dict(first))  # the same again, as a notebook's cell would
    with pytest.raises(TypeError, match=r"'claimed', which .*First carries"):
        type("Second", (Expert,), dict(first))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"skill": "A4"}, r"skill 'A4'\. Did you mean 'A\d'\? MEXA's ids: A1, .*omni"),
        ({"skill": "H1"}, "skill 'H1'"),
        ({"summary": ""}, "has no summary"),
        ({"cue": "("}, "no regular expression"),
        ({"cost": "free"}, "say cheap, local, served"),
        ({"companions": ("frame",)}, "its own companion"),
        ({"max_chars": 0}, "max_chars 0"),
    ],
)
def test_a_card_that_is_wrong_fails_when_the_class_is_defined(changes: dict[str, Any], told: str) -> None:
    right = {"name": "wrong", "modality": "frame", "skill": "A1", "summary": "s", "version": "1"}
    with pytest.raises(TypeError, match=told):
        ExpertCard(**{**right, **changes})


def test_the_eighteen_skills_of_mexa_are_known() -> None:
    assert len(SKILLS) == 18
    assert [name for name in SKILLS if name != "omni"] == sorted(name for name in SKILLS if name != "omni")


@pytest.mark.parametrize("length", [1, 10, 60, 99, 100])
def test_a_text_is_cut_at_a_word_and_never_longer_than_allowed(length: int) -> None:
    text = "word " * 19 + "words"
    cut = shortened(text, length)
    assert len(cut) <= length
    if length < 34:  # too short for words about it
        assert text.startswith(cut)
    else:
        assert cut == text if length >= len(text) else cut.endswith("word [cut: 100 characters in all]")
