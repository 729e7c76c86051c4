"""The runner ``runner_base``: trains by epochs, validates, keeps the best epoch, and tests it."""

from __future__ import annotations

import datetime
import logging
import math
import time
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import torch

from lavis.common.calls import accepted
from lavis.common.dist_utils import barrier, broadcast_object, get_rank, get_world_size, is_main_process
from lavis.common.errors import ConfigError, nearest
from lavis.common.registry import registry
from lavis.common.secrets import redact
from lavis.datasets.data_utils import concat_datasets, reorg_datasets_by_split
from lavis.runners import checkpoints
from lavis.runners.keeping import BEST, KeepsCheckpoints
from lavis.runners.loaders import EpochMixture, LoaderOptions, create_loader, sized
from lavis.runners.optimizers import WEIGHT_DECAY, create_optimizer, create_schedule
from lavis.runners.outputs import append_line, open_output
from lavis.runners.settings import RunSettings

logger = logging.getLogger(__name__)


@registry.register_runner("runner_base")
class RunnerBase(KeepsCheckpoints, RunSettings):
    """Runs a task on a model, in one process or as a rank of a group, on GPU or CPU.

    Args:
        cfg: the run's configuration; ``run_cfg`` and ``to_dict()`` are read.
        task: what a step is.
        model: not wrapped. What is trainable in it now is what checkpoints keep.
        datasets: {name: {split: data set}}.
        job_id: names the run's folder under ``run.output_dir``; rank 0's counts.
    """

    position_key = "epoch"

    def __init__(self, cfg: Any, task: Any, model: Any, datasets: Mapping[str, Any], job_id: str | None) -> None:
        self.config = cfg
        self.task = task
        self.job_id = job_id
        self.datasets: dict[str, Any] = dict(datasets)
        self.start_epoch = 0
        self.best_score: float | None = None
        self.best_position: int | None = None
        self._model: Any = model
        self._trainable = checkpoints.trainable_names(model)
        self._weights_restored = False
        self.setup_output_dir()

    def setup_output_dir(self) -> None:
        """Make the run's folder."""
        self.output = open_output(self._required("output_dir"), self.job_id)
        self.output_dir, self.result_dir = self.output.root, self.output.result

    # -- parts, made when they are first used ------------------------------------------------------

    @cached_property
    def model(self) -> Any:
        """The model on its device, wrapped for gradients to be shared if it is trained by several ranks."""
        self._model = self._model.to(self.device)
        if not self.use_distributed or self.evaluate_only or not self._trainable:
            return self._model
        return torch.nn.parallel.DistributedDataParallel(
            self._model,
            device_ids=[self.device] if self.cuda_enabled else None,
            find_unused_parameters=bool(self._run("find_unused_parameters", False)),
        )

    def unwrap_dist_model(self, model: Any) -> Any:
        """Return the model itself."""
        return model.module if isinstance(model, torch.nn.parallel.DistributedDataParallel) else model

    @cached_property
    def optimizer(self) -> Any:
        """AdamW over what is trained."""
        return create_optimizer(
            self.unwrap_dist_model(self.model),
            init_lr=self.init_lr,
            weight_decay=float(self._run("weight_decay", WEIGHT_DECAY)),
            beta2=float(self._run("beta2", 0.999)),
            lr_layer_decay=float(self._run("lr_layer_decay", 1)),
        )

    @cached_property
    def scaler(self) -> Any:
        """The gradient scaler of mixed precision, or None."""
        return torch.amp.GradScaler("cuda") if self.amp else None

    @cached_property
    def lr_scheduler(self) -> Any:
        """The schedule that ``run.lr_sched`` names."""
        arguments = {
            "optimizer": self.optimizer,
            "max_epoch": self.max_epoch,
            "iters_per_epoch": self.iters_per_epoch,
            "min_lr": self.min_lr,
            "init_lr": self.init_lr,
            "warmup_start_lr": float(self._run("warmup_lr", -1)),
            "warmup_steps": int(self._run("warmup_steps", 0)),
        }
        decay_rate = self._run("lr_decay_rate", None)
        if decay_rate is not None:
            arguments["decay_rate"] = float(decay_rate)
        return create_schedule(str(self._required("lr_sched")), arguments)

    @property
    def iters_per_epoch(self) -> int | None:
        """Batches of an epoch; None for a stream."""
        return sized(self.train_loader)

    # -- data ------------------------------------------------------------------------------------

    @cached_property
    def dataloaders(self) -> dict[str, Any]:
        """{split: loader} of the splits that the run names; ``datasets`` becomes {split: data set}."""
        by_split = self._by_split()
        train = [] if self.evaluate_only else self.train_splits
        used = list(dict.fromkeys([*train, *self.valid_splits, *self.test_splits]))
        for split in used:
            if split not in by_split:
                known = ", ".join(by_split) or "none"
                raise ConfigError(f"run names split {split!r}.{nearest(split, by_split)} There: {known}.")
        self.datasets = concat_datasets({split: by_split[split] for split in used}, train)
        return {split: self._create_split_loader(split, split in train) for split in used}

    def _by_split(self) -> dict[str, list[Any]]:
        return reorg_datasets_by_split(self.datasets)

    def _create_split_loader(self, split: str, is_train: bool) -> Any:
        parts = self.datasets[split] if isinstance(self.datasets[split], tuple) else (self.datasets[split],)
        for part in parts:
            logger.info("Split %s: %s samples.", split, len(part) if hasattr(part, "__len__") else "a stream of")
        loaders = self.create_loaders(parts, self.num_workers, self.batch_size(is_train), is_train, split)
        return self._train_mixture(loaders) if is_train else loaders[0]

    def create_loaders(
        self, datasets: Iterable[Any], num_workers: int, batch_size: int, is_train: bool, split: str = ""
    ) -> list[Any]:
        """Make a loader of each data set."""
        is_shared = is_train or self._shares_evaluation
        options = LoaderOptions(
            batch_size=batch_size,
            num_workers=num_workers,
            is_train=is_train,
            rank=get_rank() if is_shared else 0,
            world_size=get_world_size() if is_shared else 1,
            seed=self.seed,
            cuda_enabled=self.cuda_enabled,
        )
        return [create_loader(split, dataset, options) for dataset in datasets]

    @property
    def _shares_evaluation(self) -> bool:
        if self.use_dist_eval_sampler and not getattr(self.task, "shards_evaluation", True):
            if self.use_distributed:
                logger.warning(
                    "%s needs a whole split on every rank; set run.use_dist_eval_sampler=False to say so.",
                    type(self.task).__name__,
                )
            return False
        return self.use_dist_eval_sampler

    def _train_mixture(self, loaders: list[Any]) -> Any:
        if len(loaders) == 1:
            return loaders[0]
        return EpochMixture(loaders)

    @property
    def train_loader(self) -> Any:
        """The loader of the split that is trained on.

        Raises:
            ConfigError: ``run.train_splits`` does not name exactly one.
        """
        if len(self.train_splits) != 1:
            raise ConfigError(f"run.train_splits must name the one split to train on, not {self.train_splits}.")
        return self.dataloaders[self.train_splits[0]]

    # -- training ----------------------------------------------------------------------------------

    def train(self) -> None:
        """Train from the start or from a checkpoint, validate, and test what validated best."""
        began_s = time.monotonic()
        self.log_config()
        if self.evaluate_only:
            self._restore_weights()
            self._validate(0)
        else:
            self._train_all()
        test_epoch = BEST if self.evaluate_only or self.best_position is not None else self._last_position()
        self.evaluate(cur_epoch=test_epoch, skip_reload=self.evaluate_only)
        if not self.evaluate_only:
            self._finish_training(test_epoch)
        logger.info("Run took %s.", datetime.timedelta(seconds=int(time.monotonic() - began_s)))

    def _finish_training(self, test_epoch: Any) -> None:
        """Hand the weights that count to the task, which may keep them in a form of its own."""
        model = self.unwrap_dist_model(self.model)
        if test_epoch == BEST and not self.test_splits:
            self._reload_best_model(model)
        if is_main_process():
            self.task.after_training(model=model, folder=self.output.root)
        barrier()

    def _prepare_training(self) -> None:
        _ = self.train_loader  # first: what is wrong with the data should be known before anything is loaded
        model = self.unwrap_dist_model(self.model)
        self.task.before_training(model=model, dataset=self.datasets[self.train_splits[0]])
        if self.resume_ckpt_path is not None:
            self._load_checkpoint(self.resume_ckpt_path)

    def _train_all(self) -> None:
        self._prepare_training()
        for epoch in range(self.start_epoch, self.max_epoch):
            logger.info("Start training epoch %d.", epoch)
            self._begin_pass(epoch)
            self.log_stats(self.train_epoch(epoch), "train", epoch=epoch)
            self._after_epoch(epoch, position=epoch, is_last=epoch == self.max_epoch - 1)

    def _begin_pass(self, epoch: int) -> None:
        sampler: Any = getattr(self.train_loader, "sampler", None)
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(epoch)

    def train_epoch(self, epoch: int) -> Any:
        """Train one epoch."""
        self.model.train()
        return self.task.train_epoch(epoch=epoch, data_loader=self.train_loader, **self._train_arguments())

    def _train_arguments(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "optimizer": self.optimizer,
            "scaler": self.scaler,
            "lr_scheduler": self.lr_scheduler,
            "cuda_enabled": self.cuda_enabled,
            "log_freq": self.log_freq,
            "accum_grad_iters": self.accum_grad_iters,
        }

    def _after_epoch(self, epoch: int, position: int, is_last: bool) -> None:
        """Validate and save what is due after an (inner) epoch; ``position`` names it in files."""
        if self.valid_splits and (is_last or epoch % max(self.val_freq, 1) == 0):
            self._validate(position)
        always = not self.valid_splits and self.config.run_cfg.get("save_freq") is None
        due = self.save_freq > 0 and epoch % self.save_freq == 0
        if always or due or (is_last and self.save_last):
            self._save_checkpoint(position, is_best=False)

    def _validate(self, position: int) -> None:
        for split in self.valid_splits:
            metrics = self.eval_epoch(split, position, skip_reload=True)
            is_best = broadcast_object(is_main_process() and split == self.valid_splits[0] and self._improves(metrics))
            if is_best:
                self.best_score = broadcast_object(metrics and float(metrics["agg_metrics"]))
                self.best_position = position
                if not self.evaluate_only:
                    self._save_checkpoint(position, is_best=True)
            if metrics is not None:
                self._record({**metrics, f"best_{self.position_key}": self.best_position}, split, position)

    def _improves(self, metrics: Mapping[str, Any] | None) -> bool:
        if metrics is None:
            logger.warning("%s returned no metrics; no epoch is the best.", type(self.task).__name__)
            return False
        if "agg_metrics" not in metrics:
            raise ConfigError(f"{type(self.task).__name__}.after_evaluation returned no 'agg_metrics' to choose by.")
        score = float(metrics["agg_metrics"])
        if math.isnan(score):
            logger.warning("agg_metrics is not a number; this epoch cannot be the best.")
            return False
        return self.best_score is None or score > self.best_score

    # -- evaluation --------------------------------------------------------------------------------

    def evaluate(self, cur_epoch: Any = BEST, skip_reload: bool = False) -> dict[str, Any]:
        """Evaluate the test splits.

        Args:
            cur_epoch: names the epoch in results; ``best`` reloads the best checkpoint.
            skip_reload: evaluate the weights as they are, or those of ``run.resume_ckpt_path``.

        Returns:
            {split: metrics}; on other ranks than 0 the metrics are None.
        """
        if skip_reload:
            self._restore_weights()
        elif cur_epoch == BEST and self.test_splits:
            self._reload_best_model(self.unwrap_dist_model(self.model))
        found: dict[str, Any] = {}
        if not self.test_splits and self.evaluate_only:
            logger.warning("run.test_splits names no split: nothing is tested.")
        for split in self.test_splits:
            found[split] = self.eval_epoch(split, cur_epoch, skip_reload=True)
            if found[split] is not None:
                self._record(found[split], split, cur_epoch)
        return found

    @torch.no_grad()
    def eval_epoch(self, split_name: str, cur_epoch: Any, skip_reload: bool = False) -> Any:
        """Evaluate one split.

        Args:
            split_name: the split.
            cur_epoch: names the epoch in results; ``best`` reloads the best checkpoint.
            skip_reload: keep the weights as they are.

        Returns:
            Metrics on rank 0, None elsewhere.
        """
        loader = self.dataloaders.get(split_name)
        if loader is None:
            raise ConfigError(f"Split {split_name!r} has no loader; name it in run.valid_splits or run.test_splits.")
        model = self.unwrap_dist_model(self.model)
        if not skip_reload and cur_epoch == BEST:
            model = self._reload_best_model(model)
        model.eval()
        self.task.before_evaluation(model=model, dataset=self.datasets[split_name])
        device = accepted(self.task.evaluation, {"cuda_enabled": self.cuda_enabled})
        results = self.task.evaluation(model, loader, **device)
        if results is None:
            return None
        return self.task.after_evaluation(val_result=results, split_name=split_name, epoch=cur_epoch)

    def _last_position(self) -> Any:
        return self.max_epoch - 1

    # -- log ---------------------------------------------------------------------------------------

    def _record(self, metrics: Mapping[str, Any], split: str, position: Any) -> None:
        self.log_stats(metrics, split, **{self.position_key: position})
        append_line(self.output.evaluation, {"split": split, self.position_key: position, **metrics})

    def log_stats(self, stats: Any, split_name: str, **position: Any) -> None:
        """Append a line to the log: the position, then the numbers, their keys prefixed by the split."""
        if isinstance(stats, Mapping):
            append_line(self.output.log, position | {f"{split_name}_{key}": value for key, value in stats.items()})

    def log_config(self) -> None:
        """Append the configuration to the log, without secrets."""
        append_line(self.output.log, redact(self.config.to_dict()))
