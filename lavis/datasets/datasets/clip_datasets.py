"""Touch-QA and Thermal-QA: questions about short clips, seen and felt, or seen and measured as heat."""

from __future__ import annotations

from typing import Any, ClassVar

from lavis.datasets.datasets import clip_annotations
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset


class ClipQADataset(BenchmarkDataset):
    """One split of Touch-QA or Thermal-QA (CREMA, arXiv 2402.05889)."""

    annotations: ClassVar[Any] = clip_annotations
    metrics = ("accuracy", "crema_gqa")
