"""A medium of the project's own samples, with the pose and the words of one of its questions."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf

from lavis.common.errors import ConfigError, nearest
from lavis.common.registry import registry
from lavis.datasets.builders.base_dataset_builder import load_dataset_config
from lavis.datasets.builders.benchmark_builder import BenchmarkBuilder
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset
from lavis.datasets.media_folder import FoundMedium

SCHEME = "sample:"
MAX_NAMED = 6


def sample_medium(name: str, *, medium: str | None = None) -> FoundMedium:
    """Make a benchmark's sample, unless it is there, and take a medium of it.

    Args:
        name: of the sample, ``sqa3d`` …
        medium: the id of a medium, or of a question, whose pose and situation are then taken; None for the first
            question's. A medium's own is that of its first question.

    Raises:
        UnknownNameError: there is no such sample.
        ConfigError: the sample has no such medium or question; names some that it has.
    """
    builder = _builder(name)
    datasets = builder.build_datasets(splits=_splits_that_exist(builder))
    for dataset in datasets.values():
        found = _found(dataset, medium)
        if found is not None:
            return found
    there = list(dict.fromkeys(dataset.media_id(n) for dataset in datasets.values() for n in range(len(dataset))))
    raise ConfigError(
        f"{SCHEME}{name} has no medium and no question {medium!r}.{nearest(str(medium), there)} "
        f"Media: {', '.join(there[:MAX_NAMED])}{' …' if len(there) > MAX_NAMED else ''}"
    )


def _found(dataset: BenchmarkDataset, medium: str | None) -> FoundMedium | None:
    for index in range(len(dataset)):
        if medium in (None, dataset.question_id(index), dataset.media_id(index)):
            question = dataset.question(index)
            return FoundMedium(question.media, question.situation, dataset.loader_options)
    return None


def _builder(name: str) -> BenchmarkBuilder:
    registry.require("sample", name)
    for builder_name in registry.list_names("builder"):
        cls = registry.require("builder", builder_name)
        if issubclass(cls, BenchmarkBuilder) and cls.sample == name:
            kind = "sample" if "sample" in cls.DATASET_CONFIG_DICT else "default"
            node: Any = OmegaConf.create(load_dataset_config(cls.default_config_path(kind)))
            node.data_type = "auto"
            node.build_info.root, node.build_info.generate = None, True
            builder: BenchmarkBuilder = cls(node)
            return builder
    raise ConfigError(f"{SCHEME}{name}: no builder reads this sample.")


def _splits_that_exist(builder: BenchmarkBuilder) -> list[str]:
    splits = builder.config.build_info.annotations
    return [str(split) for split in splits if all(path.is_file() for path in builder.annotation_paths(split))]
