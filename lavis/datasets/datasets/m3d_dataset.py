"""M3D-VQA: planes, phases, organs, abnormalities and places in CT scans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lavis.datasets.datasets import m3d_annotations
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset
from lavis.datasets.datasets.question_record import QuestionRecord


class M3DDataset(BenchmarkDataset):
    """One split of M3D-VQA (arXiv 2404.00578)."""

    metrics = ("m3d_closed", "m3d_mexa_letter")

    @staticmethod
    def read_records(paths: Sequence[Path], **options: Any) -> list[QuestionRecord]:
        """Read the csv, see :func:`lavis.datasets.datasets.m3d_annotations.read_records`."""
        return m3d_annotations.read_records(paths, **options)
