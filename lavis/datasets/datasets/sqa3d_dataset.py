"""SQA3D: situated questions in scanned rooms."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from lavis.datasets.datasets import sqa3d_annotations
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset


class SQA3DDataset(BenchmarkDataset):
    """One split of SQA3D (arXiv 2210.07474); a sample also has ``scene_id``, a running number."""

    annotations: ClassVar[Any] = sqa3d_annotations
    metrics = ("exact_match", "em_refined", "mexa_em", "mexa_refined", "official_llm", "crema_substring")

    def sample_texts(self, index: int) -> dict[str, Any]:
        """Return CREMA's texts: the situation before the question, the id as ``<type>_<id>``."""
        record = self.records[index]
        return {
            **super().sample_texts(index),
            "scene_id": self._scene_numbers[record.media_id],
            "question_id": f"{record.tags['crema_type']}_{record.question_id}",
        }

    @cached_property
    def _scene_numbers(self) -> dict[str, int]:
        return {scene: number for number, scene in enumerate(dict.fromkeys(one.media_id for one in self.records))}
