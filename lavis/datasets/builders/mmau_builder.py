"""The builder ``mmau``: MMAU."""

from __future__ import annotations

from typing import Any, ClassVar

from lavis.common.registry import registry
from lavis.datasets.builders.benchmark_builder import BenchmarkBuilder
from lavis.datasets.datasets.mmau_dataset import MMAUDataset


@registry.register_builder("mmau")
class MMAUBuilder(BenchmarkBuilder):
    """Builds MMAU from the folder in ``MMAU_ROOT``."""

    name = "mmau"
    root_variable = "MMAU_ROOT"
    sample = "mmau"
    train_dataset_cls: ClassVar[Any] = MMAUDataset
    eval_dataset_cls: ClassVar[Any] = MMAUDataset
    DATASET_CONFIG_DICT: ClassVar[dict[str, str]] = {"default": "configs/datasets/mmau/defaults.yaml"}
