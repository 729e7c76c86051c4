"""What every modality with one value map per frame has in common: a folder of files, or one array file.

A modality is a subclass of :class:`SequenceLoader` that says what one file means.
"""

from __future__ import annotations

import abc
import io
import os
import re
import struct
import time
import zipfile
import zlib
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from PIL import Image, UnidentifiedImageError

from lavis.common.arrays import again, load_array
from lavis.common.cores import usable_cores
from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array, Clip, Loader, Sampling

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
ARRAY_SUFFIXES = (".npy", ".npz")
# What a file of an image suffix may hold (MPO is read as JPEG); others start programs (EPS) or are never frames.
IMAGE_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
# Five times an 8k still, and where Pillow itself stops by default; a file of 100 kB can unpack to 10 GB.
MAX_IMAGE_PX = 178_956_970
Order = Literal["natural", "lexicographic"]
ORDERS: tuple[Order, ...] = get_args(Order)
# Counting a medium's frames and reading them are two steps, which need one listing. No lock, which a fork could find
# taken: each operation on the dict is whole by itself, and the order of two does not matter.
REMEMBERED_LISTINGS = 16
SETTLED_NS = 2_000_000_000
_LISTINGS: OrderedDict[tuple[Any, ...], list[Path]] = OrderedDict()


def natural_key(path: Path) -> list[tuple[int, int, str]]:
    """Return a sorting key that puts ``frame10`` after ``frame2``."""
    parts = re.split(r"([0-9]+)", path.name.lower())
    return [(0, int(part), part) if part.isdecimal() else (1, 0, part) for part in parts if part]


