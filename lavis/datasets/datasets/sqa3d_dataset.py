"""SQA3D: situated questions in scanned rooms, as questions for MEXA and as CREMA's samples."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from lavis.common.errors import AnnotationError, ModalityError
from lavis.common.registry import registry
from lavis.datasets.datasets.base_dataset import BaseDataset
from lavis.datasets.datasets.crema_samples import SAMPLE_FORMS, SampleForm
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.datasets.datasets.sqa3d_annotations import SQA3DRecord, read_records
from lavis.datasets.datasets.sqa3d_types import crema_type, leo_type
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.question import Media, Question

# Appended to a sample's question for models that are tuned on an instruction; the wording is this project's.
INSTRUCTION = "Answer with a single word or a short phrase."


class SQA3DDataset(BaseDataset, QuestionDataset):
    """One split of SQA3D.

    ``question(i)`` is what MEXA asks. ``self[i]`` is CREMA's sample dict: ``qa_input``, ``qa_output``,
    ``scene_id`` (running number), ``question_id`` (``<type>_<id>``) and the tensors of its modalities.

    Args:
        ann_paths: annotation files in either form, see :func:`read_records`.
        modalities: loader names (CREMA's ``data_type``), in order.
        text_processor: applied to situation and question of a sample.
        answer_vocabulary: a JSON list of answers, or SQA3D's ``answer_dict.json``; None for any phrase.
        answer_examples: made-up questions with answers in SQA3D's form, ``{question: …, answer: …}``.
        instruction: what a sample's ``qa_input`` ends with.
        loader_options: options per loader by modality name.
        n_frames: frames per clip of a sample.
        parts: ``<modality>_root`` and ``<modality>_processor`` for every modality.
    """

    metrics = ("exact_match", "em_refined", "mexa_em", "mexa_refined", "official_llm", "crema_substring")

    def __init__(
        self,
        *,
        ann_paths: Sequence[str],
        modalities: Sequence[str],
        text_processor: Callable[[str], str] | None = None,
        answer_vocabulary: str | None = None,
        answer_examples: Sequence[Mapping[str, str]] = (),
        instruction: str = INSTRUCTION,
        loader_options: Mapping[str, dict[str, Any]] | None = None,
        n_frames: int = 4,
        **parts: Any,
    ) -> None:
        paths = [Path(path) for path in ann_paths]
        self.records = read_records(paths)
        super().__init__(text_processor=text_processor, ann_paths=[])
        self.annotation = [{"instance_id": str(index)} for index in range(len(self.records))]
        self.annotation_name = ", ".join(path.name for path in paths)
        self.modalities = tuple(modalities)
        self.instruction = instruction
        self.n_frames = n_frames
        self.loader_options = dict(loader_options or {})
        self.roots = {name: Path(parts[f"{name}_root"]) for name in self.modalities}
        self.processors = {name: parts.get(f"{name}_processor") for name in self.modalities}
        self.answer_vocabulary = read_vocabulary(Path(answer_vocabulary)) if answer_vocabulary else ()
        self.answer_examples = tuple((example["question"], example["answer"]) for example in answer_examples)
        self._sources: dict[str, dict[str, Path]] = {}

    # -- as questions ----------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.records)

    def question_id(self, index: int) -> str:
        """Return the question's id."""
        return self.records[index].question_id

    def media_id(self, index: int) -> str:
        """Return the scene."""
        return self.records[index].scene_id

    def question(self, index: int) -> Question:
        """Return a record as a question: its medium is the scene, with the agent's pose beside it.

        Raises:
            AnnotationError: the scene id leaves its root.
        """
        record = self.records[index]
        question = Question(
            question_id=record.question_id,
            text=record.question,
            media=Media(
                media_id=record.scene_id,
                sources=self._scene_sources(record),
                side={} if record.pose is None else {"pose": record.pose},
            ),
            situation=record.situation,
            answers=record.answers,
        )
        return dataclasses.replace(question, category=leo_type(question))

    def _scene_sources(self, record: SQA3DRecord) -> dict[str, Path]:
        sources = self._sources.get(record.scene_id)
        if sources is None:
            named = f"{self.annotation_name}, question {record.question_id}"
            sources = {
                name: registry.require("loader", name).locate(root, record.scene_id, annotation=named)
                for name, root in self.roots.items()
            }
            self._sources[record.scene_id] = sources
        return sources

    # -- as CREMA's samples ----------------------------------------------------------------------

    @cached_property
    def _scene_numbers(self) -> dict[str, int]:
        return {scene: number for number, scene in enumerate(dict.fromkeys(r.scene_id for r in self.records))}

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return CREMA's sample dict.

        Raises:
            ModalityError: a modality cannot be read; names question, medium and path.
        """
        record, question = self.records[index], self.question(index)
        text = f"{self._process(record.situation)}. Question: {self._process(record.question)} {self.instruction}"
        sample: dict[str, Any] = {
            "qa_input": text,
            "qa_output": record.answers[0],
            "scene_id": self._scene_numbers[record.scene_id],
            "question_id": f"{crema_type(question)}_{record.question_id}",
            "instance_id": str(index),
        }
        forms: dict[str, SampleForm] = {name: SAMPLE_FORMS[name] for name in self.modalities if name in SAMPLE_FORMS}
        options = {name: {**form.loader_options, **self.loader_options.get(name, {})} for name, form in forms.items()}
        reader = MediaReader(question.media, n_frames=self.n_frames, modalities=options)
        for name, form in forms.items():
            try:
                sample.update(form.tensors(reader.load(name), self.processors[name]))
            except ModalityError as error:
                raise ModalityError(f"Question {record.question_id}: {error}") from error
        return sample

    def _process(self, text: str) -> str:
        return self.text_processor(text) if self.text_processor is not None else text


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """Read the answers that may be given: a JSON list, or SQA3D's ``[answer → class, class → answer]``.

    Raises:
        AnnotationError: missing, not JSON, or of neither shape.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise AnnotationError(f"Answer vocabulary {path} cannot be read: {error}.") from error
    if isinstance(document, list) and len(document) == 2 and isinstance(document[0], dict):
        document = list(document[0])
    if not (isinstance(document, list) and all(isinstance(answer, str) and answer for answer in document)):
        raise AnnotationError(f"Answer vocabulary {path} is neither a list of texts nor SQA3D's answer_dict.json.")
    return tuple(dict.fromkeys(document))
