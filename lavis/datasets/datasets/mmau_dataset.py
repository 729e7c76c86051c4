"""MMAU: sounds, music and speech, understood and reasoned about."""

from __future__ import annotations

from typing import Any, ClassVar

from lavis.datasets.datasets import mmau_annotations
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset


class MMAUDataset(BenchmarkDataset):
    """One split of MMAU (arXiv 2410.19168)."""

    annotations: ClassVar[Any] = mmau_annotations
    metrics = ("mmau_string_match", "mmau_mexa_letter")
