"""Video-MMMU: what is seen, understood and learned from lecture videos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lavis.datasets.datasets import videommmu_annotations
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset
from lavis.datasets.datasets.question_record import QuestionRecord


class VideoMMMUDataset(BenchmarkDataset):
    """Tracks of Video-MMMU (arXiv 2501.13826)."""

    # lmms-eval leaves out empty answers; here a failure counts as wrong, so the strict reading heads the table.
    metrics = ("videommmu_strict", "videommmu_lmms_eval", "mexa_first_letter")

    @staticmethod
    def read_records(paths: Sequence[Path], **options: Any) -> list[QuestionRecord]:
        """Read the tracks, see :func:`lavis.datasets.datasets.videommmu_annotations.read_records`."""
        return videommmu_annotations.read_records(paths, **options)
