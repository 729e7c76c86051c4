"""What of a benchmark lies on this machine: questions, media, and what is missing of which modality."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from lavis.common.errors import AnnotationError, ConfigError, nearest
from lavis.common.registry import registry
from lavis.datasets.builders.base_dataset_builder import load_dataset_config
from lavis.datasets.builders.benchmark_builder import BenchmarkBuilder
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset

MAX_NAMED = 5


@dataclasses.dataclass(frozen=True)
class ModalityReport:
    """One modality of a split.

    Attributes:
        storage: where it is looked for.
        media: how many of the split's media have it.
        questions: how many questions those media serve.
        missing: the first media that do not have it, with the place where each was looked for.
    """

    storage: str
    media: int
    questions: int
    missing: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class SplitReport:
    """One split.

    Attributes:
        files: its annotation files.
        problem: why they cannot be read; empty where they can.
        questions: how many there are.
        media: how many media they ask about.
        modalities: by name.
        served: questions whose medium has at least one modality.
        complete: questions whose medium has every modality whose storage exists.
    """

    files: tuple[str, ...]
    problem: str = ""
    questions: int = 0
    media: int = 0
    modalities: dict[str, ModalityReport] = dataclasses.field(default_factory=dict)
    served: int = 0
    complete: int = 0


def check_benchmark(name: str, root: Path | None = None, splits: list[str] | None = None) -> dict[str, SplitReport]:
    """Look at every split of a benchmark without decoding anything.

    Args:
        name: registry name of its builder.
        root: the folder that holds it; None for the one in its environment variable.
        splits: those to look at; None for every one that the configuration names.

    Raises:
        ConfigError: the builder is no benchmark's, there is no root, or no such split.
        UnknownNameError: there is no builder of that name.
    """
    builder_cls = registry.require("builder", name)
    if not issubclass(builder_cls, BenchmarkBuilder):
        raise ConfigError(f"{name} is built by {builder_cls.__name__}, which keeps no benchmark below one root.")
    node = OmegaConf.create(OmegaConf.to_container(load_dataset_config(builder_cls.default_config_path())))
    if root is not None:
        node.build_info.root = str(root)
    found: BenchmarkBuilder = builder_cls(node)
    named = list(found.config.build_info.annotations)
    for split in splits or ():
        if split not in named:
            raise ConfigError(f"{name} has no split {split!r}.{nearest(split, named)} There: {', '.join(named)}.")
    return {split: _check_split(found, split) for split in splits or named}


def _check_split(builder: BenchmarkBuilder, split: str) -> SplitReport:
    files = builder.annotation_paths(split)
    names = tuple(map(str, files))
    absent = [str(path) for path in files if not path.is_file()]
    if absent:
        return SplitReport(names, problem=f"not there: {', '.join(absent)}")
    builder.data_type = builder.known_modalities()
    try:
        dataset = builder.eval_dataset_cls(**_arguments(builder, names))
        return _report(dataset, names, {name: builder.storage_exists(name) for name in dataset.modalities})
    except AnnotationError as error:
        return SplitReport(names, problem=str(error))


def _arguments(builder: BenchmarkBuilder, files: tuple[str, ...]) -> dict[str, Any]:
    places = {f"{name}_root": builder.place(name) for name in builder.data_type}
    return {
        "ann_paths": list(files),
        "modalities": list(builder.data_type),
        "annotation_options": builder.annotation_options(),
        **places,
    }


def _report(dataset: BenchmarkDataset, files: tuple[str, ...], exists: dict[str, bool]) -> SplitReport:
    having: dict[str, set[str]] = {name: set() for name in dataset.modalities}
    missing: dict[str, list[str]] = {name: [] for name in dataset.modalities}
    asked: dict[str, int] = {}
    for index in range(len(dataset)):
        medium = dataset.media_id(index)
        asked[medium] = asked.get(medium, 0) + 1
        if asked[medium] > 1:
            continue
        for name, path in dataset.question(index).media.sources.items():
            if exists[name] and registry.require("loader", name).present(path, media_id=medium):
                having[name].add(medium)
            elif len(missing[name]) < MAX_NAMED:
                missing[name].append(f"{medium} ({path})")
    there = [name for name in dataset.modalities if exists[name]]
    return SplitReport(
        files=files,
        questions=len(dataset),
        media=len(asked),
        modalities={
            name: ModalityReport(
                str(dataset.roots[name]),
                len(having[name]),
                sum(asked[medium] for medium in having[name]),
                tuple(missing[name]),
            )
            for name in dataset.modalities
        },
        served=sum(n for medium, n in asked.items() if any(medium in having[name] for name in there)),
        complete=sum(n for medium, n in asked.items() if there and all(medium in having[name] for name in there)),
    )
