"""The builder ``videommmu``: Video-MMMU."""

from __future__ import annotations

from typing import Any, ClassVar

from lavis.common.registry import registry
from lavis.datasets.builders.benchmark_builder import BenchmarkBuilder
from lavis.datasets.datasets.videommmu_dataset import VideoMMMUDataset


@registry.register_builder("videommmu")
class VideoMMMUBuilder(BenchmarkBuilder):
    """Builds Video-MMMU from the folder in ``VIDEOMMMU_ROOT``."""

    name = "videommmu"
    root_variable = "VIDEOMMMU_ROOT"
    sample = "videommmu"
    train_dataset_cls: ClassVar[Any] = VideoMMMUDataset
    eval_dataset_cls: ClassVar[Any] = VideoMMMUDataset
    DATASET_CONFIG_DICT: ClassVar[dict[str, str]] = {"default": "configs/datasets/videommmu/defaults.yaml"}
