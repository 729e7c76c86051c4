"""Checkpoints: what was trained, written whole or not at all, and read back strictly."""

from __future__ import annotations

import logging
import os
import pickle
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lavis.common.errors import ConfigError, WeightsError

Checkpoint = dict[str, Any]
SHOWN_KEYS = 5

logger = logging.getLogger(__name__)


def trainable_names(model: torch.nn.Module) -> frozenset[str]:
    """Return the names of the parameters that are trained, tied ones under each of their names."""
    named = model.named_parameters(remove_duplicate=False)
    return frozenset(name for name, parameter in named if parameter.requires_grad)


def trimmed_state(model: torch.nn.Module, trainable: frozenset[str]) -> dict[str, torch.Tensor]:
    """Return the model's state without its frozen parameters.

    Args:
        model: not wrapped.
        trainable: names trained in this run. Those of the run's start: what a method freezes for a
            moment is trained all the same and must be kept.
    """
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    return {name: value for name, value in model.state_dict().items() if name in trainable or name not in parameters}


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint so that the path holds the old or the new one, never half of it.

    Raises:
        WeightsError: it cannot be written (no space); what lay there stays.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("wb") as stream:
            torch.save(checkpoint, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except (OSError, RuntimeError) as error:  # torch's writer turns some failures of the system into its own
        raise WeightsError(f"{path} cannot be written ({error}); what lay there before is still there.") from error
    finally:
        partial.unlink(missing_ok=True)
    logger.info("Checkpoint saved to %s.", path)


def load(path_or_url: str | Path) -> Checkpoint:
    """Read a checkpoint onto the CPU.

    Raises:
        ConfigError: there is no such file.
        WeightsError: it is no checkpoint, or holds more than tensors and plain values.
    """
    path = Path(_local(str(path_or_url))).expanduser()
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such checkpoint; correct run.resume_ckpt_path.")
    try:
        checkpoint: Checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{path}: cannot be read as a checkpoint ({error}).") from error
    if not isinstance(checkpoint, dict) or "model" not in checkpoint:
        raise WeightsError(f"{path}: has no 'model'; is it a checkpoint of a runner?")
    return checkpoint


def _local(path_or_url: str) -> str:
    if not path_or_url.startswith(("http://", "https://")):
        return path_or_url
    from lavis.common.dist_utils import download_cached_file

    return str(download_cached_file(path_or_url, check_hash=False, progress=True))


def restore_weights(
    model: torch.nn.Module, state: Mapping[str, torch.Tensor], trainable: frozenset[str], source: str
) -> None:
    """Load a trimmed state: every trained parameter must be there, frozen ones stay as they are.

    Args:
        model: not wrapped.
        state: what :func:`trimmed_state` returned.
        trainable: names trained in this run.
        source: the file, for errors.

    Raises:
        ConfigError: a trained parameter is missing or of another shape.
    """
    known = model.state_dict()
    missing = sorted(name for name in trainable if name not in state)
    if missing:
        raise ConfigError(
            f"{source}: lacks {len(missing)} of {len(trainable)} trained parameters ({_some(missing)});"
            " it belongs to another model or to other trainable parts."
        )
    changed = sorted(name for name, value in state.items() if name in known and known[name].shape != value.shape)
    if changed:
        raise ConfigError(f"{source}: {_some(changed)} have another shape in this model.")
    unknown = sorted(name for name in state if name not in known)
    if unknown:
        logger.warning("%s: %d entries have no place in the model (%s).", source, len(unknown), _some(unknown))
    model.load_state_dict(state, strict=False)


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN_KEYS]) + (", …" if len(names) > SHOWN_KEYS else "")
