"""Which samples a rank takes, and in which order: decided by seed and pass alone."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any

import torch
from torch.utils.data import DistributedSampler, Sampler

# Far apart, so that the seeds of neighbouring ranks and passes never meet.
PASS_STRIDE = 1_000_003


class TrainSampler(DistributedSampler[Any]):
    """Shuffles anew in every pass, the same way on every machine; also without a process group.

    Args:
        dataset: what is indexed.
        rank: this rank.
        world_size: number of ranks; the last ranks repeat samples where they do not divide the data.
        seed: the run's.

    Attributes:
        skip: samples of the next pass that are left out, for a run that goes on in the middle of it.
        generator: seeds the loader's workers; follows seed, rank and pass.
    """

    def __init__(self, dataset: Any, *, rank: int, world_size: int, seed: int) -> None:
        super().__init__(dataset, num_replicas=world_size, rank=rank, shuffle=True, seed=seed)
        self.skip = 0
        self.generator = torch.Generator()
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        super().set_epoch(epoch)
        self.generator.manual_seed(self.seed + self.rank + PASS_STRIDE * epoch)

    def __iter__(self) -> Iterator[int]:
        order = list(super().__iter__())
        start, self.skip = self.skip, 0
        return iter(order[start:])


class EvalSampler(Sampler[int]):
    """Gives each rank every ``world_size``-th sample, each sample to exactly one rank.

    Torch's own repeats samples until the ranks have equally many, which then count twice.
    """

    def __init__(self, dataset: Sized, *, rank: int, world_size: int) -> None:
        self.indices = range(rank, len(dataset), world_size)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)

    def __len__(self) -> int:
        return len(self.indices)
