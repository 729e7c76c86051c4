"""What every benchmark's builder has in common: one root folder, a section per modality, a sample of its own."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import OmegaConf

from lavis.common.dist_utils import barrier, is_main_process
from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.datasets.builders.base_dataset_builder import MultiModalDatasetBuilder
from lavis.datasets.loaders.shards.patterns import BETWEEN, PIPE, expanded, is_sharded

logger = logging.getLogger(__name__)

# Two sources of one sample key; where both lie on disk, frames need no decoding.
INSTEAD_OF = {"video": "frame"}


class BenchmarkBuilder(MultiModalDatasetBuilder):
    """Builds a benchmark from one root folder.

    ``build_info.root`` (by default from the environment variable ``root_variable``) holds annotations,
    in itself or in ``annotations/``, and a folder or file per modality; each ``storage`` is relative to
    it or absolute. Keys of a modality's section beside ``storage`` are options of its loader.
    ``data_type: auto`` takes every modality whose storage exists. ``build_info.generate: true`` makes
    the project's sample and takes it as the root.

    A subclass sets ``name``, ``root_variable``, ``sample`` (a registry name of a sample), the data set
    classes and ``DATASET_CONFIG_DICT``.
    """

    name: ClassVar[str]
    root_variable: ClassVar[str]
    sample: ClassVar[str]

    def __init__(self, cfg: Any = None) -> None:
        super().__init__(cfg)
        # A copy: the caller's node, which ends in config.yaml, keeps what the user wrote.
        self.config = OmegaConf.create(OmegaConf.to_container(self.config, resolve=True))
        self.root = self._root()
        self.adopt_layout()
        if self.data_type == ["auto"]:
            self.data_type = self.found_modalities()
            absent = sorted(set(self.known_modalities()) - set(self.data_type))
            logger.info(
                "%s: %s holds %s; not used: %s", self.name, self.root, self.data_type or "no modality", absent or "none"
            )

    def adopt_layout(self) -> None:
        """Change the configuration to what lies under the root; for layouts that others left."""

    def known_modalities(self) -> list[str]:
        """Return the modalities that the configuration gives a place to."""
        return [name for name in registry.list_names("loader") if self.config.build_info.get(name) is not None]

    def found_modalities(self) -> list[str]:
        """Return the modalities whose storage exists."""
        found = [name for name in self.known_modalities() if self.storage_exists(name)]
        return [name for name in found if INSTEAD_OF.get(name) not in found]

    def place(self, modality: str) -> str:
        """Return the root of a modality's files: a folder, a file, or shards."""
        return self._storage(modality)

    def storage_exists(self, modality: str) -> bool:
        """Return whether the place of a modality is there; a pipe is taken to be."""
        place = self.place(modality)
        if not is_sharded(place):
            return Path(place).exists()
        return all(one.startswith(PIPE) or any(map(os.path.exists, expanded(one))) for one in place.split(BETWEEN))

    def annotation_paths(self, split: str) -> list[Path]:
        """Return where the annotation files of a split are looked for."""
        info = self.config.build_info.annotations[split]
        named = [info.storage] if isinstance(info.storage, str) else list(info.storage)
        return [self._annotation_path(name) for name in named]

    def _root(self) -> Path:
        build_info = self.config.build_info
        if build_info.get("generate"):
            build = registry.require("sample", self.sample)
            if is_main_process():
                build()
            barrier()
            return Path(build())
        if not build_info.get("root"):
            raise ConfigError(
                f"datasets.{self.name}.build_info.root is not set: set {self.root_variable} to the folder that holds "
                f"the data, or datasets.{self.name}.build_info.generate=true for the project's own sample."
            )
        root = Path(build_info.root).expanduser().resolve()
        if not root.is_dir():
            raise ConfigError(f"datasets.{self.name}.build_info.root ({self.root_variable}): {root} is no folder.")
        return root

    def _get_absolute_path(self, path: str) -> str:  # type: ignore[override]  # needs the root
        if is_sharded(path):
            return BETWEEN.join(one if one.startswith(PIPE) else str(self.root / one) for one in path.split(BETWEEN))
        return str(self.root / path)

    @staticmethod
    def _warn_if_absent(path: str | None) -> None:
        if path is not None and not is_sharded(path):
            MultiModalDatasetBuilder._warn_if_absent(path)

    def _annotation_files(self) -> dict[str, Any]:
        for split, info in self.config.build_info.annotations.items():
            info.storage = [str(path) for path in self.annotation_paths(split)]
        return super()._annotation_files()

    def _annotation_path(self, name: str) -> Path:
        beside, inside = self.root / name, self.root / "annotations" / name
        return inside if inside.exists() and not beside.exists() else beside

    def _get_dataset_args(self, is_train: bool) -> dict[str, Any]:
        build_info = self.config.build_info
        arguments = super()._get_dataset_args(is_train)
        vocabulary = build_info.get("answer_vocabulary") or {}
        options = {
            name: {key: value for key, value in OmegaConf.to_container(build_info[name]).items() if key != "storage"}
            for name in self.data_type
        }
        return arguments | {
            "answer_vocabulary": self._vocabulary(vocabulary),
            "answer_examples": OmegaConf.to_container(build_info.get("answer_examples") or OmegaConf.create([])),
            "annotation_options": self.annotation_options(),
            "loader_options": {name: given for name, given in options.items() if given},
        }

    def _vocabulary(self, node: Any) -> str | list[str] | None:
        """Return the file or the list of a node ``{storage: file}`` or ``{answers: [text]}``; None for any phrase."""
        if node.get("answers") is not None:
            return [str(answer) for answer in node.answers]
        return None if node.get("storage") is None else str(self._annotation_path(node.storage))

    def annotation_options(self) -> dict[str, Any]:
        """Return the options of the annotation reader: ``build_info.annotation_options``."""
        given = self.config.build_info.get("annotation_options")
        return {} if given is None else dict(OmegaConf.to_container(given))
