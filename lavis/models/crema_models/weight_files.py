"""Files of weights, mapped instead of read where that can be, written whole or not at all."""

from __future__ import annotations

import dataclasses
import os
import pickle
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lavis.common.errors import WeightsError
from lavis.common.utils import is_url


@dataclasses.dataclass(frozen=True)
class WeightFile:
    """Tensors by name, and what the file says of itself (``modalities`` …)."""

    tensors: Mapping[str, torch.Tensor]
    about: Mapping[str, Any]


def open_weights(place: str) -> WeightFile:
    """Open a ``.safetensors`` file or a ``.pth`` of tensors and plain values; nothing in it is executed.

    Raises:
        WeightsError: missing, truncated, or holding code.
    """
    path = Path(_local(place)).expanduser()
    if not path.is_file():
        raise WeightsError(f"{place}: there is no such file of weights; docs/crema.md says where each comes from.")
    if path.suffix == ".safetensors":
        return _safetensors(path)
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=_can_be_mapped(path))
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, ValueError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise WeightsError(
            f"{path}: cannot be read as tensors and plain values ({said}); it is damaged, or holds code, which is "
            "never run."
        ) from error
    if not isinstance(held, dict):
        raise WeightsError(f"{path} holds {type(held).__name__}, not tensors by name.")
    tensors = held.get("model", held)
    config = held.get("config")
    model = config.get("model") if isinstance(config, dict) else None
    about = model if isinstance(model, dict) else {}
    if not isinstance(tensors, dict) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise WeightsError(f"{path} does not hold tensors by name.")
    return WeightFile(tensors, about)


def save_weights(tensors: Mapping[str, torch.Tensor], path: Path, about: Mapping[str, str]) -> None:
    """Write a ``.safetensors`` file so that the path holds the old or the new one, never half of it.

    Raises:
        WeightsError: it cannot be written (no space); what lay there stays.
    """
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        save_file(dict(tensors), str(partial), metadata=dict(about))
        with partial.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except Exception as error:  # the library has an error of its own for a full disk
        raise WeightsError(f"{path} cannot be written ({error}); what lay there is still there.") from error
    finally:
        partial.unlink(missing_ok=True)


def _safetensors(path: Path) -> WeightFile:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # it is no dict
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read as safetensors ({error}); fetch or write it again.") from error
    return WeightFile(tensors, about)


def _can_be_mapped(path: Path) -> bool:
    """Return whether it is a zip, as torch has written since release 1.6; older files are read whole."""
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _local(place: str) -> str:
    if not is_url(place):
        return place
    from lavis.common.dist_utils import download_cached_file

    return str(download_cached_file(place, check_hash=False, progress=True))
