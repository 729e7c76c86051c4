"""MUSIC-AVQA: questions about what is heard and seen in musical performances."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lavis.datasets.datasets import musicavqa_annotations
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset
from lavis.datasets.datasets.question_record import QuestionRecord


class MusicAVQADataset(BenchmarkDataset):
    """One split of MUSIC-AVQA (arXiv 2203.14072); a sample also has ``answers`` and ``sample_id``, the video."""

    metrics = ("music_avqa_accuracy", "crema_gqa")

    @staticmethod
    def read_records(paths: Sequence[Path], **options: Any) -> list[QuestionRecord]:
        """Read any release, see :func:`lavis.datasets.datasets.musicavqa_annotations.read_records`."""
        return musicavqa_annotations.read_records(paths, **options)

    def sample_texts(self, index: int) -> dict[str, Any]:
        """Return CREMA's texts."""
        record = self.records[index]
        texts = super().sample_texts(index)
        return {**texts, "answers": texts["qa_output"], "sample_id": record.media_id}


class MusicAVQAInstructDataset(MusicAVQADataset):
    """The same with ``answer``, for models that are tuned on instructions."""

    def sample_texts(self, index: int) -> dict[str, Any]:
        """Return CREMA's texts and the answer."""
        texts = super().sample_texts(index)
        return {**texts, "answer": texts["qa_output"]}
