"""What a LAVIS model is, and the pieces that models with queues and momentum share."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.distributed as dist
from omegaconf import OmegaConf
from torch import nn

from lavis.common.dist_utils import download_cached_file, is_dist_avail_and_initialized
from lavis.common.errors import ConfigError, WeightsError, nearest
from lavis.common.paths import LIBRARY_ROOT
from lavis.common.utils import is_url

logger = logging.getLogger(__name__)

# Parameters that weight decay leaves alone, by a part of their name.
NO_DECAY = ("bias", "ln", "bn")


class BaseModel(nn.Module):
    """A model that is built from a YAML and evaluated or trained by a runner.

    A subclass sets ``PRETRAINED_MODEL_CONFIG_DICT`` (type → YAML, relative to the package or
    absolute), writes ``from_config(cfg)`` and ``forward(samples)``, which returns a mapping with
    ``loss``; by convention ``generate``, ``predict_answers`` and ``extract_features``.
    """

    PRETRAINED_MODEL_CONFIG_DICT: ClassVar[Mapping[str, str]] = {}

    @property
    def device(self) -> torch.device:
        """Where the first parameter lies; the CPU if there is none."""
        return next((parameter.device for parameter in self.parameters()), torch.device("cpu"))

    # -- building ------------------------------------------------------------------------------

    @classmethod
    def default_config_path(cls, model_type: str) -> str:
        """Return the YAML of a model type.

        Raises:
            ConfigError: the model has no such type; names those it has.
        """
        types = cls.PRETRAINED_MODEL_CONFIG_DICT
        if model_type not in types:
            raise ConfigError(
                f"Unknown model type {model_type!r} of {cls.__name__}.{nearest(model_type, types)} "
                f"Known: {', '.join(types) or 'none'}."
            )
        return os.path.join(LIBRARY_ROOT, types[model_type])

    @classmethod
    def from_pretrained(cls, model_type: str = "base") -> BaseModel:
        """Build the model of a type from its YAML's ``model`` node."""
        path = cls.default_config_path(model_type)
        if not os.path.isfile(path):
            raise ConfigError(f"{cls.__name__} type {model_type!r}: {path} does not exist.")
        return cls.from_config(OmegaConf.load(path).model)

    @classmethod
    def from_config(cls, cfg: Any) -> BaseModel:
        """Build the model from its ``model`` node; a subclass writes it."""
        raise NotImplementedError(f"{cls.__name__} does not write from_config(cfg).")

    # -- weights -------------------------------------------------------------------------------

    def load_checkpoint(self, url_or_filename: str | os.PathLike[str]) -> Any:
        """Load weights from a file or URL; the file's ``model`` entry if it has one.

        Keys that the model or the file lacks are logged, both ways.

        Returns:
            torch's report with ``missing_keys`` and ``unexpected_keys``.

        Raises:
            WeightsError: no such file, not a checkpoint, or shapes that differ; names file and key.
        """
        path = _local_checkpoint(str(url_or_filename))
        state = read_checkpoint(path)
        weights = state.get("model", state)
        try:
            report = self.load_state_dict(weights, strict=False)
        except RuntimeError as error:
            raise WeightsError(f"{path} does not fit {type(self).__name__}: {error}") from error
        for kind, keys in (("missing in", report.missing_keys), ("unknown from", report.unexpected_keys)):
            if keys:
                logger.warning("%d keys %s %s: %s", len(keys), kind, path, ", ".join(keys[:20]))
        logger.info("loaded %s", path)
        return report

    def load_checkpoint_from_config(self, cfg: Any, **kwargs: Any) -> None:
        """Load what a ``model`` node names.

        ``load_finetuned`` (default true) loads ``finetuned``; otherwise ``pretrained`` unless
        ``load_pretrained`` is false.

        Raises:
            ConfigError: the path that is to be loaded is not set.
        """
        if cfg.get("load_finetuned", True):
            self.load_checkpoint(_needed(cfg, "finetuned", "load_finetuned"), **kwargs)
        elif cfg.get("load_pretrained", True):
            self.load_from_pretrained(_needed(cfg, "pretrained", "load_pretrained"), **kwargs)

    def load_from_pretrained(self, url_or_filename: str, **kwargs: Any) -> Any:
        """Load pre-trained weights; a subclass whose file needs care replaces it."""
        return self.load_checkpoint(url_or_filename)

    # -- hooks of tasks and runners ------------------------------------------------------------

    def before_training(self, **kwargs: Any) -> None:
        """Prepare for the first step; nothing by default."""

    def before_evaluation(self, **kwargs: Any) -> None:
        """Prepare for the evaluation of a split; nothing by default."""

    def get_optimizer_params(self, weight_decay: float, lr_scale: float = 1) -> list[dict[str, Any]]:
        """Return parameter groups: vectors, biases and norms do not decay."""
        decay: list[nn.Parameter] = []
        no_decay: list[nn.Parameter] = []
        for name, parameter in self.named_parameters():
            if not parameter.requires_grad:
                continue
            spared = parameter.ndim < 2 or any(part in name for part in NO_DECAY)
            (no_decay if spared else decay).append(parameter)
        return [
            {"params": decay, "weight_decay": weight_decay, "lr_scale": lr_scale},
            {"params": no_decay, "weight_decay": 0, "lr_scale": lr_scale},
        ]

    def show_n_params(self, return_str: bool = True) -> str | int:
        """Return the number of parameters, as ``12.3M`` / ``4.5K`` or as a number."""
        total = sum(int(np.prod(parameter.shape)) for parameter in self.parameters())
        if not return_str:
            return total
        return f"{total / 1e6:.1f}M" if total >= 1e6 else f"{total / 1e3:.1f}K"


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; tensors and plain data only, nothing is executed.

    Raises:
        WeightsError: it is no such file.
    """
    if str(path).endswith(".safetensors"):
        from safetensors.torch import load_file

        return load_file(str(path))
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds
        raise WeightsError(f"{path} cannot be read as a checkpoint of tensors and plain data: {error}") from error
    if not isinstance(state, dict):
        raise WeightsError(f"{path} holds {type(state).__name__}, not a checkpoint.")
    return state


def _local_checkpoint(url_or_filename: str) -> Path:
    if is_url(url_or_filename):
        return Path(download_cached_file(url_or_filename, check_hash=False))
    path = Path(url_or_filename).expanduser()
    if not path.is_file():
        raise WeightsError(f"checkpoint url or path is invalid: {url_or_filename!r} is no file.")
    return path


def _needed(cfg: Any, key: str, switch: str) -> str:
    path = cfg.get(key)
    if not path:
        raise ConfigError(f"model.{key} is not set though model.{switch} is true; name a file or set it to false.")
    return str(path)


class BaseEncoder(nn.Module):
    """An encoder: turns inputs into features."""

    def forward_features(self, samples: Any, **kwargs: Any) -> Any:
        """Return features; a subclass writes it."""
        raise NotImplementedError(f"{type(self).__name__} does not write forward_features.")

    @property
    def device(self) -> torch.device:
        """Where the first parameter lies."""
        return next(self.parameters()).device


class SharedQueueMixin:
    """A queue of past features for contrastive losses: buffers ``image_queue``, ``text_queue``, ``queue_ptr``."""

    @torch.no_grad()
    def _dequeue_and_enqueue(self, image_feat: torch.Tensor, text_feat: torch.Tensor, idxs: Any = None) -> None:
        """Write features [b, d] of all ranks into the queues [d, n], oldest first.

        Raises:
            ConfigError: the queue's size is no multiple of the batch over all ranks.
        """
        module: Any = self
        images, texts = concat_all_gather(image_feat), concat_all_gather(text_feat)
        size, start = images.shape[0], int(module.queue_ptr)
        if module.queue_size % size:
            raise ConfigError(f"queue_size {module.queue_size} is no multiple of the batch over all ranks, {size}.")
        module.image_queue[:, start : start + size] = images.T
        module.text_queue[:, start : start + size] = texts.T
        if idxs is not None:
            module.idx_queue[:, start : start + size] = concat_all_gather(idxs).T
        module.queue_ptr[0] = (start + size) % module.queue_size


class MomentumDistilationMixin:
    """Slow copies of modules: ``model_pairs`` lists (module, copy), ``momentum`` how slow."""

    @torch.no_grad()
    def copy_params(self) -> None:
        """Set each copy to its module and freeze it."""
        module: Any = self
        for pair in module.model_pairs:
            for source, copy in zip(pair[0].parameters(), pair[1].parameters(), strict=True):
                copy.data.copy_(source.data)
                copy.requires_grad = False

    @torch.no_grad()
    def _momentum_update(self) -> None:
        module: Any = self
        for pair in module.model_pairs:
            for source, copy in zip(pair[0].parameters(), pair[1].parameters(), strict=True):
                copy.data.mul_(module.momentum).add_(source.data, alpha=1.0 - module.momentum)


class GatherLayer(torch.autograd.Function):
    """Gathers tensors of all ranks and lets gradients flow back to each."""

    @staticmethod
    def forward(ctx: Any, tensor: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return every rank's tensor."""
        gathered = [torch.zeros_like(tensor) for _ in range(dist.get_world_size())]
        dist.all_gather(gathered, tensor)
        return tuple(gathered)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        """Return this rank's part of the gradient, summed over ranks."""
        stacked = torch.stack(gradients)
        dist.all_reduce(stacked)
        return stacked[dist.get_rank()]


def all_gather_with_grad(tensors: torch.Tensor) -> torch.Tensor:
    """Concatenate [b, …] of all ranks along b, with gradients; the tensor itself without a group."""
    if not is_dist_avail_and_initialized():
        return tensors
    return torch.cat(GatherLayer.apply(tensors), dim=0)  # type: ignore[no-untyped-call]


@torch.no_grad()
def concat_all_gather(tensor: torch.Tensor) -> torch.Tensor:
    """Concatenate [b, …] of all ranks along b, without gradients; the tensor itself without a group."""
    if not is_dist_avail_and_initialized():
        return tensor
    gathered = [torch.ones_like(tensor) for _ in range(dist.get_world_size())]
    dist.all_gather(gathered, tensor)
    return torch.cat(gathered, dim=0)


def tile(x: torch.Tensor, dim: int, n_tile: int) -> torch.Tensor:
    """Repeat each slice along a dimension ``n_tile`` times in a row."""
    return x.repeat_interleave(n_tile, dim=dim)
