"""Touch-QA and Thermal-QA: questions about short clips, seen and felt, or seen and measured as heat."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lavis.datasets.datasets import clip_annotations
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset
from lavis.datasets.datasets.question_record import QuestionRecord


class ClipQADataset(BenchmarkDataset):
    """One split of Touch-QA or Thermal-QA (CREMA, arXiv 2402.05889)."""

    metrics = ("accuracy", "crema_gqa")

    @staticmethod
    def read_records(paths: Sequence[Path], **options: Any) -> list[QuestionRecord]:
        """Read either file, see :func:`lavis.datasets.datasets.clip_annotations.read_records`."""
        return clip_annotations.read_records(paths, **options)
