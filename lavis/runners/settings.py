"""What a runner reads from ``run:``, each key once, under LAVIS's names."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

import torch

from lavis.common.dist_utils import is_dist_avail_and_initialized
from lavis.common.errors import ConfigError

SEED = 0

logger = logging.getLogger(__name__)


class RunSettings:
    """The keys of ``run`` as properties; a runner inherits it and sets ``config``."""

    config: Any

    def _run(self, key: str, default: Any) -> Any:
        value = self.config.run_cfg.get(key)
        return default if value is None else value

    def _required(self, key: str) -> Any:
        value = self.config.run_cfg.get(key)
        if value is None:
            raise ConfigError(f"run.{key} is missing.")
        return value

    @cached_property
    def device(self) -> torch.device:
        """Where the model is; the rank's own GPU in a distributed run.

        Raises:
            ConfigError: CUDA is asked for and absent.
        """
        device = torch.device(str(self._required("device")))
        if device.type != "cuda":
            return device
        if not torch.cuda.is_available():
            raise ConfigError("run.device is cuda, but no GPU can be used here; set run.device=cpu.")
        # The group's set-up has chosen this rank's GPU.
        return torch.device("cuda", torch.cuda.current_device()) if self.use_distributed else device

    @property
    def cuda_enabled(self) -> bool:
        """Whether batches are moved to a GPU."""
        return self.device.type == "cuda"

    @property
    def use_distributed(self) -> bool:
        """Whether there is a process group, whatever the configuration says."""
        return bool(is_dist_avail_and_initialized())

    @property
    def amp(self) -> bool:
        """Whether to train in mixed precision; on CUDA only."""
        wanted = bool(self._run("amp", False))
        if wanted and not self.cuda_enabled:
            logger.warning("run.amp is ignored: mixed precision needs run.device=cuda.")
        return wanted and self.cuda_enabled

    @property
    def max_epoch(self) -> int:
        """Epochs of the whole run."""
        return int(self._required("max_epoch"))

    @property
    def init_lr(self) -> float:
        """Learning rate after warm-up."""
        return float(self._required("init_lr"))

    @property
    def min_lr(self) -> float:
        """Learning rate at the end."""
        return float(self._required("min_lr"))

    @property
    def accum_grad_iters(self) -> int:
        """Batches per step of the optimizer."""
        return int(self._run("accum_grad_iters", 1))

    @property
    def log_freq(self) -> int:
        """Batches between two lines of the log."""
        return int(self._run("log_freq", 50))

    @property
    def save_freq(self) -> int:
        """Epochs between two checkpoints; 0 for none."""
        return int(self._run("save_freq", 5))

    @property
    def val_freq(self) -> int:
        """Epochs between two validations."""
        return int(self._run("val_freq", 1))

    @property
    def save_last(self) -> bool:
        """Whether the last epoch leaves a checkpoint."""
        return bool(self._run("save_last", True))

    @property
    def train_splits(self) -> list[str]:
        """Splits that are trained on."""
        return list(self._run("train_splits", []))

    @property
    def valid_splits(self) -> list[str]:
        """Splits that are validated on; the first one chooses the best epoch."""
        return list(self._run("valid_splits", []))

    @property
    def test_splits(self) -> list[str]:
        """Splits that are tested on at the end."""
        return list(self._run("test_splits", []))

    @property
    def evaluate_only(self) -> bool:
        """Whether nothing is trained."""
        return bool(self._run("evaluate", False))

    @property
    def use_dist_eval_sampler(self) -> bool:
        """Whether the ranks share a split in evaluation, or each sees all of it."""
        return bool(self._run("use_dist_eval_sampler", True))

    @property
    def resume_ckpt_path(self) -> str | None:
        """The checkpoint to go on from, or to evaluate."""
        path = self._run("resume_ckpt_path", None)
        return None if not path else str(path)

    @property
    def seed(self) -> int:
        """What data order follows."""
        return int(self._run("seed", SEED))

    @property
    def num_workers(self) -> int:
        """Processes per loader."""
        return int(self._run("num_workers", 0))

    def batch_size(self, is_train: bool) -> int:
        """Return the batch size of one rank by what a split is for."""
        return int(self._required("batch_size_train" if is_train else "batch_size_eval"))
