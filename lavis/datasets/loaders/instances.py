"""Labelled object instances of a 3D scene: one JSON file per scene."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Loader, Sampling


@dataclasses.dataclass(frozen=True)
class Instance:
    """One object: an axis-aligned box in scene coordinates (m, z up) with its label.

    Attributes:
        instance_id: unique within its scene.
        label: the object's name ("office chair").
        center_m: middle of the box (x, y, z).
        size_m: full extents along x, y, z.
        color: a plain colour name, None where unknown.
    """

    instance_id: int
    label: str
    center_m: tuple[float, float, float]
    size_m: tuple[float, float, float]
    color: str | None = None


class InstancesLoader(Loader):
    """Loads the instances of a scene from ``<root>/<media_id>.json``.

    The file is a list of ``{"instance_id", "label", "center_m": [x, y, z], "size_m": [x, y, z], "color"}``
    (``color`` may be missing or null), or an object that holds the list under ``instances``.
    """

    modality = "instances"
    timed = False
    suffix = ".json"

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> tuple[Instance, ...]:
        """Read every instance in the order of the file; the sampling is ignored.

        Raises:
            ModalityError: missing, no JSON, no instances, or one that lacks a value; names medium, path and record.
        """
        data = read_json(path, media_id=media_id, modality=self.modality)
        records = data.get("instances") if isinstance(data, dict) else data
        if not isinstance(records, list) or not records:
            raise ModalityError(f"{media_id}: {path} holds no list of instances.")
        instances = tuple(_instance(record, f"{media_id}: instance {n} of {path}") for n, record in enumerate(records))
        if len({instance.instance_id for instance in instances}) < len(instances):
            raise ModalityError(f"{media_id}: {path} gives one instance_id twice; number the instances.")
        return instances


def read_json(path: Path, *, media_id: str, modality: str) -> Any:
    """Read a JSON file.

    Raises:
        ModalityError: missing or no JSON; names medium and path.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModalityError(
            f"{media_id}: {modality} file {path} does not exist; "
            f"check the storage of {modality!r} in the data set's build_info."
        ) from error
    except (OSError, ValueError) as error:
        raise ModalityError(f"{media_id}: {modality} file {path} cannot be read as JSON ({error}).") from error


def _instance(record: Any, where: str) -> Instance:
    if not isinstance(record, Mapping):
        raise ModalityError(f"{where} is no object.")
    label, color, number = record.get("label"), record.get("color"), record.get("instance_id")
    if not isinstance(label, str) or not label.strip():
        raise ModalityError(f"{where} has no label.")
    if not isinstance(number, int) or isinstance(number, bool):
        raise ModalityError(f"{where} ({label}) has no whole number as instance_id.")
    if color is not None and not isinstance(color, str):
        raise ModalityError(f"{where} ({label}) has color {color!r}; give a name or null.")
    size_m = _triple(record, "size_m", where)
    if min(size_m) < 0:
        raise ModalityError(f"{where} ({label}) has a size below 0: {list(size_m)}.")
    return Instance(number, label.strip(), _triple(record, "center_m", where), size_m, color)


def _triple(record: Mapping[str, Any], key: str, where: str) -> tuple[float, float, float]:
    value = record.get(key)
    if not isinstance(value, list) or len(value) != 3 or not all(_finite(number) for number in value):
        raise ModalityError(f"{where} needs {key} as [x, y, z] in m, not {value!r}.")
    x, y, z = (float(number) for number in value)
    return x, y, z


def _finite(number: Any) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < float("inf")
