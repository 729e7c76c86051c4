"""The builder ``m3d``: M3D-VQA."""

from __future__ import annotations

from typing import Any, ClassVar

from lavis.common.registry import registry
from lavis.datasets.builders.benchmark_builder import BenchmarkBuilder
from lavis.datasets.datasets.m3d_dataset import M3DDataset


@registry.register_builder("m3d")
class M3DBuilder(BenchmarkBuilder):
    """Builds M3D-VQA from the folder in ``M3D_ROOT``."""

    name = "m3d"
    root_variable = "M3D_ROOT"
    sample = "m3d"
    train_dataset_cls: ClassVar[Any] = M3DDataset
    eval_dataset_cls: ClassVar[Any] = M3DDataset
    DATASET_CONFIG_DICT: ClassVar[dict[str, str]] = {"default": "configs/datasets/m3d/defaults.yaml"}