def read_image(path: Path, *, media_id: str, modality: str) -> Image.Image:
    """Open and decode a whole image; of one with several pictures (MPO, animated PNG) the first.

    Raises:
        ModalityError: missing, truncated, no image or larger than any camera's; names medium and path.
    """
    try:
        with path.open("rb") as stream:
            image = Image.open(stream, formats=IMAGE_FORMATS)
            if image.width * image.height > MAX_IMAGE_PX:
                raise ModalityError(
                    f"{media_id}: {modality} image {path} has {image.width}×{image.height} px, more than the "
                    f"{MAX_IMAGE_PX} that are read; make it smaller."
                )
            image.load()
            return image
    except FileNotFoundError as error:
        raise ModalityError(f"{media_id}: {modality} file {path} does not exist.") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ModalityError(
            f"{media_id}: {modality} image {path} is larger than any that is read ({error}); make it smaller."
        ) from error
    except UnidentifiedImageError as error:
        raise ModalityError(
            f"{media_id}: {modality} file {path} is damaged or no image ({', '.join(IMAGE_FORMATS)}); write it again."
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise ModalityError(
            f"{media_id}: {modality} image {path} is truncated or damaged ({error}); write it again."
        ) from error


def read_array(path: Path, *, media_id: str, modality: str, key: str | None = None) -> Array:
    """Read ``.npy``, or the one array (or the one called ``key``) of an ``.npz``; nothing is unpickled.

    Raises:
        ModalityError: missing, truncated, of objects, or several arrays of which none is ``key``.
    """
    try:
        is_on_disk = os.path.isfile(path)
        # A path object may stand for a part of an archive: such bytes are read through it and cannot be mapped.
        source = path if is_on_disk else io.BytesIO(path.read_bytes())
        mmap_mode: Literal["r"] | None = "r" if is_on_disk and path.suffix.lower() == ".npy" else None
        loaded = load_array(source, mmap_mode)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            name = key if key in loaded.files or len(loaded.files) != 1 else loaded.files[0]
            if name not in loaded.files:
                raise ModalityError(
                    f"{media_id}: {modality} file {path} holds {', '.join(loaded.files) or 'nothing'}; "
                    f"call the array {key!r}."
                )
            array: Array = again(lambda: loaded[name])
            return array
    except FileNotFoundError as error:
        raise ModalityError(f"{media_id}: {modality} file {path} does not exist.") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise ModalityError(
            f"{media_id}: {modality} array {path} is truncated or damaged ({error}); write it again."
        ) from error


def _listed(folder: Path) -> list[tuple[Path, bool]]:
    """Return (file, whether it is a link) of everything in a folder but folders and hidden files."""
    if not os.path.isdir(folder):  # a path object that stands for a part of an archive
        return [(entry, False) for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith(".")]
    # One call lists kinds too; asking each file for its own takes longer than decoding a frame.
    with os.scandir(folder) as entries:
        return [
            (folder / entry.name, entry.is_symlink())
            for entry in entries
            if not entry.name.startswith(".") and (entry.is_symlink() or entry.is_file())
        ]


class SequenceLoader(Loader):
    """Reads a modality that has one map per frame, from a folder of files or from one array file.

    A subclass sets ``shape``, ``unit``, ``suffixes`` (of the files of a folder) and writes :meth:`decode`
    and :meth:`convert`.

    Args:
        rate_hz: frames per s of the files; None where unknown (then there are no timestamps).
        order: ``natural`` puts ``frame10`` after ``frame2``; ``lexicographic`` compares names letter by letter, as
            CREMA does, and is what reproduces its frames where numbers are not padded.
        follow_links: read symbolic links that lead out of the folder that the medium's folder lies in.
    """

    shape: ClassVar[str] = "t h w"
    unit: str = ""
    suffixes: ClassVar[tuple[str, ...]] = IMAGE_SUFFIXES + ARRAY_SUFFIXES
    # How many files fewer than frames a medium has: flow lies between two frames.
    missing_files: ClassVar[int] = 0

    def __init__(
        self,
        *,
        rate_hz: float | None = None,
        order: Order = "natural",
        follow_links: bool = False,
    ) -> None:
        if rate_hz is not None and not rate_hz > 0:
            raise ConfigError(f"{self.modality}: rate_hz must be above 0, not {rate_hz}.")
        if order not in ORDERS:
            raise ConfigError(f"{self.modality}: order must be {' or '.join(ORDERS)}, not {order!r}.")
        self.rate_hz = rate_hz
        self.order = order
        self.follow_links = follow_links

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
        """Return the files of a folder in order.

        Raises:
            ModalityError: no such folder, no file of a known suffix, two files of one frame, or a link that leads
                nowhere or out of the folder's surroundings.
        """
        if not path.is_dir():
            state = "is no folder" if path.exists() else "does not exist"
            raise ModalityError(
                f"{media_id}: {self.modality} folder {path} {state}; expected files {self._known()} in it, "
                f"check the storage of {self.modality!r} in the data set's build_info."
            )
        if not os.path.isdir(path):  # a path object that stands for a part of an archive
            return self._find(path, media_id=media_id)
        modified_ns = path.stat().st_mtime_ns
        key = (path, modified_ns, self.suffixes, self.order, self.follow_links)
        remembered = _LISTINGS.get(key)
        if remembered is not None:
            return remembered
        found = self._find(path, media_id=media_id)
        # A change within one tick of the file system's clock leaves no trace: what is so young is not remembered.
        if time.time_ns() - modified_ns >= SETTLED_NS:
            _LISTINGS[key] = found
            if len(_LISTINGS) > REMEMBERED_LISTINGS:
                _LISTINGS.popitem(last=False)
        return found

    def _find(self, path: Path, *, media_id: str) -> list[Path]:
        listed = _listed(path)
        known = [(entry, is_link) for entry, is_link in listed if entry.suffix.lower() in self.suffixes]
        self._check_links([entry for entry, is_link in known if is_link], path, media_id=media_id)
        found = [entry for entry, _ in known]
        if self.order == "natural":
            found.sort(key=natural_key)
        else:
            found.sort(key=lambda entry: entry.name)
        if not found:
            others = sorted({entry.suffix or "(none)" for entry, _ in listed})
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
            distinct = sorted(set(positions))
            decoded = dict(zip(distinct, self._decode_all([files[at] for at in distinct], media_id), strict=True))
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

    def _decode_all(self, files: list[Path], media_id: str) -> list[Array]:
        """Decode files in threads: what reads and resizes images and arrays lets other threads run meanwhile."""
        n_threads = min(usable_cores(), len(files))
        if n_threads < 2:
            return [self.decode(file, media_id=media_id) for file in files]
        with ThreadPoolExecutor(n_threads) as pool:
            try:
                return list(pool.map(lambda file: self.decode(file, media_id=media_id), files))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _check_links(self, links: list[Path], folder: Path, *, media_id: str) -> None:
        surroundings = {folder.parent.resolve(), folder.resolve().parent} if links else set()
        for link in links:
            if not link.is_file():
                raise ModalityError(
                    f"{media_id}: {self.modality} file {link} is a link to {os.readlink(link)}, which is no file; "
                    f"remove the link or bring back what it leads to."
                )
            target = link.resolve()
            if not self.follow_links and not any(target.is_relative_to(root) for root in surroundings):
                raise ModalityError(
                    f"{media_id}: {self.modality} file {link} is a link to {target}, outside {folder.parent}; "
                    f"set the {self.modality} option follow_links: true where that is meant."
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
