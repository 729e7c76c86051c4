"""Builders: a data set's configuration to its data sets, one per split."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import OmegaConf

from lavis.common.calls import accepted
from lavis.common.dist_utils import barrier, is_main_process
from lavis.common.errors import ConfigError, nearest
from lavis.common.paths import LIBRARY_ROOT
from lavis.common.registry import registry
from lavis.datasets.builders.annotation_files import AnnotationFiles, absolute
from lavis.processors.base_processor import AbsentProcessor, BaseProcessor

PHASES = ("train", "eval")

logger = logging.getLogger(__name__)


def load_dataset_config(cfg_path: str | os.PathLike[str]) -> Any:
    """Return the first node under ``datasets:`` of a YAML file.

    Raises:
        ConfigError: the file is absent or has no such node.
    """
    if not Path(cfg_path).is_file():
        raise ConfigError(f"{cfg_path}: there is no such data set configuration.")
    nodes = OmegaConf.load(cfg_path).get("datasets")
    if not nodes:
        raise ConfigError(f"{cfg_path}: has no data set; write datasets: {{<name>: {{…}}}}.")
    return next(iter(nodes.values()))


class BaseDatasetBuilder:
    """Builds the splits of a data set with one kind of media.

    A subclass sets ``train_dataset_cls``, ``eval_dataset_cls`` and ``DATASET_CONFIG_DICT`` ({type:
    YAML}, relative to the package or absolute) and may replace any hook.

    Args:
        cfg: the data set's node, a YAML file that holds it, or None for the default YAML.

    Raises:
        ConfigError: there is no such configuration.
    """

    train_dataset_cls: ClassVar[Any] = None
    eval_dataset_cls: ClassVar[Any] = None
    DATASET_CONFIG_DICT: ClassVar[Mapping[str, str]] = {}

    def __init__(self, cfg: Any = None) -> None:
        if cfg is None:
            cfg = load_dataset_config(self.default_config_path())
        elif isinstance(cfg, str | os.PathLike):
            cfg = load_dataset_config(cfg)
        self.config: Any = cfg if OmegaConf.is_config(cfg) else OmegaConf.create(cfg)
        self.data_type: Any = self.config.get("data_type")
        self.modality_type = self.config.get("modality_type")
        self.vis_processors: dict[str, Any] = {phase: BaseProcessor() for phase in PHASES}
        self.text_processors: dict[str, Any] = {phase: BaseProcessor() for phase in PHASES}
        self.kw_processors: dict[str, Any] = {}
        self.splits: list[str] | None = None
        self.train_splits: list[str] = ["train"]

    @classmethod
    def default_config_path(cls, type: str = "default") -> str:
        """Return the YAML of a configuration type (``datasets.<name>.type``).

        Raises:
            ConfigError: the builder has no such type.
        """
        if type not in cls.DATASET_CONFIG_DICT:
            known = ", ".join(cls.DATASET_CONFIG_DICT) or "none"
            near = nearest(type, cls.DATASET_CONFIG_DICT)
            raise ConfigError(f"{cls.__name__} has no configuration type {type!r}.{near} Known: {known}.")
        return os.path.join(LIBRARY_ROOT, cls.DATASET_CONFIG_DICT[type])

    # -- the steps -----------------------------------------------------------------------------

    def build_datasets(
        self, splits: Iterable[str] | None = None, train_splits: Iterable[str] | None = None
    ) -> dict[str, Any]:
        """Fetch what has to be fetched, on one rank, and build.

        Args:
            splits: splits to build; every annotated one by default. Files of other splits are not
                touched.
            train_splits: splits that get the training class and processors; ``train`` by default.

        Returns:
            {split: data set}, in the configuration's order.
        """
        self.splits = None if splits is None else list(splits)
        self.train_splits = ["train"] if train_splits is None else list(train_splits)
        if is_main_process():
            self._download_data()
        barrier()
        return self.build()

    def build(self) -> dict[str, Any]:
        """Build the splits from files that are there."""
        self.build_processors()
        datasets = {}
        for split, files in self._annotation_files().items():
            is_train = split in self.train_splits
            dataset_cls = self.train_dataset_cls if is_train else self.eval_dataset_cls
            if dataset_cls is None:
                phase = "train" if is_train else "eval"
                raise ConfigError(f"{type(self).__name__} sets no {phase}_dataset_cls, needed for split {split!r}.")
            paths = [str(path) for path in files.paths]
            datasets[split] = dataset_cls(**self._dataset_arguments(dataset_cls, is_train, paths))
        return datasets

    def build_processors(self) -> None:
        """Build the processors of both phases; what is not configured is the identity."""
        self.vis_processors = self._build_processor("vis_processor")
        self.text_processors = self._build_processor("text_processor")
        extras = self.config.get("kw_processor") or {}
        self.kw_processors = {name: self._build_proc_from_cfg(node) for name, node in extras.items()}

    # -- hooks ---------------------------------------------------------------------------------

    @staticmethod
    def _build_proc_from_cfg(cfg: Any) -> Any:
        """Build a processor from ``{name: …, option: …}``; None stays None.

        Raises:
            ConfigError: the node has no name, or nothing is registered under it.
        """
        if cfg is None:
            return None
        if cfg.get("name") is None:
            raise ConfigError(f"A processor needs a name; got {OmegaConf.to_container(cfg)}.")
        return registry.require("processor", cfg.name).from_config(cfg)

    def _build_processor(self, cfg_name: str) -> dict[str, Any]:
        """Build one processor section for both phases."""
        section = self.config.get(cfg_name)
        if section is None:
            return {phase: BaseProcessor() for phase in PHASES}
        return {
            phase: self._build_proc_from_cfg(section.get(phase)) or AbsentProcessor(f"{cfg_name}.{phase}")
            for phase in PHASES
        }

    def _download_data(self) -> None:
        self._download_ann()
        self._download_vis()

    def _download_ann(self) -> None:
        """Fetch or refresh the annotation files of the splits that are built."""
        for files in self._annotation_files().values():
            files.fetch()

    def _download_vis(self) -> None:
        """Warn when the folder of the media is absent; media are never downloaded."""
        self._warn_if_absent(self._media_root())

    def _dataset_arguments(self, dataset_cls: Any, is_train: bool, ann_paths: list[str]) -> dict[str, Any]:
        phase = "train" if is_train else "eval"
        arguments = {
            "vis_processor": self.vis_processors[phase],
            "text_processor": self.text_processors[phase],
            "ann_paths": ann_paths,
            "vis_root": self._media_root(),
        }
        # CREMA hands modality_type to every class, which those written for LAVIS refuse.
        return arguments | accepted(dataset_cls, {"modality_type": self.modality_type})

    def _annotation_files(self) -> dict[str, AnnotationFiles]:
        annotations = self._section("annotations")
        return {
            str(split): AnnotationFiles(info, f"build_info.annotations.{split}")
            for split, info in annotations.items()
            if self.splits is None or split in self.splits
        }

    def _media_root(self) -> str | None:
        if self.data_type is None:
            return None
        if not isinstance(self.data_type, str):
            raise ConfigError(
                f"data_type is {list(self.data_type)}; {type(self).__name__} takes one name."
                " Inherit MultiModalDatasetBuilder for several."
            )
        return self._storage(self.data_type)

    def _storage(self, section: str) -> str:
        storage = self._section(section).get("storage")
        if storage is None:
            raise ConfigError(f"build_info.{section}.storage is missing: write the folder of its files there.")
        if not isinstance(storage, str):
            raise ConfigError(f"build_info.{section}.storage must be one path, not {storage}.")
        return self._get_absolute_path(storage)

    def _section(self, name: str) -> Any:
        build_info = self.config.get("build_info")
        if build_info is None:
            raise ConfigError(f"build_info is missing in the configuration of {type(self).__name__}.")
        if build_info.get(name) is None:
            known = ", ".join(str(key) for key in build_info)
            raise ConfigError(f"build_info.{name} is missing (data_type: {self.data_type}); build_info has {known}.")
        return build_info[name]

    @staticmethod
    def _get_absolute_path(path: str) -> str:
        """Return a path as it is when absolute, else under the cache root."""
        return str(absolute(path))

    @staticmethod
    def _warn_if_absent(path: str | None) -> None:
        if path is not None and not os.path.exists(path):
            logger.warning("%s does not exist; reading media from it will fail.", path)


class MultiModalDatasetBuilder(BaseDatasetBuilder):
    """Builds the splits of a data set whose samples have several modalities.

    ``data_type`` lists them; each has its ``<modality>_processor`` and ``build_info.<modality>.storage``.
    """

    def __init__(self, cfg: Any = None) -> None:
        super().__init__(cfg)
        named: str | Sequence[str] = self.data_type or []
        self.data_type = [named] if isinstance(named, str) else [str(name) for name in named]
        self.processors: dict[str, dict[str, Any]] = {phase: {} for phase in PHASES}

    def build_processors(self) -> None:
        """Build each modality's processor; what is not configured is the identity."""
        super().build_processors()
        built = {modality: self._build_processor(f"{_prefix(modality)}_processor") for modality in self.data_type}
        self.processors = {phase: {name: found[phase] for name, found in built.items()} for phase in PHASES}

    def _download_data(self) -> None:
        self._download_ann()
        for modality in self.data_type:
            self._download_multimodal(modality)

    def _download_multimodal(self, modality: str) -> None:
        """Warn when the folder of a modality is absent; media are never downloaded."""
        self._warn_if_absent(self._storage(modality))

    def _get_dataset_args(self, is_train: bool) -> dict[str, Any]:
        """Return the data set's arguments beside its annotations: build_info.kwargs, processors and roots."""
        phase = "train" if is_train else "eval"
        kwargs = self.config.build_info.get("kwargs")
        arguments: dict[str, Any] = dict(OmegaConf.to_container(kwargs, resolve=True)) if kwargs else {}
        for modality in self.data_type:
            arguments[f"{_prefix(modality)}_processor"] = self.processors[phase][modality]
            arguments[f"{_prefix(modality)}_root"] = self._storage(modality)
        return arguments | {"text_processor": self.text_processors[phase], "modalities": list(self.data_type)}

    def _dataset_arguments(self, dataset_cls: Any, is_train: bool, ann_paths: list[str]) -> dict[str, Any]:
        arguments = self._get_dataset_args(is_train) | {"ann_paths": ann_paths}
        optional = {"vis_processor": None, "vis_root": None, "modality_type": self.modality_type}
        return accepted(dataset_cls, optional) | arguments


def _prefix(modality: str) -> str:
    # LAVIS's rule: every modality of images is configured and handed over as "vis".
    return "vis" if "image" in modality else modality
