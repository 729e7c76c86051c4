"""Models by name, without a run: weights, device, and the processors that go with them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.processors.base_processor import BaseProcessor

if TYPE_CHECKING:
    import torch

    from lavis.models.base_model import BaseModel

PHASES = ("train", "eval")

Processors = dict[str, BaseProcessor]


def load_model(
    name: str,
    model_type: str,
    is_eval: bool = False,
    device: str | torch.device = "cpu",
    checkpoint: str | os.PathLike[str] | None = None,
) -> BaseModel:
    """Build a model of a type.

    Args:
        name: its registry name.
        model_type: one of its types, as ``model_zoo`` lists them.
        is_eval: switch dropout and its like off.
        device: where it goes; on a CPU its weights become float32.
        checkpoint: weights to load over those of the type: a file or a URL.

    Raises:
        UnknownNameError: no model carries the name; the nearest one is named.
        ConfigError: the model has no such type.
        WeightsError: the checkpoint is no file, or does not fit.
    """
    return _finish(registry.require("model", name).from_pretrained(model_type=model_type), is_eval, device, checkpoint)


def load_model_and_preprocess(
    name: str, model_type: str, is_eval: bool = False, device: str | torch.device = "cpu"
) -> tuple[BaseModel, Processors, Processors]:
    """Build a model of a type and the processors that its YAML names under ``preprocess``.

    Returns:
        (model, vis_processors, txt_processors), the processors as of :func:`load_preprocess`; those
        of a YAML without ``preprocess`` leave everything as it is.

    Raises:
        UnknownNameError, ConfigError: as of :func:`load_model`, and of an unknown processor.
    """
    cls = registry.require("model", name)
    path = cls.default_config_path(model_type)
    if not os.path.isfile(path):
        raise ConfigError(f"{cls.__name__} type {model_type!r}: {path} does not exist.")
    cfg = OmegaConf.load(path)
    vis_processors, txt_processors = load_preprocess(cfg.get("preprocess"))
    model = _finish(cls.from_pretrained(model_type=model_type), is_eval, device, None)
    return model, vis_processors, txt_processors


def load_preprocess(config: Any) -> tuple[Processors, Processors]:
    """Build the processors of a ``preprocess`` node: ``vis_processor`` and ``text_processor`` → train, eval → name.

    Args:
        config: the node, or None.

    Returns:
        ({train, eval}, {train, eval}) of vision and text; the identity where the node names none.

    Raises:
        UnknownNameError: a processor of that name does not exist; the nearest one is named.
        ConfigError: a phase has options and no ``name``.
    """
    return _phases(config, "vis_processor"), _phases(config, "text_processor")


def _phases(config: Any, kind: str) -> Processors:
    node = None if config is None else config.get(kind)
    return {
        phase: _processor(None if node is None else node.get(phase), f"preprocess.{kind}.{phase}") for phase in PHASES
    }


def _processor(cfg: Any, where: str) -> BaseProcessor:
    if cfg is None:
        return BaseProcessor()
    name = cfg.get("name")
    if not name:
        raise ConfigError(f"{where}.name is missing: name one of {', '.join(registry.list_processors())}.")
    processor: BaseProcessor = registry.require("processor", name).from_config(cfg)
    return processor


def _finish(
    model: BaseModel, is_eval: bool, device: str | torch.device, checkpoint: str | os.PathLike[str] | None
) -> BaseModel:
    import torch

    if checkpoint is not None:
        model.load_checkpoint(checkpoint)
    if is_eval:
        model.eval()
    target = torch.device(device)
    if target.type == "cpu":
        model.float()  # half precision is slow on a CPU, and some operations lack it
    return model.to(target)
