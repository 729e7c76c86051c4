"""What a task is: the steps of training and evaluation, each a hook that a subclass may replace."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, ClassVar

from lavis.common.calls import accepted
from lavis.common.dist_utils import barrier, get_rank, get_world_size, is_main_process
from lavis.common.errors import ConfigError, nearest
from lavis.common.logger import MetricLogger
from lavis.common.registry import registry
from lavis.datasets.data_utils import prepare_sample
from lavis.store.entry_files import write_atomically
from lavis.tasks.results import dump_json, merge_ranks, rank_path

EVAL_LOG_FREQ = 10

logger = logging.getLogger(__name__)


class BaseTask:
    """The base of every task.

    Attributes:
        inst_id_key: the key by which a sample is known.
        default_runner: the runner where ``run.runner`` names none.
        config_keys: keys of ``run`` that this task reads beside the runner's.
        shards_evaluation: False for a task that must see a whole split on every rank (retrieval).
    """

    inst_id_key: ClassVar[str] = "instance_id"
    default_runner: ClassVar[str] = "runner_base"
    config_keys: ClassVar[frozenset[str]] = frozenset()
    shards_evaluation: ClassVar[bool] = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()

    @classmethod
    def setup_task(cls, **kwargs: Any) -> BaseTask:
        """Build the task; ``cfg`` is among the arguments."""
        return cls()

    # -- what is run ---------------------------------------------------------------------------

    def build_model(self, cfg: Any) -> Any:
        """Build the model that ``model.arch`` names.

        Raises:
            UnknownNameError: no model carries the name.
        """
        return registry.require("model", cfg.model_cfg.arch).from_config(cfg.model_cfg)

    def build_datasets(self, cfg: Any) -> dict[str, dict[str, Any]]:
        """Build every configured data set, only the splits that the run names if it names any.

        Returns:
            {name: {split: data set}}.

        Raises:
            ConfigError: no data set is configured, or a named split is in none of them.
        """
        if not cfg.datasets_cfg:
            raise ConfigError("At least one dataset has to be specified under datasets.")
        train_splits = [] if cfg.run_cfg.get("evaluate") else list(cfg.run_cfg.get("train_splits") or [])
        evaluated = [*(cfg.run_cfg.get("valid_splits") or []), *(cfg.run_cfg.get("test_splits") or [])]
        used = list(dict.fromkeys([*train_splits, *evaluated]))
        datasets = {}
        for name, node in cfg.datasets_cfg.items():
            builder = registry.require("builder", name)(node)
            wanted = {"splits": used, "train_splits": train_splits} if used else {}
            datasets[name] = builder.build_datasets(**accepted(builder.build_datasets, wanted))
        built = {split for splits in datasets.values() for split in splits}
        for split in used:
            if split not in built:
                raise ConfigError(
                    f"run names split {split!r}, which no data set has.{nearest(split, built)}"
                    f" There: {', '.join(sorted(built)) or 'none'}. Add build_info.annotations.{split}."
                )
        return datasets

    # -- steps ---------------------------------------------------------------------------------

    def train_step(self, model: Any, samples: Any) -> Any:
        """Return (loss, named losses) of a batch; a subclass may return the loss alone."""
        output = model(samples)
        return output["loss"], {name: value for name, value in output.items() if "loss" in name}

    def valid_step(self, model: Any, samples: Any) -> list[dict[str, Any]]:
        """Return the result rows of a batch."""
        raise NotImplementedError(f"{type(self).__name__} must write valid_step to evaluate.")

    def inference_step(self) -> Any:
        """Part of LAVIS's interface; nothing here calls it."""
        raise NotImplementedError(f"{type(self).__name__} has no inference_step.")

    def before_training(self, model: Any, dataset: Any, **kwargs: Any) -> None:
        """Let the model prepare for training."""
        if hasattr(model, "before_training"):
            model.before_training(dataset=dataset, task_type=type(self))

    def before_evaluation(self, model: Any, dataset: Any, **kwargs: Any) -> None:
        """Let the model prepare for evaluation."""
        if hasattr(model, "before_evaluation"):
            model.before_evaluation(dataset=dataset, task_type=type(self))

    def after_training(self, model: Any, folder: Path, **kwargs: Any) -> None:
        """Keep what is left of a training in a run's folder, once, on rank 0; nothing by default.

        The model is not wrapped and has the weights that validated best, or the last ones.
        """

    # -- loops ---------------------------------------------------------------------------------

    def evaluation(self, model: Any, data_loader: Any, cuda_enabled: bool = True) -> list[dict[str, Any]]:
        """Run ``valid_step`` over a loader.

        Args:
            model: in evaluation mode, not wrapped.
            data_loader: this rank's batches.
            cuda_enabled: move batches to the GPU.

        Returns:
            This rank's rows.
        """
        rows: list[dict[str, Any]] = []
        for samples in MetricLogger(delimiter="  ").log_every(data_loader, EVAL_LOG_FREQ, "Evaluation"):
            if not samples:
                logger.warning("A batch of the evaluation is empty; its samples have no result.")
                continue
            rows.extend(self.valid_step(model=model, samples=prepare_sample(samples, cuda_enabled=cuda_enabled)))
        barrier()
        return rows

    def after_evaluation(
        self, val_result: list[dict[str, Any]], split_name: str, epoch: Any, **kwargs: Any
    ) -> dict[str, Any] | None:
        """Keep and score the rows of a split.

        Returns:
            Metrics with ``agg_metrics`` (higher is better) on rank 0, None elsewhere. Here: None,
            which leaves the runner without a best epoch.
        """
        return None

    def train_epoch(
        self,
        epoch: int,
        model: Any,
        data_loader: Any,
        optimizer: Any,
        lr_scheduler: Any,
        scaler: Any = None,
        cuda_enabled: bool = False,
        log_freq: int = 50,
        accum_grad_iters: int = 1,
    ) -> dict[str, str]:
        """Train over a loader once; see :func:`lavis.tasks.train_loop.train_inner_loop`."""
        return self._train_inner_loop(
            epoch=epoch,
            iters_per_epoch=_length(data_loader),
            model=model,
            data_loader=data_loader,
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
            scaler=scaler,
            log_freq=log_freq,
            cuda_enabled=cuda_enabled,
            accum_grad_iters=accum_grad_iters,
        )

    def train_iters(
        self,
        epoch: int,
        start_iters: int,
        iters_per_inner_epoch: int,
        model: Any,
        data_loader: Any,
        optimizer: Any,
        lr_scheduler: Any,
        scaler: Any = None,
        cuda_enabled: bool = False,
        log_freq: int = 50,
        accum_grad_iters: int = 1,
    ) -> dict[str, str]:
        """Train over the next ``iters_per_inner_epoch`` batches of an endless loader."""
        return self._train_inner_loop(
            epoch=epoch,
            start_iters=start_iters,
            iters_per_epoch=iters_per_inner_epoch,
            model=model,
            data_loader=data_loader,
            optimizer=optimizer,
            lr_scheduler=lr_scheduler,
            scaler=scaler,
            log_freq=log_freq,
            cuda_enabled=cuda_enabled,
            accum_grad_iters=accum_grad_iters,
        )

    def _train_inner_loop(self, **kwargs: Any) -> dict[str, str]:
        from lavis.tasks.train_loop import train_inner_loop

        return train_inner_loop(self, **kwargs)

    # -- results -------------------------------------------------------------------------------

    @staticmethod
    def save_result(result: list[dict[str, Any]], result_dir: str, filename: str, remove_duplicate: str = "") -> str:
        """Write every rank's rows and merge them into one file; every rank must call it.

        Args:
            result: this rank's rows.
            result_dir: the run's result folder, the same on every rank.
            filename: of the merged file, without ``.json``.
            remove_duplicate: key whose equal values make one row.

        Returns:
            The merged file's path; it exists on every rank's return.

        Raises:
            LavisError: a rank's file is missing, or a row lacks the key.
        """
        folder = Path(result_dir)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(rank_path(folder, filename, get_rank()), dump_json(result))
        barrier()
        if is_main_process():
            merged = merge_ranks(folder, filename, get_world_size(), remove_duplicate, BaseTask.inst_id_key)
            logger.info("Result file saved to %s.", merged)
        barrier()
        return str(folder / f"{filename}.json")


def _length(data_loader: Any) -> int | None:
    try:
        return len(data_loader)
    except TypeError:  # a stream, or a loader over one
        return None
