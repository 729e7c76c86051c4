"""The order in which a CREMA model's modalities learn from a loader, and what is kept of their gradients."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from lavis.datasets.data_utils import prepare_sample


class Learning:
    """The batches of an (inner) epoch, a turn at each for every modality that learns, and what gradients tell.

    Without ``seq`` in ``model.task`` the batches are the loader's.

    Args:
        arguments: of the inner training loop.

    Attributes:
        arguments: the same with the batches in their turns.
        modalities: those that learn.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self.arguments = dict(arguments)
        self.model = getattr(arguments["model"], "module", arguments["model"])
        self.early_exit = getattr(self.model, "early_exit", None)
        self.modalities = [one.name for one in self.model.modalities]
        self._handle: Any = None

    def __enter__(self) -> Learning:
        if self.early_exit is not None:
            self.modalities = self.early_exit.learning()
            self._handle = self.early_exit.follow(self.model.adapter_parameters(), self.arguments["optimizer"])
        if self.model.settings.is_sequential:
            self._take_turns()
        return self

    def _take_turns(self) -> None:
        from lavis.models.crema_models.sequential import Turns

        loader, count = self.arguments["data_loader"], self.arguments["iters_per_epoch"]
        cuda_enabled = bool(self.arguments.get("cuda_enabled", False))
        # An endless loader must not be asked for a batch more than it is to give now.
        batches = loader if count is None else itertools.islice(iter(loader), count)
        self.arguments["data_loader"] = Turns(
            batches,
            self.model.encode,
            self.modalities,
            n_accumulated=int(self.arguments.get("accum_grad_iters", 1)),
            prepare=lambda batch: prepare_sample(batch, cuda_enabled=cuda_enabled),
        )
        self.arguments["iters_per_epoch"] = None if count is None else count * len(self.modalities)

    def __exit__(self, *_: Any) -> None:
        if self._handle is not None:
            self._handle.remove()

    def judged(self) -> dict[str, str]:
        """Judge the epoch and return what to log of it."""
        told = {} if self.early_exit is None else self.early_exit.end_epoch(self.arguments["epoch"])
        return {name: f"{value:.6g}" for name, value in told.items()}
