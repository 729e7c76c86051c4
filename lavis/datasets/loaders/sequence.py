"""What every modality with one value map per frame has in common: a folder of files, or one array file.

A modality is a subclass of :class:`SequenceLoader` that says what one file means.
"""

from __future__ import annotations

import abc
import re
import zipfile
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np
from PIL import Image, UnidentifiedImageError

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array, Clip, Loader, Sampling

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
ARRAY_SUFFIXES = (".npy", ".npz")


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Return a sorting key that puts ``frame10`` after ``frame2``."""
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]


def read_image(path: Path, *, media_id: str, modality: str) -> Image.Image:
    """Open and decode a whole image.

    Raises:
        ModalityError: missing, truncated or no image; names medium and path.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return image.copy()
    except FileNotFoundError as error:
        raise ModalityError(f"{media_id}: {modality} file {path} does not exist.") from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise ModalityError(
            f"{media_id}: {modality} image {path} is truncated or damaged ({error}); write it again."
        ) from error


def read_array(path: Path, *, media_id: str, modality: str, key: str | None = None) -> Array:
    """Read ``.npy``, or the one array (or the one called ``key``) of an ``.npz``; nothing is unpickled.

    Raises:
        ModalityError: missing, truncated, of objects, or several arrays of which none is ``key``.
    """
    try:
        loaded = np.load(path, mmap_mode="r" if path.suffix.lower() == ".npy" else None, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            name = key if key in loaded.files or len(loaded.files) != 1 else loaded.files[0]
            if name not in loaded.files:
                raise ModalityError(
                    f"{media_id}: {modality} file {path} holds {', '.join(loaded.files) or 'nothing'}; "
                    f"call the array {key!r}."
                )
            array: Array = loaded[name]
            return array
    except FileNotFoundError as error:
        raise ModalityError(f"{media_id}: {modality} file {path} does not exist.") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise ModalityError(
            f"{media_id}: {modality} array {path} is truncated or damaged ({error}); write it again."
        ) from error


class SequenceLoader(Loader):
    """Reads a modality that has one map per frame, from a folder of files or from one array file.

    A subclass sets ``shape``, ``unit``, ``suffixes`` (of the files of a folder) and writes :meth:`decode`
    and :meth:`convert`.

    Args:
        rate_hz: frames per s of the files; None where unknown (then there are no timestamps).
    """

    shape: ClassVar[str] = "t h w"
    unit: str = ""
    suffixes: ClassVar[tuple[str, ...]] = IMAGE_SUFFIXES + ARRAY_SUFFIXES
    # How many files fewer than frames a medium has: flow lies between two frames.
    missing_files: ClassVar[int] = 0

    def __init__(self, *, rate_hz: float | None = None) -> None:
        if rate_hz is not None and not rate_hz > 0:
            raise ConfigError(f"{self.modality}: rate_hz must be above 0, not {rate_hz}.")
        self.rate_hz = rate_hz

    @classmethod
    def locate(cls, root: Path, name: str, *, annotation: str) -> Path:
        """Return ``<root>/<name>``, or ``<root>/<name>.npy`` or ``.npz`` where only that exists."""
        folder = super().locate(root, name, annotation=annotation)
        if not folder.exists() and any(suffix in cls.suffixes for suffix in ARRAY_SUFFIXES):
            for suffix in ARRAY_SUFFIXES:
                if (file := folder.with_name(folder.name + suffix)).is_file():
                    return file
        return folder

    @abc.abstractmethod
    def decode(self, path: Path, *, media_id: str) -> Array:
        """Read the map of one frame from its own file, in final unit, dtype and shape (without t)."""

    def convert(self, array: Array, *, path: Path, media_id: str) -> Array:
        """Turn one frame of a stored array into final unit, dtype and shape (without t)."""
        raise ModalityError(f"{media_id}: {self.modality} at {path} cannot come as one array; use a folder of files.")

    def files(self, path: Path, *, media_id: str) -> list[Path]:
        """Return the files of a folder in natural order.

        Raises:
            ModalityError: no such folder, no file of a known suffix, or two files of one frame.
        """
        if not path.is_dir():
            state = "is no folder" if path.exists() else "does not exist"
            raise ModalityError(
                f"{media_id}: {self.modality} folder {path} {state}; expected files {self._known()} in it, "
                f"check the storage of {self.modality!r} in the data set's build_info."
            )
        entries = [entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith(".")]
        found = sorted((entry for entry in entries if entry.suffix.lower() in self.suffixes), key=natural_key)
        if not found:
            others = sorted({entry.suffix or "(none)" for entry in entries})
            raise ModalityError(
                f"{media_id}: {self.modality} folder {path} holds no file {self._known()}"
                f"({'only ' + ', '.join(others) if others else 'it is empty'}); extract the frames again."
            )
        stems = [entry.stem for entry in found]
        if len(set(stems)) < len(stems):
            twice = next(stem for stem in stems if stems.count(stem) > 1)
            raise ModalityError(
                f"{media_id}: {self.modality} folder {path} holds {twice!r} in two formats; keep one of them."
            )
        return found

    def count(self, path: Path, *, media_id: str) -> tuple[int, float | None]:
        """Return (number of frames, frames per s or None)."""
        stack = self._stack(path, media_id=media_id)
        n_files = len(self.files(path, media_id=media_id)) if stack is None else len(stack)
        return n_files + self.missing_files, self.rate_hz

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> Clip:
        """Read the frames of the sampling (every frame without one); opens no other file.

        Raises:
            ModalityError: missing, short, truncated or of the wrong kind; names medium and path.
        """
        stack = self._stack(path, media_id=media_id)
        files = [] if stack is not None else self.files(path, media_id=media_id)
        n_files = len(files) if stack is None else len(stack)
        if sampling is None:
            indices = tuple(range(n_files + self.missing_files))
            times = tuple(index / self.rate_hz for index in indices) if self.rate_hz else ()
            sampling = Sampling(indices, times, self.rate_hz)
        needed = max(sampling.indices, default=-1) + 1
        if not sampling.indices or n_files < needed - self.missing_files:
            raise ModalityError(
                f"{media_id}: {self.modality} at {path} has {n_files} frames, the sampling needs {needed}; "
                f"extract {self.modality} for every frame."
            )
        positions = [min(index, n_files - 1) for index in sampling.indices]
        if stack is not None:
            maps = [self.convert(stack[position], path=path, media_id=media_id) for position in positions]
        else:
            # Two positions may name one file (flow at the last frame); it is decoded once.
            decoded = {position: self.decode(files[position], media_id=media_id) for position in set(positions)}
            maps = [decoded[position] for position in positions]
        shapes = sorted({one.shape for one in maps})
        if len(shapes) > 1:
            raise ModalityError(
                f"{media_id}: {self.modality} at {path} changes its size from frame to frame "
                f"({', '.join(map(str, shapes))}); bring the frames to one size."
            )
        return Clip(
            media_id=media_id,
            modality=self.modality,
            array=np.stack(maps),
            shape=self.shape,
            unit=self.unit,
            path=path,
            indices=sampling.indices,
            timestamps_s=sampling.timestamps_s,
            rate_hz=sampling.rate_hz,
        )

    def _known(self) -> str:
        return "/".join(self.suffixes)

    def _stack(self, path: Path, *, media_id: str) -> Array | None:
        """Return the whole stored array [t, …] where the path is one array file."""
        if path.suffix.lower() not in ARRAY_SUFFIXES or not path.is_file():
            return None
        stack = read_array(path, media_id=media_id, modality=self.modality, key=self.modality)
        if stack.ndim != len(self.shape.split()) or not len(stack):
            raise ModalityError(
                f"{media_id}: {self.modality} array {path} has shape {stack.shape}, not [{self.shape}] with t > 0."
            )
        return stack

    def _array_map(self, path: Path, *, media_id: str) -> Array:
        """Read one frame's own array file and convert it."""
        array = read_array(path, media_id=media_id, modality=self.modality, key=self.modality)
        return self.convert(array, path=path, media_id=media_id)
