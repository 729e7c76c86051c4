"""What a runner keeps in checkpoints and takes out of them again."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lavis.common.dist_utils import barrier, is_main_process
from lavis.common.errors import ConfigError
from lavis.common.secrets import redact
from lavis.runners import checkpoints, rng
from lavis.runners.outputs import OutputFolder

BEST = "best"

logger = logging.getLogger(__name__)


class KeepsCheckpoints:
    """The part of a runner that saves, resumes and reloads.

    Attributes:
        position_key: what the checkpoints count ("epoch", "iters").
        best_score: the best ``agg_metrics`` so far.
        best_position: when it was reached.
        start_epoch: the first epoch to train.
    """

    position_key = "epoch"
    config: Any
    model: Any
    optimizer: Any
    scaler: Any
    lr_scheduler: Any
    output: OutputFolder
    resume_ckpt_path: Any
    unwrap_dist_model: Any
    best_score: float | None
    best_position: int | None
    start_epoch: int
    _trainable: frozenset[str]
    _weights_restored: bool

    def _save_checkpoint(self, cur_epoch: int, is_best: bool = False) -> None:
        """Save what was trained; every rank must call it."""
        states = rng.gather()
        if is_main_process():
            checkpoint = self._checkpoint(cur_epoch) | {"rng": states}
            checkpoints.save(checkpoint, self.output.checkpoint(BEST if is_best else cur_epoch))
        barrier()

    def _checkpoint(self, position: int) -> checkpoints.Checkpoint:
        kept: checkpoints.Checkpoint = {
            "model": checkpoints.trimmed_state(self.unwrap_dist_model(self.model), self._trainable),
            "optimizer": self.optimizer.state_dict(),
            "config": redact(self.config.to_dict()),
            "scaler": self.scaler.state_dict() if self.scaler else None,
            "best": {"score": self.best_score, self.position_key: self.best_position},
            self.position_key: position,
        }
        if hasattr(self.lr_scheduler, "state_dict"):
            kept["lr_scheduler"] = self.lr_scheduler.state_dict()
        return kept

    def _load_checkpoint(self, url_or_filename: str) -> None:
        """Go on from a checkpoint: weights, optimizer, schedule, position, best epoch, random states."""
        checkpoint = checkpoints.load(url_or_filename)
        self._load_weights(checkpoint, url_or_filename)
        self._weights_restored = True
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        if self.scaler and checkpoint.get("scaler"):
            self.scaler.load_state_dict(checkpoint["scaler"])
        if checkpoint.get("lr_scheduler") and hasattr(self.lr_scheduler, "load_state_dict"):
            self.lr_scheduler.load_state_dict(checkpoint["lr_scheduler"])
        self._set_position(checkpoint)
        self._inherit_best(checkpoint.get("best") or {}, Path(url_or_filename).with_name("checkpoint_best.pth"))
        if checkpoint.get("rng"):
            rng.restore(checkpoint["rng"])
        logger.info("Resumed from %s (%s %s).", url_or_filename, self.position_key, checkpoint[self.position_key])

    def _load_weights(self, checkpoint: checkpoints.Checkpoint, source: str) -> None:
        model = self.unwrap_dist_model(self.model)
        checkpoints.restore_weights(model, checkpoint["model"], self._trainable, source)

    def _set_position(self, checkpoint: checkpoints.Checkpoint) -> None:
        if "epoch" not in checkpoint:
            raise ConfigError("The checkpoint counts iterations; resume it with run.runner=runner_iter.")
        self.start_epoch = int(checkpoint["epoch"]) + 1

    def _inherit_best(self, best: Mapping[str, Any], beside: Path) -> None:
        """Take over the best epoch so far, if its weights still lie beside the resumed checkpoint."""
        position = best.get(self.position_key)
        if position is None:
            return
        if not beside.is_file() or checkpoints.load(beside).get(self.position_key) != position:
            logger.warning(
                "The best epoch so far (%s) has no weights beside the checkpoint; it is forgotten.", position
            )
            return
        here = self.output.checkpoint(BEST)
        if is_main_process() and not (here.exists() and here.samefile(beside)):
            shutil.copy2(beside, here)
        barrier()
        self.best_score, self.best_position = best["score"], position

    def _restore_weights(self) -> None:
        """Load the weights of ``run.resume_ckpt_path``, once, to evaluate them."""
        if self.resume_ckpt_path is not None and not self._weights_restored:
            self._load_weights(checkpoints.load(self.resume_ckpt_path), self.resume_ckpt_path)
            self._weights_restored = True

    def _reload_best_model(self, model: Any) -> Any:
        """Load the best epoch's weights into the model; without one, say so and keep the present ones."""
        path = self.output.checkpoint(BEST)
        if not path.is_file():
            logger.warning("There is no %s: the present weights are evaluated.", path)
            return model
        checkpoints.restore_weights(model, checkpoints.load(path)["model"], self._trainable, str(path))
        return model
