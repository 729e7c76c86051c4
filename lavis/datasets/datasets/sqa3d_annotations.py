"""SQA3D's annotation files, in both forms, as records."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lavis.common.errors import AnnotationError
from lavis.datasets.pose import forward_from_quaternion
from lavis.datasets.question import Pose


@dataclasses.dataclass(frozen=True)
class SQA3DRecord:
    """One SQA3D question as annotated."""

    question_id: str
    scene_id: str
    situation: str
    question: str
    answers: tuple[str, ...]
    pose: Pose | None


def read_records(paths: Sequence[Path]) -> list[SQA3DRecord]:
    """Read annotation files, one after another.

    Each is a questions file of the official pair (its annotations file is found beside it, or named
    next in the list) or a list in ScanQA form, told apart by their content.

    Raises:
        AnnotationError: a file is missing or not JSON, a record lacks what it needs, an answer has
            no question, or two records share an id; names the file and the record.
    """
    records: list[SQA3DRecord] = []
    documents = {path: _read_json(path) for path in paths}
    for path, document in documents.items():
        if isinstance(document, list):
            records.extend(_from_scanqa(row, index, path) for index, row in enumerate(document))
        elif isinstance(document, dict) and "questions" in document:
            records.extend(_from_pair(path, document, documents))
        elif not (isinstance(document, dict) and "annotations" in document):
            raise AnnotationError(
                f"{path}: neither a list (ScanQA form) nor an object with 'questions' or 'annotations' (official form)."
            )
    if not records:
        raise AnnotationError(f"No question in {', '.join(map(str, paths))}.")
    _refuse_duplicates(records, paths)
    return records


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AnnotationError(
            f"No annotation file {path}; set SQA3D_ROOT (datasets.sqa3d.build_info.root) to the folder that holds it."
        ) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{path} is not JSON: {error}. Download it again.") from error


def _from_pair(path: Path, document: Mapping[str, Any], documents: Mapping[Path, Any]) -> list[SQA3DRecord]:
    beside = path.with_name(path.name.replace("_questions_", "_sqa_annotations_"))
    named = next((other for other, doc in documents.items() if isinstance(doc, dict) and "annotations" in doc), None)
    if named is None and beside == path:
        raise AnnotationError(f"{path}: name its annotations file after it in build_info.annotations.<split>.storage.")
    answers_path = named or beside
    rows = (documents.get(answers_path) or _read_json(answers_path)).get("annotations", [])
    golds = {str(_need(row, "question_id", answers_path, index)): row for index, row in enumerate(rows)}
    records = []
    for index, row in enumerate(document["questions"]):
        question_id = str(_need(row, "question_id", path, index))
        gold = golds.get(question_id)
        if gold is None:
            raise AnnotationError(f"{answers_path}: question {question_id} of {path.name} has no annotation.")
        answers = tuple(str(_need(item, "answer", answers_path, question_id)) for item in gold.get("answers", ()))
        pose = _pose(
            [gold.get("position", {}).get(axis) for axis in "xyz"],
            [gold.get("rotation", {}).get(axis) for axis in ("_x", "_y", "_z", "_w")],
        )
        records.append(_record(row, question_id, answers, pose, path))
    return records


def _from_scanqa(row: Any, index: int, path: Path) -> SQA3DRecord:
    if not isinstance(row, dict):
        raise AnnotationError(f"{path}: record {index} is not an object.")
    # Records of 3D-LLM's pre-training carry no id of their own.
    question_id = str(row["question_id"]) if "question_id" in row else f"{_need(row, 'scene_id', path, index)}_{index}"
    numbers = list(row.get("position") or ())
    pose = _pose(numbers[:3], numbers[3:7]) if len(numbers) == 7 else None
    answers = tuple(map(str, _need(row, "answers", path, question_id)))
    return _record(row, question_id, answers, pose, path)


def _record(
    row: Mapping[str, Any], question_id: str, answers: tuple[str, ...], pose: Pose | None, path: Path
) -> SQA3DRecord:
    if not answers:
        raise AnnotationError(f"{path}: question {question_id} has no answer.")
    return SQA3DRecord(
        question_id=question_id,
        scene_id=str(_need(row, "scene_id", path, question_id)),
        situation=str(row.get("situation", "")),
        question=str(_need(row, "question", path, question_id)),
        answers=answers,
        pose=pose,
    )


def _pose(position: Sequence[Any], rotation: Sequence[Any]) -> Pose | None:
    """Build the pose from x, y, z (m) and a quaternion x, y, z, w; None where a number is absent."""
    if any(number is None for number in (*position, *rotation)):
        return None
    x_m, y_m, z_m = map(float, position)
    x, y, z, w = map(float, rotation)
    return Pose(position_m=(x_m, y_m, z_m), forward=forward_from_quaternion(x, y, z, w))


def _need(row: Mapping[str, Any], key: str, path: Path, record: object) -> Any:
    if not isinstance(row, dict) or row.get(key) is None:
        raise AnnotationError(
            f"{path}: record {record} has no {key!r}; correct the annotation or leave the record out."
        )
    return row[key]


def _refuse_duplicates(records: Sequence[SQA3DRecord], paths: Sequence[Path]) -> None:
    seen: set[str] = set()
    for record in records:
        if record.question_id in seen:
            raise AnnotationError(f"{', '.join(map(str, paths))}: question id {record.question_id} occurs twice.")
        seen.add(record.question_id)
