"""Loaders around loaders: endless, mixed, and copied to the GPU ahead of time."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lavis.common.errors import ConfigError
from lavis.datasets.data_utils import apply_to_sample, move_to_cuda


class IterLoader:
    """A loader that never ends: when a pass is over, the next begins in another order.

    Args:
        dataloader: a sized or unsized loader.
        use_distributed: part of LAVIS's signature. The sampler is told the pass wherever it can be,
            in one process too.

    Attributes:
        epoch: passes that are over.
        batches: batches of this pass that were handed out.
    """

    def __init__(self, dataloader: Any, use_distributed: bool = False) -> None:
        self._dataloader = dataloader
        self._use_distributed = use_distributed
        self._iterator: Iterator[Any] | None = None
        self._epoch = 0
        self.batches = 0

    @property
    def epoch(self) -> int:
        """Passes that are over."""
        return self._epoch

    def __iter__(self) -> IterLoader:
        return self

    def __len__(self) -> int:
        return len(self._dataloader)

    def __next__(self) -> Any:
        if self._iterator is None:
            self._begin()
        try:
            batch = next(self._iterator)  # type: ignore[arg-type]
        except StopIteration:
            if self.batches == 0:
                raise ConfigError("A loader has no batch, not even in a new pass; is its data set empty?") from None
            self._epoch += 1
            self.batches = 0
            self._iterator = None
            return next(self)
        self.batches += 1
        return batch

    def _begin(self, skip: int = 0) -> None:
        sampler: Any = getattr(self._dataloader, "sampler", None)
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(self._epoch)
        if hasattr(sampler, "skip"):
            # Without reading what was read before the run was interrupted.
            sampler.skip = skip * self._dataloader.batch_size
            self._iterator = iter(self._dataloader)
        else:
            self._iterator = itertools.islice(iter(self._dataloader), skip, None)

    def state_dict(self) -> dict[str, int]:
        """Return where this loader is."""
        return {"epoch": self._epoch, "batches": self.batches}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Continue where another loader over the same data was."""
        self._epoch, self.batches = int(state["epoch"]), int(state["batches"])
        self._begin(skip=self.batches)


class MultiIterLoader:
    """Draws each batch from one of several endless loaders.

    Args:
        loaders: endless iterators.
        ratios: how often each is drawn from, in any unit; equally by default.

    Raises:
        ConfigError: not one positive ratio per loader, or a loader that cannot be drawn from.
    """

    def __init__(self, loaders: Sequence[Any], ratios: Sequence[float] | None = None) -> None:
        weights = [1.0] * len(loaders) if ratios is None else [float(ratio) for ratio in ratios]
        if len(weights) != len(loaders) or not loaders or min(weights) <= 0:
            raise ConfigError(f"{len(loaders)} loaders need as many positive ratios; got {weights}.")
        for loader in loaders:
            if not hasattr(loader, "__next__"):
                raise ConfigError(f"{type(loader).__name__} has no __next__; wrap it in IterLoader.")
        self.loaders = list(loaders)
        self.ratios = [weight / sum(weights) for weight in weights]

    def __iter__(self) -> MultiIterLoader:
        return self

    def __next__(self) -> Any:
        # Python's own generator: seeded by the run and kept in its checkpoints.
        return next(random.choices(self.loaders, self.ratios, k=1)[0])

    def state_dict(self) -> list[dict[str, int]]:
        """Return where each loader is."""
        return [loader.state_dict() for loader in self.loaders]

    def load_state_dict(self, states: Sequence[Mapping[str, int]]) -> None:
        """Continue where loaders over the same data were.

        Raises:
            ConfigError: another number of loaders.
        """
        if len(states) != len(self.loaders):
            raise ConfigError(f"The checkpoint has {len(states)} training loaders, this run {len(self.loaders)}.")
        for loader, state in zip(self.loaders, states, strict=True):
            loader.load_state_dict(state)


class PrefetchLoader:
    """Copies the next batch to the GPU while the present one is used; without a GPU, the loader itself.

    Args:
        loader: a loader whose batches have their tensors in pinned memory.
    """

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def __getattr__(self, name: str) -> Any:
        if name == "loader":  # not set yet: while a copy is made
            raise AttributeError(name)
        return getattr(self.loader, name)

    def __iter__(self) -> Iterator[Any]:
        import torch

        return self._ahead() if torch.cuda.is_available() else iter(self.loader)

    def _ahead(self) -> Iterator[Any]:
        import torch

        stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        upcoming: Any = None
        for batch in self.loader:
            with torch.cuda.stream(stream):
                copied = move_to_cuda(batch)
            if upcoming is not None:
                yield upcoming
            torch.cuda.current_stream().wait_stream(stream)
            _hold(copied)
            upcoming = copied
        if upcoming is not None:
            yield upcoming


def _hold(batch: Any) -> None:
    """Tell the allocator that the present stream uses what another stream made."""
    import torch

    def hold(tensor: Any) -> Any:
        tensor.record_stream(torch.cuda.current_stream())
        return tensor

    apply_to_sample(hold, batch)
