"""MMAU: sounds, music and speech, understood and reasoned about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lavis.datasets.datasets import mmau_annotations
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset
from lavis.datasets.datasets.question_record import QuestionRecord


class MMAUDataset(BenchmarkDataset):
    """One split of MMAU (arXiv 2410.19168)."""

    metrics = ("mmau_string_match", "mmau_mexa_letter")

    @staticmethod
    def read_records(paths: Sequence[Path], **options: Any) -> list[QuestionRecord]:
        """Read any version, see :func:`lavis.datasets.datasets.mmau_annotations.read_records`."""
        return mmau_annotations.read_records(paths, **options)
