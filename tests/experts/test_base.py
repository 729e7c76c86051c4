"""What every expert has from its base: needs, blind questions, errors that name medium and path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lavis.common.errors import ModalityError
from lavis.common.registry import registry
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.question import Media, Pose, Question
from lavis.experts import Expert, ExpertCard
from lavis.experts.scene3d import Scene3DExpert

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
