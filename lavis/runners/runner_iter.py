"""The runner ``runner_iter``: trains by iterations over an endless mixture of data sets."""

from __future__ import annotations

import logging
from typing import Any

from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.datasets.datasets.dataloader_utils import IterLoader, MultiIterLoader
from lavis.runners import checkpoints
from lavis.runners.runner_base import RunnerBase

logger = logging.getLogger(__name__)


@registry.register_runner("runner_iter")
class RunnerIter(RunnerBase):
    """Runs ``run.max_iters`` iterations; every ``run.iters_per_inner_epoch`` of them are an inner epoch.

    Checkpoints and results are named by the iterations done. ``run.train_dataset_ratios`` ({name:
    ratio}) draws batches from the data sets in that proportion.
    """

    position_key = "iters"

    def __init__(self, cfg: Any, task: Any, model: Any, datasets: Any, job_id: str | None) -> None:
        super().__init__(cfg, task, model, datasets, job_id)
        self.start_iters = 0
        self.names = list(datasets)
        self.iters_per_inner_epoch = self._positive("iters_per_inner_epoch")
        self.max_iters = self._positive("max_iters")
        self.ratios = self._read_ratios()

    def _positive(self, key: str) -> int:
        value = int(self._required(key))
        if value < 1:
            raise ConfigError(f"run.{key} must be at least 1, not {value}.")
        return value

    def _read_ratios(self) -> list[float] | None:
        ratios = self._run("train_dataset_ratios", None)
        if ratios is None:
            return None
        if set(ratios) != set(self.names):
            given = ", ".join(map(str, ratios))
            raise ConfigError(f"run.train_dataset_ratios names {given}; the data sets are {', '.join(self.names)}.")
        return [float(ratios[name]) for name in self.names]

    @property
    def max_epoch(self) -> int:
        """Inner epochs of the whole run."""
        return -(-self.max_iters // self.iters_per_inner_epoch)

    @property
    def iters_per_epoch(self) -> int | None:
        """Iterations of an inner epoch."""
        return self.iters_per_inner_epoch

    @property
    def cur_epoch(self) -> int:
        """Passes over the training data that are over; of the first loader in a mixture."""
        loader = self.train_loader
        return int((loader.loaders[0] if isinstance(loader, MultiIterLoader) else loader).epoch)

    # -- data ------------------------------------------------------------------------------------

    def _create_split_loader(self, split: str, is_train: bool) -> Any:
        if is_train and self.ratios is not None:
            parts = self._train_parts
            loaders = self.create_loaders(parts, self.num_workers, self.batch_size(True), True, split)
            return MultiIterLoader([IterLoader(loader, self.use_distributed) for loader in loaders], self.ratios)
        return super()._create_split_loader(split, is_train)

    def _by_split(self) -> dict[str, list[Any]]:
        by_split = super()._by_split()
        if self.ratios is not None:
            # Kept apart before they are joined: each has a ratio of its own.
            train = self.train_splits[0] if self.train_splits else ""
            lacking = [name for name in self.names if train not in self.datasets[name]]
            if lacking and not self.evaluate_only:
                raise ConfigError(f"run.train_dataset_ratios: {', '.join(lacking)} have no split {train!r}.")
            self._train_parts = list(by_split.get(train, []))
        return by_split

    def _train_mixture(self, loaders: list[Any]) -> Any:
        endless = [IterLoader(loader, self.use_distributed) for loader in loaders]
        return endless[0] if len(endless) == 1 else MultiIterLoader(endless)

    # -- training --------------------------------------------------------------------------------

    def _train_all(self) -> None:
        self._prepare_training()
        for start in range(self.start_iters, self.max_iters, self.iters_per_inner_epoch):
            done = min(start + self.iters_per_inner_epoch, self.max_iters)
            logger.info("Start training from iteration %d, pass %d.", start, self.cur_epoch)
            self.log_stats(self.train_iters(self.cur_epoch, start, done - start), "train", iters=done)
            self._after_epoch(start // self.iters_per_inner_epoch, position=done, is_last=done == self.max_iters)

    def train_iters(self, epoch: int, start_iters: int, count: int | None = None) -> Any:
        """Train the next iterations.

        Args:
            epoch: passes over the data that are over.
            start_iters: iterations done.
            count: iterations to do; an inner epoch by default.
        """
        self.model.train()
        return self.task.train_iters(
            epoch=start_iters // self.iters_per_inner_epoch,
            start_iters=start_iters,
            iters_per_inner_epoch=count or self.iters_per_inner_epoch,
            data_loader=self.train_loader,
            **self._train_arguments(),
        )

    # -- checkpoints -----------------------------------------------------------------------------

    def _checkpoint(self, position: int) -> checkpoints.Checkpoint:
        return super()._checkpoint(position) | {"train_loader": self.train_loader.state_dict()}

    def _set_position(self, checkpoint: checkpoints.Checkpoint) -> None:
        if "iters" not in checkpoint:
            raise ConfigError("The checkpoint counts epochs; resume it with run.runner=runner_base.")
        self.start_iters = int(checkpoint["iters"])
        if "train_loader" in checkpoint:
            self.train_loader.load_state_dict(checkpoint["train_loader"])

    def _last_position(self) -> Any:
        return self.max_iters
