"""Builders: a data set's configuration to its splits."""

from __future__ import annotations

from lavis.datasets.builders.base_dataset_builder import (
    BaseDatasetBuilder,
    MultiModalDatasetBuilder,
    load_dataset_config,
)
from lavis.datasets.builders.zoo import dataset_zoo, load_dataset

__all__ = ["BaseDatasetBuilder", "MultiModalDatasetBuilder", "dataset_zoo", "load_dataset", "load_dataset_config"]
