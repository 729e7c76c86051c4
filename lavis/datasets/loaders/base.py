"""What a loader is, and the clip that it returns."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy.typing as npt

from lavis.common.errors import ModalityError
from lavis.common.options import check_options
from lavis.datasets.question import path_inside

Array = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class Clip:
    """One modality of one medium, as an array that knows its shape and unit.

    Attributes:
        media_id: the medium.
        modality: the loader's name (``frame``, ``depth``, …).
        array: the data.
        shape: its axes by letter, ``"t h w c"``.
        unit: ``uint8 RGB``, ``m``, ``px``, ``unit vectors`` …
        indices: which frames of the medium these are; empty where the modality has no time.
        timestamps_s: when they are, in s; empty where no rate is known.
        path: where it was read from.
        rate_hz: frames per s of the whole medium, None where unknown; neighbouring frames are 1 / rate_hz apart.
        extras: further arrays of the same medium by name (a point cloud's ``rgb``, ``features``).
    """

    media_id: str
    modality: str
    array: Array
    shape: str
    unit: str
    path: Path
    indices: tuple[int, ...] = ()
    timestamps_s: tuple[float, ...] = ()
    rate_hz: float | None = None
    extras: Mapping[str, Array] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.array.ndim != len(self.shape.split()):
            raise ModalityError(
                f"{self.media_id}: {self.modality} has {self.array.ndim} axes, not {self.shape!r} ({self.path})."
            )


@dataclasses.dataclass(frozen=True)
class Sampling:
    """Which frames are looked at: decided once per medium and handed to every loader.

    Attributes:
        indices: frame numbers from 0, ascending.
        timestamps_s: the same in s; empty where no rate is known.
        rate_hz: frames per s of the medium, None where unknown.
    """

    indices: tuple[int, ...]
    timestamps_s: tuple[float, ...] = ()
    rate_hz: float | None = None


class Loader(abc.ABC):
    """Reads one modality of one medium from disk.

    A subclass sets ``modality``, ``suffix`` (of its files; empty for folders) and writes :meth:`load`.
    Modalities without time (a point cloud, texts) set ``timed`` to False, ignore the sampling and return
    what their docstring says. Options are keyword-only parameters of ``__init__``.
    """

    modality: ClassVar[str]
    timed: ClassVar[bool] = True
    suffix: ClassVar[str] = ""

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Loader:
        """Build a loader from its options in the configuration.

        Raises:
            ConfigError: an option that the loader does not take; names the nearest one.
        """
        check_options(cls, options, f"build_info.{cls.modality}")
        return cls(**options)

    @classmethod
    def locate(cls, root: Path, name: str, *, annotation: str) -> Path:
        """Return where a medium of this modality lies under its root: ``<root>/<name><suffix>``.

        Raises:
            AnnotationError: the name leaves the root; ``annotation`` names the record.
        """
        return path_inside(root, name + cls.suffix, annotation=annotation)

    @classmethod
    def present(cls, path: Path, *, media_id: str) -> bool:
        """Return whether there is something at a place that :meth:`locate` gave, without opening it."""
        return path.exists()

    @abc.abstractmethod
    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> Any:
        """Read the medium at ``path``.

        Args:
            path: file or folder of this modality.
            media_id: named in errors.
            sampling: the frames to read; None for modalities without time.

        Raises:
            ModalityError: missing, short, truncated or of the wrong kind; names medium and path.
        """

    def count(self, path: Path, *, media_id: str) -> tuple[int, float | None]:
        """Return (number of frames, frames per s or None) of a timed modality without decoding it.

        Raises:
            ModalityError: the path holds no frames.
        """
        raise ModalityError(f"{media_id}: {self.modality} at {path} has no frames to count.")

    def times_s(self, path: Path, indices: Sequence[int], *, media_id: str, rate_hz: float | None) -> tuple[float, ...]:
        """Return when frames are shown, in s after the first; nothing where no rate is known.

        Args:
            path: file or folder of this modality.
            indices: frame numbers from 0.
            media_id: named in errors.
            rate_hz: what :meth:`count` said.
        """
        return tuple(index / rate_hz for index in indices) if rate_hz else ()


def first_with_suffix(root: Path, name: str, suffixes: Sequence[str], *, annotation: str) -> Path:
    """Return ``<root>/<name>`` where the name has one of the suffixes, else with the first one that exists.

    Where none does, the name with the first suffix.

    Raises:
        AnnotationError: the name leaves the root; ``annotation`` names the record.
    """
    whole = path_inside(root, name, annotation=annotation)
    if name.lower().endswith(tuple(suffixes)):
        return whole
    candidates = [path_inside(root, name + suffix, annotation=annotation) for suffix in suffixes]
    return next((path for path in candidates if path.is_file()), candidates[0])
