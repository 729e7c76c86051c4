"""The builders ``musicavqa_mm`` and ``musicavqa_mm_instruct``: MUSIC-AVQA."""

from __future__ import annotations

from typing import Any, ClassVar

from lavis.common.registry import registry
from lavis.datasets.builders.benchmark_builder import BenchmarkBuilder
from lavis.datasets.datasets.musicavqa_dataset import MusicAVQADataset, MusicAVQAInstructDataset


@registry.register_builder("musicavqa_mm")
class MusicAVQABuilder(BenchmarkBuilder):
    """Builds MUSIC-AVQA from the folder in ``MUSICAVQA_ROOT``."""

    name = "musicavqa_mm"
    root_variable = "MUSICAVQA_ROOT"
    sample = "musicavqa"
    train_dataset_cls: ClassVar[Any] = MusicAVQADataset
    eval_dataset_cls: ClassVar[Any] = MusicAVQADataset
    DATASET_CONFIG_DICT: ClassVar[dict[str, str]] = {"default": "configs/datasets/musicavqa/defaults.yaml"}


@registry.register_builder("musicavqa_mm_instruct")
class MusicAVQAInstructBuilder(BenchmarkBuilder):
    """Builds the same, with ``answer`` in its samples."""

    name = "musicavqa_mm_instruct"
    root_variable = "MUSICAVQA_ROOT"
    sample = "musicavqa"
    train_dataset_cls: ClassVar[Any] = MusicAVQAInstructDataset
    eval_dataset_cls: ClassVar[Any] = MusicAVQAInstructDataset
    DATASET_CONFIG_DICT: ClassVar[dict[str, str]] = {"default": "configs/datasets/musicavqa/defaults.yaml"}
