"""Data sets to loaders: batch size, order, workers and collation."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch.utils.data import DataLoader

from lavis.common.errors import ConfigError
from lavis.datasets.data_utils import is_stream
from lavis.datasets.datasets.dataloader_utils import IterLoader, MultiIterLoader, PrefetchLoader
from lavis.runners.samplers import EvalSampler, TrainSampler


@dataclasses.dataclass(frozen=True)
class LoaderOptions:
    """What the loaders of one split share."""

    batch_size: int
    num_workers: int
    is_train: bool
    rank: int
    world_size: int
    seed: int
    cuda_enabled: bool


def create_loader(split: str, dataset: Any, options: LoaderOptions) -> Any:
    """Make the loader of one data set.

    Args:
        split: for errors.
        dataset: indexed, or a stream, which shards itself.
        options: see there. ``world_size`` 1 gives this rank every sample.

    Raises:
        ConfigError: a training split does not fill one batch per rank.
    """
    arguments: dict[str, Any] = {
        "batch_size": options.batch_size,
        "num_workers": options.num_workers,
        "pin_memory": options.cuda_enabled,
        "collate_fn": _collater(dataset),
        "drop_last": options.is_train,
    }
    if is_stream(dataset):
        generator = torch.Generator().manual_seed(options.seed + options.rank)
        loader = DataLoader(dataset, generator=generator, **arguments)
    elif options.is_train:
        sampler = TrainSampler(dataset, rank=options.rank, world_size=options.world_size, seed=options.seed)
        loader = DataLoader(dataset, sampler=sampler, generator=sampler.generator, **arguments)
        if len(loader) == 0:
            raise ConfigError(
                f"Split {split!r} has {len(dataset)} samples for {options.world_size} rank(s), fewer than one batch of"
                f" {options.batch_size} each, and incomplete batches are not trained on: lower run.batch_size_train."
            )
    else:
        evaluated = EvalSampler(dataset, rank=options.rank, world_size=options.world_size)
        # A generator of its own: starting an evaluation must not move the run's random numbers.
        generator = torch.Generator().manual_seed(options.seed)
        loader = DataLoader(dataset, sampler=evaluated, generator=generator, **arguments)
    return PrefetchLoader(loader) if options.cuda_enabled else loader


def _collater(dataset: Any) -> Any:
    """Return the data set's collater, a chain's first member's, or None for torch's default."""
    members = getattr(dataset, "datasets", None) or [None]
    return getattr(dataset, "collater", None) or getattr(next(iter(members)), "collater", None)


def sized(loader: Any) -> int | None:
    """Return the number of batches of a loader, or None for one over a stream."""
    try:
        return len(loader)
    except TypeError:
        return None


class EpochMixture:
    """An epoch over loaders of both kinds: as many batches as those with a length have."""

    def __init__(self, loaders: list[Any]) -> None:
        self.lengths = [length for loader in loaders if (length := sized(loader)) is not None]
        if not self.lengths:
            raise ConfigError("Streams have no epochs; use run.runner=runner_iter.")
        self.mixed = MultiIterLoader([IterLoader(loader) for loader in loaders])

    def __len__(self) -> int:
        return sum(self.lengths)

    def __iter__(self) -> Any:
        return iter(self.mixed)
