"""What every benchmark's dataset has in common: annotated records as questions, and as CREMA's samples."""

from __future__ import annotations

import inspect
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lavis.common.bounded_cache import BoundedCache
from lavis.common.errors import AnnotationError, ConfigError, ModalityError, nearest
from lavis.common.registry import registry
from lavis.datasets.datasets.annotation_rows import read_json
from lavis.datasets.datasets.base_dataset import BaseDataset
from lavis.datasets.datasets.crema_samples import SAMPLE_FORMS, SampleForm
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.datasets.datasets.question_record import QuestionRecord
from lavis.datasets.loaders.base import Sampling
from lavis.datasets.loaders.clip_cache import ClipCache
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.loaders.shards import ShardPath, ShardSet, is_sharded
from lavis.datasets.question import Media, Question

# Appended to a sample's question for models that are tuned on an instruction; the wording is this project's.
INSTRUCTION = "Answer with a single word or a short phrase."
# Media whose sampled frames are remembered by number.
REMEMBERED_MEDIA = 1024


class BenchmarkDataset(BaseDataset, QuestionDataset):
    """One split of a benchmark.

    ``question(i)`` is what MEXA asks. ``self[i]`` is CREMA's sample dict: ``qa_input``, ``qa_output``,
    ``question_id``, ``situation`` (as it stands in ``qa_input``; "" for none), ``media_key`` (equal where the same
    frames of the same files were read) and the tensors of its modalities. A subclass sets ``metrics`` and
    ``annotations``; it may replace :meth:`sample_texts`.

    Args:
        ann_paths: annotation files.
        modalities: loader names (CREMA's ``data_type``), in order.
        text_processor: applied to the texts of a sample.
        answer_vocabulary: the answers, a JSON list of them, or SQA3D's ``answer_dict.json``; None for any phrase.
        answer_examples: made-up questions with answers in the benchmark's form, ``{question: …, answer: …}``.
        annotation_options: further arguments of :meth:`read_records`.
        instruction: what a sample's ``qa_input`` ends with.
        loader_options: options per loader by modality name.
        n_frames: frames per clip of a sample.
        clip_cache_mb: clips that each process keeps for further questions on the same medium, MB (10^6 bytes).
        tensor_cache_mb: the same for what processors made of clips, where none of them draws at random. Samples of a
            medium then share their tensors, which must not be written into.
        follow_links: read media whose symbolic link leads out of the modality's root.
        parts: ``<modality>_root`` and ``<modality>_processor`` for every modality.
    """

    # The module whose read_records(paths, **options) reads the benchmark's files.
    annotations: ClassVar[Any]
    # The metrics of a split whose questions have no options, where these are others; the headline first.
    open_metrics: ClassVar[tuple[str, ...]] = ()
    default_instruction: ClassVar[str] = INSTRUCTION

    def __init__(
        self,
        *,
        ann_paths: Sequence[str],
        modalities: Sequence[str],
        text_processor: Callable[[str], str] | None = None,
        answer_vocabulary: str | Sequence[str] | None = None,
        answer_examples: Sequence[Mapping[str, str]] = (),
        annotation_options: Mapping[str, Any] | None = None,
        instruction: str | None = None,
        loader_options: Mapping[str, dict[str, Any]] | None = None,
        n_frames: int = 4,
        clip_cache_mb: int = 256,
        tensor_cache_mb: int = 0,
        follow_links: bool = False,
        **parts: Any,
    ) -> None:
        paths = [Path(path) for path in ann_paths]
        self.records = self.read_records(paths, **(annotation_options or {}))
        if self.open_metrics and not any(record.options for record in self.records):
            self.metrics = self.open_metrics
        super().__init__(text_processor=text_processor, ann_paths=[])
        self.annotation = [{"instance_id": str(index)} for index in range(len(self.records))]
        self.annotation_name = ", ".join(path.name for path in paths)
        self.modalities = tuple(modalities)
        self.instruction = self.default_instruction if instruction is None else instruction
        self.n_frames = n_frames
        self.follow_links = follow_links
        self.loader_options = dict(loader_options or {})
        self.roots = {name: modality_root(str(parts[f"{name}_root"])) for name in self.modalities}
        self.processors = {name: parts.get(f"{name}_processor") for name in self.modalities}
        listed = read_vocabulary(Path(answer_vocabulary)) if isinstance(answer_vocabulary, str) else answer_vocabulary
        self.answer_vocabulary = tuple(listed or ())
        self.answer_examples = tuple((example["question"], example["answer"]) for example in answer_examples)
        self.clips = ClipCache(clip_cache_mb * 10**6)
        self._tensors: BoundedCache[dict[str, Any]] = BoundedCache(tensor_cache_mb * 10**6, _bytes_of)
        self._samplings: OrderedDict[str, Sampling] = OrderedDict()
        self._sources: dict[tuple[str, ...], dict[str, Path]] = {}
        self._loader_classes = {name: registry.require("loader", name) for name in self.modalities}

    @classmethod
    def read_records(cls, paths: Sequence[Path], **options: Any) -> list[QuestionRecord]:
        """Read the benchmark's annotation files with ``annotations.read_records``.

        Raises:
            AnnotationError: a file or a record is not as the benchmark publishes it; names both.
            ConfigError: an option that the reader does not take; names the nearest one.
        """
        read: Callable[..., list[QuestionRecord]] = cls.annotations.read_records
        known = [name for name, one in inspect.signature(read).parameters.items() if one.kind is one.KEYWORD_ONLY]
        for name in options:
            if name not in known:
                raise ConfigError(
                    f"build_info.annotation_options.{name}: nothing reads it.{nearest(name, known)} "
                    f"Known: {', '.join(known) or 'none'}."
                )
        return read(paths, **options)

    # -- as questions ----------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.records)

    def question_id(self, index: int) -> str:
        """Return the question's id."""
        return self.records[index].question_id

    def media_id(self, index: int) -> str:
        """Return the name of the question's medium."""
        return self.records[index].media_id

    def question(self, index: int) -> Question:
        """Return a record as a question about its medium.

        Raises:
            AnnotationError: the medium leaves its root.
        """
        record = self.records[index]
        return Question(
            question_id=record.question_id,
            text=record.text,
            media=Media(media_id=record.media_id, sources=self._media_sources(record), side=record.side),
            options=record.options,
            situation=record.situation,
            answers=record.answers,
            category=record.category,
            tags=record.tags,
            gold_spans_s=record.gold_spans_s,
        )

    def _media_sources(self, record: QuestionRecord) -> dict[str, Path]:
        sources = self._sources.get(record.names)
        if sources is None:
            sources = {name: self._source(name, record) for name in self.modalities}
            self._sources[record.names] = sources
        return sources

    def _source(self, modality: str, record: QuestionRecord) -> Path:
        """Return where a modality of a medium lies: under the first of its names that exists, else the first."""
        root = self.roots[modality]
        where = f"{self.annotation_name}, question {record.question_id}"
        places = (self._loader_classes[modality].locate(root, name, annotation=where) for name in record.names)
        found: list[Path] = []
        for place in places:
            found.append(place)
            if place.exists():
                break
        else:
            return found[0]
        if isinstance(found[-1], ShardPath):  # the index refuses members that lead out
            return found[-1]
        real = os.path.realpath(found[-1])
        if not self.follow_links and not f"{real}{os.sep}".startswith(os.path.realpath(root).rstrip(os.sep) + os.sep):
            raise AnnotationError(
                f"{where}: {found[-1]} is a link out of {root}; set build_info.kwargs.follow_links: true to read it."
            )
        return found[-1]

    # -- as CREMA's samples ----------------------------------------------------------------------

    def sample_texts(self, index: int) -> dict[str, Any]:
        """Return a sample's texts and ids: ``qa_input``, ``qa_output`` (the first gold answer), ``question_id``."""
        record = self.records[index]
        situation = f"{self._process(record.situation)}. " if record.situation else ""
        return {
            "qa_input": f"{situation}Question: {self._process(record.text)} {self.instruction}",
            "qa_output": record.answers[0] if record.answers else "",
            "question_id": record.question_id,
        }

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return CREMA's sample dict.

        Raises:
            ModalityError: a modality cannot be read; names question, medium and path.
        """
        situation = self.records[index].situation
        return {
            **self.sample_texts(index),
            "instance_id": str(index),
            "situation": f"{self._process(situation)}." if situation else "",
            **self._media_tensors(self.question(index)),
        }

    def _media_tensors(self, question: Question) -> dict[str, Any]:
        """Return the tensors of a question's medium and its ``media_key``."""
        media = question.media
        kept = self._tensors.get(_media_key(media, self._samplings.get(media.media_id)))
        if kept is not None:
            return kept
        from lavis.processors.frame_processors import Aligned

        tensors: dict[str, Any] = {}
        forms: dict[str, SampleForm] = {name: SAMPLE_FORMS[name] for name in self.modalities if name in SAMPLE_FORMS}
        options = {name: {**form.loader_options, **self.loader_options.get(name, {})} for name, form in forms.items()}
        reader = MediaReader(
            media,
            n_frames=self.n_frames,
            modalities=options,
            cache=self.clips,
            sampling=self._samplings.get(media.media_id),
        )
        processors = Aligned(self.processors)
        for name, form in forms.items():
            try:
                tensors.update(form.tensors(reader.load(name), processors[name]))
            except ModalityError as error:
                raise ModalityError(f"Question {question.question_id}: {error}") from error
        if reader.sampled is not None:
            # Counting a medium's frames lists its folder; its other questions need not.
            self._samplings[media.media_id] = reader.sampled
            if len(self._samplings) > REMEMBERED_MEDIA:
                self._samplings.popitem(last=False)
        tensors["media_key"] = key = _media_key(media, reader.sampled)
        if all(_is_repeatable(self.processors[name]) for name in forms):
            self._tensors.put(key, tensors)
        return tensors

    def _process(self, text: str) -> str:
        return self.text_processor(text) if self.text_processor is not None else text


