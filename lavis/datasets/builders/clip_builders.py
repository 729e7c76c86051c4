"""The builders ``touchqa`` and ``thermalqa``: the clips that ``lavis data prepare`` cuts."""

from __future__ import annotations

from typing import Any, ClassVar

from lavis.common.registry import registry
from lavis.datasets.builders.benchmark_builder import BenchmarkBuilder
from lavis.datasets.datasets.clip_datasets import ClipQADataset


@registry.register_builder("touchqa")
class TouchQABuilder(BenchmarkBuilder):
    """Builds Touch-QA from the folder in ``TOUCHQA_ROOT``."""

    name = "touchqa"
    root_variable = "TOUCHQA_ROOT"
    sample = "touchqa"
    train_dataset_cls: ClassVar[Any] = ClipQADataset
    eval_dataset_cls: ClassVar[Any] = ClipQADataset
    DATASET_CONFIG_DICT: ClassVar[dict[str, str]] = {"default": "configs/datasets/touchqa/defaults.yaml"}


@registry.register_builder("thermalqa")
class ThermalQABuilder(BenchmarkBuilder):
    """Builds Thermal-QA from the folder in ``THERMALQA_ROOT``."""

    name = "thermalqa"
    root_variable = "THERMALQA_ROOT"
    sample = "thermalqa"
    train_dataset_cls: ClassVar[Any] = ClipQADataset
    eval_dataset_cls: ClassVar[Any] = ClipQADataset
    DATASET_CONFIG_DICT: ClassVar[dict[str, str]] = {"default": "configs/datasets/thermalqa/defaults.yaml"}
