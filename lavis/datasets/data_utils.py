"""Helpers around samples and data sets that LAVIS's users call by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lavis.common.errors import ConfigError
from lavis.datasets.archives import extract_archive
from lavis.datasets.datasets.base_dataset import ConcatDataset
from lavis.datasets.video_utils import MAX_INT, load_video, sample_indices, save_frames_grid

__all__ = [
    "MAX_INT",
    "apply_to_sample",
    "concat_datasets",
    "extract_archive",
    "is_stream",
    "load_video",
    "move_to_cuda",
    "prepare_sample",
    "reorg_datasets_by_split",
    "sample_indices",
    "save_frames_grid",
]


# -- samples ---------------------------------------------------------------------------------


def apply_to_sample(f: Callable[[Any], Any], sample: Any) -> Any:
    """Apply ``f`` to every tensor of a nested sample; dicts, lists and tuples keep their kind."""
    import torch

    def apply(node: Any) -> Any:
        if torch.is_tensor(node):
            return f(node)
        if isinstance(node, Mapping):
            return {key: apply(value) for key, value in node.items()}
        if isinstance(node, list | tuple):
            values = [apply(value) for value in node]
            return type(node)(*values) if hasattr(node, "_fields") else type(node)(values)
        return node

    return {} if hasattr(sample, "__len__") and len(sample) == 0 else apply(sample)


def move_to_cuda(sample: Any) -> Any:
    """Copy every tensor of a sample to the current GPU."""
    return apply_to_sample(lambda tensor: tensor.cuda(non_blocking=True), sample)


def prepare_sample(samples: Any, cuda_enabled: bool = True) -> Any:
    """Return the batch where the model is: on the current GPU, or as it is."""
    return move_to_cuda(samples) if cuda_enabled else samples


# -- data sets -------------------------------------------------------------------------------


def reorg_datasets_by_split(datasets: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Turn {name: {split: data set}} into {split: [data sets]}."""
    by_split: dict[str, list[Any]] = {}
    for splits in datasets.values():
        for split, dataset in splits.items():
            by_split.setdefault(split, []).append(dataset)
    return by_split


def is_stream(dataset: Any) -> bool:
    """Tell whether a data set can only be iterated (webdataset pipelines and their like)."""
    from torch.utils.data import IterableDataset

    return isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__")


def concat_datasets(datasets: Mapping[str, Any], train_splits: Sequence[str] = ("train",)) -> dict[str, Any]:
    """Make one data set of each split.

    Args:
        datasets: {split: list of data sets}.
        train_splits: splits whose data sets are joined: those with an index into a
            ``ConcatDataset``, streams into a chain; both kinds give a tuple of the two.

    Returns:
        {split: data set}; a split that is not trained on has exactly one.

    Raises:
        ConfigError: several data sets share a split that is not trained on.
    """
    return {split: _join(split, found, split in train_splits) for split, found in datasets.items()}


def _join(split: str, found: Any, is_train: bool) -> Any:
    if not isinstance(found, list | tuple):
        return found
    if len(found) == 1:
        return found[0]
    if not is_train:
        raise ConfigError(
            f"Split {split!r} has {len(found)} data sets, and a score belongs to one: evaluate them in separate runs,"
            " or remove the split from all but one data set's annotations."
        )
    from torch.utils.data import ChainDataset

    indexed = [dataset for dataset in found if not is_stream(dataset)]
    streams = [dataset for dataset in found if is_stream(dataset)]
    joined: list[Any] = []
    if indexed:
        joined.append(indexed[0] if len(indexed) == 1 else ConcatDataset(indexed))
    if streams:
        joined.append(streams[0] if len(streams) == 1 else ChainDataset(streams))
    return joined[0] if len(joined) == 1 else tuple(joined)