def _is_repeatable(processor: Any) -> bool:
    return processor is None or bool(getattr(processor, "is_repeatable", False))


def _bytes_of(tensors: Mapping[str, Any]) -> int:
    return sum(int(getattr(value, "nbytes", 0)) for value in tensors.values())


def _media_key(media: Media, sampled: Sampling | None) -> str:
    """Return what two samples share only if the same frames of the same files stand behind their tensors."""
    frames = "" if sampled is None else ",".join(map(str, sampled.indices))
    files = (f"{name}={path}" for name, path in sorted(media.sources.items()))
    return "|".join([media.media_id, frames, repr(media.side.get("span")), *files])


def modality_root(storage: str) -> Path:
    """Return where the media of a modality lie: a folder or file, or the folder that shards make together."""
    return ShardSet(storage, Path("/")).folder if is_sharded(storage) else Path(storage)


def read_vocabulary(path: Path) -> tuple[str, ...]:
    """Read the answers that may be given: a JSON list, or SQA3D's ``[answer → class, class → answer]``.

    Raises:
        AnnotationError: missing, not JSON, or of neither shape.
    """
    document = read_json(path)
    if isinstance(document, list) and len(document) == 2 and isinstance(document[0], dict):
        document = list(document[0])
    if not (isinstance(document, list) and all(isinstance(answer, str) and answer for answer in document)):
        raise AnnotationError(f"Answer vocabulary {path} is neither a list of texts nor SQA3D's answer_dict.json.")
    return tuple(dict.fromkeys(document))
