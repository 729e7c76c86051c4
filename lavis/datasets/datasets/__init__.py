"""Data sets: annotations to samples, one module per benchmark."""

from __future__ import annotations

from lavis.datasets.datasets.base_dataset import BaseDataset, ConcatDataset

__all__ = ["BaseDataset", "ConcatDataset"]
