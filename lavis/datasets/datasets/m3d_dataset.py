"""M3D-VQA: planes, phases, organs, abnormalities and places in CT scans."""

from __future__ import annotations

from typing import Any, ClassVar

from lavis.datasets.datasets import m3d_annotations
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset


class M3DDataset(BenchmarkDataset):
    """One split of M3D-VQA (arXiv 2404.00578)."""

    annotations: ClassVar[Any] = m3d_annotations
    metrics = ("m3d_closed", "m3d_mexa_letter")
    open_metrics = ("accuracy", "m3d_bleu1", "m3d_rouge1")
