"""Video-MMMU: what is seen, understood and learned from lecture videos."""

from __future__ import annotations

from typing import Any, ClassVar

from lavis.datasets.datasets import videommmu_annotations
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset


class VideoMMMUDataset(BenchmarkDataset):
    """Tracks of Video-MMMU (arXiv 2501.13826)."""

    # lmms-eval leaves out empty answers; here a failure counts as wrong, so the strict reading heads the table.
    annotations: ClassVar[Any] = videommmu_annotations
    metrics = ("videommmu_strict", "videommmu_lmms_eval", "mexa_first_letter")
