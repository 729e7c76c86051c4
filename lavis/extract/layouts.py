"""How a map becomes a file, and how the files of a medium lie on disk."""

from __future__ import annotations

import dataclasses
import errno
import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.flow import FLO_MAGIC

# Counted from 1, as ffmpeg does; a sixth digit sorts right in the loaders.
FILE_NAME = "{:05d}"
PNG_COMPRESSION = 1  # of 9: the others take several times as long for a few per cent
MILLIMETRES_MAX = 65535


# A file's bytes, in pieces so that large ones are not copied.
Pieces = Sequence[bytes | memoryview]


@dataclasses.dataclass(frozen=True)
class Layout:
    """One way to store a modality.

    Attributes:
        suffix: of a frame's file.
        encode: a map to the file's bytes.
        loader: options of the modality's loader that read it back.
        packed: one tar a medium instead of a folder.
    """

    suffix: str
    encode: Callable[[Array], Pieces]
    loader: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    packed: bool = False

    @property
    def medium_suffix(self) -> str:
        """Of what a medium becomes: empty for a folder."""
        return ".tar" if self.packed else ""


class Sink(Protocol):
    """Takes the files of a medium, in order."""

    def write(self, pieces: Pieces) -> None:
        """Write the next frame's file."""

    def close(self) -> None:
        """End the medium."""


class FolderSink:
    """Writes ``<folder>/00001.flo`` and so on."""

    def __init__(self, folder: Path, suffix: str) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._suffix = suffix
        self._number = 0

    def write(self, pieces: Pieces) -> None:
        """Write the next frame's file."""
        self._number += 1
        path = self._folder / (FILE_NAME.format(self._number) + self._suffix)
        with path.open("wb", buffering=0) as file:
            for piece in pieces:
                if file.write(piece) != len(piece):
                    raise OSError(errno.ENOSPC, "written in part", str(path))

    def close(self) -> None:
        """Do nothing: every file is whole."""


class TarSink:
    """Writes a webdataset shard with the keys ``<media_id>/00001`` and so on; the same bytes every time."""

    def __init__(self, path: Path, suffix: str, media_id: str) -> None:
        import webdataset

        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = webdataset.TarWriter(str(path), encoder=False, mtime=0.0, user="lavis", group="lavis")
        self._extension = suffix.removeprefix(".")
        self._media_id = media_id
        self._number = 0

    def write(self, pieces: Pieces) -> None:
        """Write the next frame's file."""
        self._number += 1
        key = f"{self._media_id}/{FILE_NAME.format(self._number)}"
        self._writer.write({"__key__": key, self._extension: b"".join(pieces)})

    def close(self) -> None:
        """Write the end of the tar."""
        self._writer.close()


def open_sink(layout: Layout, target: Path, media_id: str) -> Sink:
    """Return where a medium's files go."""
    return TarSink(target, layout.suffix, media_id) if layout.packed else FolderSink(target, layout.suffix)


def unpack_some(tar: Path, folder: Path) -> int:
    """Write the first, the middle and the last file of a tar to a new folder; returns how many files it holds."""
    with tarfile.open(tar) as packed:
        members = packed.getmembers()
        folder.mkdir()
        for position in sorted({0, len(members) // 2, len(members) - 1} & set(range(len(members)))):
            stream = packed.extractfile(members[position])
            if stream is not None:
                (folder / Path(members[position].name).name).write_bytes(stream.read())
    return len(members)


# -- maps to bytes ---------------------------------------------------------------------------


def flo(flow_px: Array) -> Pieces:
    """Encode flow [h, w, 2] px as ``.flo``."""
    height, width, _ = flow_px.shape
    header = FLO_MAGIC.astype("<f4").tobytes() + np.array([width, height], "<i4").tobytes()
    return header, np.ascontiguousarray(flow_px, "<f4").data.cast("B")


def npy(dtype: str) -> Callable[[Array], Pieces]:
    """Return an encoder to ``.npy`` of a dtype."""

    def encode(array: Array) -> Pieces:
        stream = io.BytesIO()
        np.save(stream, np.ascontiguousarray(array, dtype), allow_pickle=False)
        return (stream.getbuffer(),)

    return encode


def jpeg(quality: int) -> Callable[[Array], Pieces]:
    """Return an encoder of pictures [h, w, 3] uint8 RGB to JPEG."""

    def encode(picture: Array) -> Pieces:
        import cv2

        return _image(".jpg", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])

    return encode


def png(codes: Array) -> Pieces:
    """Encode codes [h, w] (8 or 16 bits) or [h, w, 3] (8 bits, RGB) as PNG."""
    import cv2

    ordered = np.ascontiguousarray(codes[..., ::-1]) if codes.ndim == 3 else codes
    return _image(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION])


def flow_codes(low: float, high: float) -> Callable[[Array], Array]:
    """Return a coder of flow [h, w, 2] px to [h, w, 3] uint8: red right, green down, blue 0; ``low`` is 0."""

    def code(flow_px: Array) -> Array:
        codes = np.zeros((*flow_px.shape[:2], 3), np.uint8)
        scaled = (flow_px - np.float32(low)) * np.float32(255 / (high - low)) + np.float32(0.5)
        codes[..., :2] = np.clip(scaled, 0, 255, out=scaled)
        return codes

    return code


def normal_codes(normals: Array) -> Array:
    """Return unit vectors [h, w, 3] as ``rgb / 127.5 - 1`` codes; black where unknown."""
    known = np.isfinite(normals).all(axis=-1, keepdims=True)
    return np.where(known, np.rint((np.where(known, normals, 0) + 1) * 127.5), 0).astype(np.uint8)


def millimetre_codes(depth_m: Array) -> Array:
    """Return depth [h, w] m as uint16 mm; 0 where unknown, nearer than half a mm or beyond 65.535 m."""
    millimetres = np.rint(np.where(np.isfinite(depth_m), depth_m, 0) * 1000)
    return np.where((millimetres >= 0) & (millimetres <= MILLIMETRES_MAX), millimetres, 0).astype(np.uint16)


def relative_codes(relative: Array) -> Array:
    """Return values 0 … 1 [h, w] as uint8 1 … 255; 0 where unknown."""
    known = np.isfinite(relative)
    return np.where(known, np.rint(1 + np.clip(np.where(known, relative, 0), 0, 1) * 254), 0).astype(np.uint8)


def stretched(values: Array) -> Array:
    """Return values [h, w] scaled to 0 … 1 by the frame's own smallest and largest; a flat frame becomes 0.5."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if high <= low:
        return np.where(np.isfinite(values), np.float32(0.5), np.float32(np.nan))
    scaled: Array = ((values - low) / (high - low)).astype(np.float32)
    return scaled


def _image(suffix: str, ordered: Array, parameters: list[int]) -> Pieces:
    import cv2

    done, data = cv2.imencode(suffix, ordered, parameters)
    if not done:
        raise ModalityError(f"a picture of shape {ordered.shape} and {ordered.dtype} cannot become {suffix}.")
    return (data.tobytes(),)
