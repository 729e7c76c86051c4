"""The builder ``sqa3d``: SQA3D on disk, or the sample that this project makes in its formats."""

from __future__ import annotations

from typing import Any, ClassVar

from lavis.common.registry import registry
from lavis.datasets.builders.benchmark_builder import BenchmarkBuilder
from lavis.datasets.datasets.sqa3d_dataset import SQA3DDataset


@registry.register_builder("sqa3d")
class SQA3DBuilder(BenchmarkBuilder):
    """Builds SQA3D from the folder in ``SQA3D_ROOT``."""

    name = "sqa3d"
    root_variable = "SQA3D_ROOT"
    sample = "sqa3d"
    train_dataset_cls: ClassVar[Any] = SQA3DDataset
    eval_dataset_cls: ClassVar[Any] = SQA3DDataset
    DATASET_CONFIG_DICT: ClassVar[dict[str, str]] = {
        "default": "configs/datasets/sqa3d/defaults.yaml",
        "sample": "configs/datasets/sqa3d/sample.yaml",
    }
