"""The sample's questions in SQA3D's official two-file form, in ScanQA form, and with the truth about themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lavis.datasets.pose import quaternion_from_forward
from lavis.datasets.sample.candidates import NUMBER_WORDS, YES_NO
from lavis.datasets.sample.choose import Asked
from lavis.datasets.sample.furniture import FURNITURE
from lavis.datasets.sample.plan import COLORS, Stand
from lavis.datasets.sample.record import write_json
from lavis.datasets.sample.rooms import PHOTO_SHOWS

QUESTIONS = "v1_balanced_questions_test_scannetv2.json"
ANNOTATIONS = "v1_balanced_sqa_annotations_test_scannetv2.json"
SCANQA = "SQA_test.json"
VOCABULARY = "answer_vocabulary.json"
FIRST_ID = 900100000001
DECIMALS = 12
DIRECTIONS = ("left", "right", "front", "behind", "forward", "backward", "more", "less", "even", "odd", "wall", "floor")


def write_annotations(root: Path, asked: Sequence[Asked]) -> None:
    """Write ``annotations/`` and ``truth/questions.json`` for questions in their order."""
    numbered = list(enumerate(asked, start=FIRST_ID))
    folder = root / "annotations"
    folder.mkdir(parents=True, exist_ok=True)
    head = {
        "info": {"description": "Rendered rooms with questions in the formats of SQA3D v1.0", "version": "1.0"},
        "license": {"name": "BSD-3-Clause"},
        "data_type": "rendered",
        "data_subtype": "sample",
    }
    questions = [_question(number, one) for number, one in numbered]
    annotations = [_annotation(number, one) for number, one in numbered]
    write_json(folder / QUESTIONS, {**head, "task_type": "Situated question answering", "questions": questions})
    write_json(folder / ANNOTATIONS, {**head, "annotations": annotations})
    write_json(folder / SCANQA, [_scanqa(number, one) for number, one in numbered])
    write_json(folder / VOCABULARY, vocabulary(asked))
    write_json(root / "truth" / "questions.json", {str(number): _truth(one) for number, one in numbered})


def vocabulary(asked: Sequence[Asked]) -> list[str]:
    """Return every answer that is used, and many that are not, sorted."""
    labels = (*FURNITURE, "door", "window", "picture", "TV", "whiteboard", "blackboard", "mirror", "towel", "clock")
    distractors = (*labels, *COLORS, *NUMBER_WORDS[:11], *DIRECTIONS, *YES_NO, *PHOTO_SHOWS.values(), "turn", "walk")
    return sorted({*distractors, *(one.candidate.answer for one in asked)})


def _question(number: int, one: Asked) -> dict[str, Any]:
    return {
        "scene_id": one.room.scene_id,
        "situation": one.situation.text,
        "alternative_situation": list(one.situation.alternatives),
        "question": one.candidate.text,
        "question_id": number,
    }


def _annotation(number: int, one: Asked) -> dict[str, Any]:
    x, y, z, w = rotation(one.stand)
    return {
        "scene_id": one.room.scene_id,
        "question_type": "N/A",
        "answer_type": "other",
        "question_id": number,
        "answers": [{"answer": one.candidate.answer, "answer_confidence": "yes", "answer_id": 1}],
        "rotation": {"_x": x, "_y": y, "_z": z, "_w": w},
        "position": {"x": one.stand.x_m, "y": one.stand.y_m, "z": 0},
    }


def _scanqa(number: int, one: Asked) -> dict[str, Any]:
    return {
        "answers": [one.candidate.answer],
        "object_ids": [],
        "object_names": [],
        "question": one.candidate.text,
        "situation": one.situation.text,
        "question_id": number,
        "scene_id": one.room.scene_id,
        "position": [one.stand.x_m, one.stand.y_m, 0, *rotation(one.stand)],
    }


def rotation(stand: Stand) -> tuple[float, float, float, float]:
    """Return a stand's quaternion (x, y, z, w) as SQA3D annotates it, rounded so that it is the same everywhere."""
    x, y, z, w = (round(value, DECIMALS) for value in quaternion_from_forward(stand.forward))
    return x, y, z, w


def _truth(one: Asked) -> dict[str, Any]:
    return {
        "scene_id": one.room.scene_id,
        "expert": one.candidate.expert,
        "type": one.candidate.type,
        "about": one.candidate.about,
        "among": list(one.candidate.among),
        "answer": one.candidate.answer,
        "stand": {"x_m": one.stand.x_m, "y_m": one.stand.y_m, "yaw_deg": one.stand.yaw_deg},
    }
