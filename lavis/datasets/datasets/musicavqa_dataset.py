"""MUSIC-AVQA: questions about what is heard and seen in musical performances."""

from __future__ import annotations

from typing import Any, ClassVar

from lavis.datasets.datasets import musicavqa_annotations
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset


class MusicAVQADataset(BenchmarkDataset):
    """One split of MUSIC-AVQA (arXiv 2203.14072); a sample also has ``answers`` and ``sample_id``, the video."""

    annotations: ClassVar[Any] = musicavqa_annotations
    metrics = ("music_avqa_accuracy", "crema_gqa")

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
