"""SQA3D's annotation files, in both forms, as records."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lavis.common.errors import AnnotationError
from lavis.datasets.datasets.annotation_rows import Row, read_json
from lavis.datasets.datasets.question_record import QuestionRecord
from lavis.datasets.datasets.record_ids import refuse_duplicates
from lavis.datasets.datasets.sqa3d_types import crema_type, leo_type
from lavis.datasets.pose import forward_from_quaternion
from lavis.datasets.question import Pose


def read_records(paths: Sequence[Path]) -> list[QuestionRecord]:
    """Read annotation files, one after another.

    Each is a questions file of the official pair (its annotations file is found beside it, or named
    next in the list) or a list in ScanQA form, told apart by their content. A record's medium is its
    scene, with the agent's ``pose`` beside it.

    Raises:
        AnnotationError: a file is missing or not JSON, a record lacks what it needs, an answer has
            no question, or two records share an id; names the file and the record.
    """
    records: list[QuestionRecord] = []
    documents = {path: read_json(path) for path in paths}
    for path, document in documents.items():
        if isinstance(document, list):
            records.extend(_from_scanqa(Row(item, path, number), number) for number, item in enumerate(document))
        elif isinstance(document, dict) and "questions" in document:
            records.extend(_from_pair(path, document, documents))
        elif not (isinstance(document, dict) and "annotations" in document):
            raise AnnotationError(
                f"{path}: neither a list (ScanQA form) nor an object with 'questions' or 'annotations' (official form)."
            )
    if not records:
        raise AnnotationError(f"No question in {', '.join(map(str, paths))}.")
    refuse_duplicates(records, paths)
    return records


def _from_pair(path: Path, document: Mapping[str, Any], documents: Mapping[Path, Any]) -> list[QuestionRecord]:
    beside = path.with_name(path.name.replace("_questions_", "_sqa_annotations_"))
    named = next((other for other, doc in documents.items() if isinstance(doc, dict) and "annotations" in doc), None)
    if named is None and beside == path:
        raise AnnotationError(f"{path}: name its annotations file after it in build_info.annotations.<split>.storage.")
    answers_path = named or beside
    answers_document = documents.get(answers_path) or read_json(answers_path)
    if not isinstance(answers_document, dict):
        raise AnnotationError(f"{answers_path}: is no object with 'annotations'.")
    golds = {row.name: row for row in _rows(answers_document, "annotations", answers_path)}
    records = []
    for row in _rows(document, "questions", path):
        gold = golds.get(row.name)
        if gold is None:
            raise AnnotationError(f"{answers_path}: question {row.name} of {path.name} has no annotation.")
        given = gold.data.get("answers") or []
        if not isinstance(given, list):
            raise gold.error(f"has 'answers' {given!r}, not a list.")
        answers = tuple(Row(item, answers_path, row.name).text("answer") for item in given)
        pose = _pose(gold, _axes(gold, "position", "xyz"), _axes(gold, "rotation", ("_x", "_y", "_z", "_w")))
        records.append(_record(row, row.name, answers, pose))
    return records


def _rows(document: Mapping[str, Any], key: str, path: Path) -> list[Row]:
    """Return the records under a key, named by their question ids."""
    held = document.get(key)
    if not isinstance(held, list):
        raise AnnotationError(f"{path}: {key!r} is no list of records.")
    rows = [Row(item, path, number) for number, item in enumerate(held)]
    return [Row(row.data, path, row.identifier("question_id")) for row in rows]


def _from_scanqa(row: Row, number: int) -> QuestionRecord:
    # Records of 3D-LLM's pre-training carry no id of their own.
    question_id = row.identifier("question_id") if "question_id" in row else f"{row.file_name('scene_id')}_{number}"
    named = Row(row.data, row.path, question_id)
    numbers = row.data.get("position") or []
    if not isinstance(numbers, list):
        raise named.error(f"has 'position' {numbers!r}, not a list of seven numbers.")
    pose = _pose(named, numbers[:3], numbers[3:7]) if len(numbers) == 7 else None
    return _record(named, question_id, named.texts("answers"), pose)


def _record(row: Row, question_id: str, answers: tuple[str, ...], pose: Pose | None) -> QuestionRecord:
    if not answers:
        raise row.error("has no answer.")
    scene, text = row.file_name("scene_id"), row.text("question")
    situation = row.text("situation", empty=True) if "situation" in row else ""
    content = repr((scene, pose, situation, text))
    return QuestionRecord(
        question_id=question_id,
        media_id=scene,
        text=text,
        answers=answers,
        situation=situation,
        category=leo_type(text),
        tags={
            "crema_type": crema_type(text),
            # what the official evaluator tells questions apart by
            "content": hashlib.blake2b(content.encode(), digest_size=8).hexdigest(),
        },
        side={} if pose is None else {"pose": pose},
    )


def _axes(row: Row, key: str, axes: Sequence[str]) -> list[Any]:
    held = row.data.get(key) or {}
    if not isinstance(held, dict):
        raise row.error(f"has {key!r} {held!r}, not an object of axes.")
    return [held.get(axis) for axis in axes]


def _pose(row: Row, position: Sequence[Any], rotation: Sequence[Any]) -> Pose | None:
    """Build the pose from x, y, z (m) and a quaternion x, y, z, w; None where a number is absent."""
    if any(number is None for number in (*position, *rotation)):
        return None
    numbers = dict(zip("xyzijkw", (*position, *rotation), strict=True))
    x_m, y_m, z_m, x, y, z, w = (Row(numbers, row.path, row.name).number(axis) for axis in "xyzijkw")
    return Pose(position_m=(x_m, y_m, z_m), forward=forward_from_quaternion(x, y, z, w))
