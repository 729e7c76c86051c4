"""Whether a CREMA model and its data fit together, said before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from lavis.common.dist_utils import get_world_size
from lavis.common.errors import ConfigError
from lavis.datasets.datasets.crema_samples import SAMPLE_FORMS
from lavis.models.crema_models.modalities import SKIP, read_modalities

# The model's name of what a loader reads, where it is another.
SAME = {"frame": "rgb", "video": "rgb"}


def check_run(cfg: Any) -> None:
    """Check what a training must not do: choose its best epoch on what is tested, or have ranks wait for gradients.

    Raises:
        ConfigError: a split is both validated on and tested on (names it and its file), or parameters without a
            gradient are trained by several ranks that do not expect them.
    """
    if cfg.run_cfg.get("evaluate"):
        return
    partly = "seq" in str(cfg.model_cfg.get("task")).split("-") or SKIP in str(cfg.model_cfg.get("modalities"))
    if partly and get_world_size() > 1 and not cfg.run_cfg.get("find_unused_parameters"):
        raise ConfigError(
            f"model.task or model.modalities ({cfg.model_cfg.get('task')}, {cfg.model_cfg.get('modalities')}) leaves "
            "parameters without a gradient, which several ranks would wait for: set run.find_unused_parameters=true."
        )
    valid, test = (list(cfg.run_cfg.get(name) or []) for name in ("valid_splits", "test_splits"))
    for name, node in cfg.datasets_cfg.items():
        files = {split: _files(node, split) for split in (*valid, *test)}
        for validated in valid:
            for tested in test:
                shared = files[validated] & files[tested]
                if validated == tested or shared:
                    what = f" ({', '.join(sorted(shared))})" if shared else ""
                    raise ConfigError(
                        f"datasets.{name}: {validated} is validated on and {tested} is tested on, which are the same"
                        f"{what}: the best epoch would be chosen on the test. Set run.valid_splits=[] to keep the last"
                        " epoch, or give the splits files of their own."
                    )


def _files(node: Any, split: str) -> set[str]:
    storage = OmegaConf.select(node, f"build_info.annotations.{split}.storage")
    if storage is None:
        return set()
    return {storage} if isinstance(storage, str) else {str(one) for one in storage}


def check_samples(name: str, dataset: Any, model: Mapping[str, Any]) -> None:
    """Check that a data set's samples hold what a model takes.

    Args:
        name: of the data set, for errors.
        dataset: one split; one that does not tell its modalities is not checked.
        model: the ``model`` node.

    Raises:
        ConfigError: modalities, number of frames or picture size differ.
    """
    loaders = [one for one in getattr(dataset, "modalities", ()) if one in SAMPLE_FORMS]
    if not hasattr(dataset, "modalities") or "modalities" not in model:
        return
    taken = {one.name: one for one in read_modalities(model["modalities"])}
    given = {SAME.get(one, one): one for one in loaders}
    for modality in taken:
        if modality not in given:
            raise ConfigError(
                f"model.modalities has {modality!r}, which datasets.{name}.data_type does not read (it reads "
                f"{', '.join(loaders) or 'nothing that a model takes'}); add its loader there, or take it out here."
            )
    for modality, loader in given.items():
        if modality not in taken:
            raise ConfigError(
                f"datasets.{name}.data_type reads {loader!r}, which model.modalities ({'_'.join(taken)}) does not "
                f"take; add {modality!r} there, or take it out here."
            )
    n_frames = int(model.get("frame_num") or 0)
    timed = [loader for modality, loader in given.items() if taken[modality].is_pictures]
    if timed and n_frames and getattr(dataset, "n_frames", n_frames) != n_frames:
        raise ConfigError(
            f"model.frame_num is {n_frames}, datasets.{name}.build_info.kwargs.n_frames is {dataset.n_frames}; "
            "make them equal."
        )
    for loader in timed:
        _check_processor(f"datasets.{name}.{loader}_processor", dataset.processors.get(loader), model)


def _check_processor(where: str, processor: Any, model: Mapping[str, Any]) -> None:
    for option, key in (("n_frms", "frame_num"), ("image_size", "image_size")):
        theirs, ours = getattr(processor, option, None), model.get(key)
        if theirs is not None and ours is not None and theirs != ours:
            raise ConfigError(f"{where}: {option} is {theirs}, model.{key} is {ours}; make them equal.")
