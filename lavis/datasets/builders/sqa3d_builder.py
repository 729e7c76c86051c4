"""The builder ``sqa3d``: SQA3D on disk, or the sample that this project makes in its formats."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, ClassVar

from omegaconf import OmegaConf

from lavis.common.dist_utils import barrier, is_main_process
from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.datasets.builders.base_dataset_builder import MultiModalDatasetBuilder
from lavis.datasets.datasets.sqa3d_dataset import SQA3DDataset

logger = logging.getLogger(__name__)

# Two sources of one sample key; where both lie on disk, frames need no decoding.
INSTEAD_OF = {"video": "frame"}


@registry.register_builder("sqa3d")
class SQA3DBuilder(MultiModalDatasetBuilder):
    """Builds SQA3D from one root folder.

    ``build_info.root`` (by default from ``SQA3D_ROOT``) holds annotations, in itself or in
    ``annotations/``, and a folder or file per modality; each ``storage`` is relative to it or
    absolute. Keys of a modality's section beside ``storage`` are options of its loader.
    ``data_type: auto`` takes every modality whose storage exists. ``build_info.generate: true`` makes
    the project's sample and takes it as the root.
    """

    train_dataset_cls: ClassVar[Any] = SQA3DDataset
    eval_dataset_cls: ClassVar[Any] = SQA3DDataset
    DATASET_CONFIG_DICT: ClassVar[dict[str, str]] = {
        "default": "configs/datasets/sqa3d/default.yaml",
        "sample": "configs/datasets/sqa3d/sample.yaml",
    }

    def __init__(self, cfg: Any = None) -> None:
        super().__init__(cfg)
        # A copy: the caller's node, which ends in config.yaml, keeps what the user wrote.
        self.config = OmegaConf.create(OmegaConf.to_container(self.config, resolve=True))
        self.root = self._root()
        if self.data_type == ["auto"]:
            self.data_type = self._found_modalities()
            known = {name for name in registry.list_names("loader") if self.config.build_info.get(name) is not None}
            absent = sorted(known - set(self.data_type))
            logger.info("sqa3d: %s holds %s; not used: %s", self.root, self.data_type or "no modality", absent)

    def _root(self) -> Path:
        build_info = self.config.build_info
        if build_info.get("generate"):
            from lavis.datasets.sample import build_sample, sample_root

            if is_main_process():
                build_sample(sample_root())
            barrier()
            return sample_root()
        if not build_info.get("root"):
            raise ConfigError(
                "datasets.sqa3d.build_info.root is not set: set SQA3D_ROOT to the folder that holds SQA3D, "
                "or datasets.sqa3d.type=sample for the project's own sample."
            )
        root = Path(build_info.root).expanduser().resolve()
        if not root.is_dir():
            raise ConfigError(f"datasets.sqa3d.build_info.root (SQA3D_ROOT): {root} is no folder.")
        return root

    def _found_modalities(self) -> list[str]:
        sections = [name for name in registry.list_names("loader") if self.config.build_info.get(name) is not None]
        found = [name for name in sections if Path(self._storage(name)).exists()]
        return [name for name in found if INSTEAD_OF.get(name) not in found]

    def _get_absolute_path(self, path: str) -> str:  # type: ignore[override]  # needs the root
        return str(self.root / path)

    def _annotation_files(self) -> dict[str, Any]:
        for info in self.config.build_info.annotations.values():
            named = [info.storage] if isinstance(info.storage, str) else list(info.storage)
            info.storage = [str(self._annotation_path(name)) for name in named]
        return super()._annotation_files()

    def _annotation_path(self, name: str) -> Path:
        beside, inside = self.root / name, self.root / "annotations" / name
        return inside if inside.exists() and not beside.exists() else beside

    def _get_dataset_args(self, is_train: bool) -> dict[str, Any]:
        build_info = self.config.build_info
        arguments = super()._get_dataset_args(is_train)
        vocabulary = (build_info.get("answer_vocabulary") or {}).get("storage")
        options = {
            name: {key: value for key, value in OmegaConf.to_container(build_info[name]).items() if key != "storage"}
            for name in self.data_type
        }
        return arguments | {
            "answer_vocabulary": None if vocabulary is None else str(self._annotation_path(vocabulary)),
            "answer_examples": OmegaConf.to_container(build_info.get("answer_examples") or OmegaConf.create([])),
            "loader_options": {name: given for name, given in options.items() if given},
        }
