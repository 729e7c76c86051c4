"""NIfTI files read with nibabel, through the path's own ``open``, so that they may lie in an archive."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.packages import required

# The first number of a header says which version it is, in either byte order.
HEADER_BYTES = {348: "Nifti1Image", 540: "Nifti2Image"}
MM_PER_UNIT = {"unknown": 1.0, "mm": 1.0, "meter": 1000.0, "micron": 0.001}
# Data may begin after extensions; none is longer than this.
MAX_OFFSET_BYTES = 1 << 26
CHUNK_BYTES = 1 << 20
MAX_REST_CHUNKS = 64


def read_nifti(
    path: Path, *, media_id: str, check_shape: Callable[[tuple[int, ...]], None]
) -> tuple[Array, dict[str, Array]]:
    """Read one volume.

    Args:
        path: ``.nii`` or ``.nii.gz``.
        media_id: named in errors.
        check_shape: called with (d, h, w) before any data are read; raises what it does not want.

    Returns:
        The volume [d, h, w] float32 with slope and intercept applied, and ``spacing_mm`` and ``affine`` where
        the header has them (see :class:`lavis.datasets.loaders.volume.VolumeLoader`).

    Raises:
        ModalityError: no NIfTI, truncated, damaged, a series of volumes, or not of real numbers.
    """
    nibabel = required("nibabel", modality="volume")
    try:
        with _unpacked(path) as stream:
            head = stream.read(4)
            stream.seek(0)
            sizes = (int.from_bytes(head, "little"), int.from_bytes(head, "big"))
            kind = next((HEADER_BYTES[size] for size in sizes if size in HEADER_BYTES), None)
            if kind is None:
                raise ModalityError(f"{media_id}: volume {path} does not begin like a NIfTI file; fetch it again.")
            holder = nibabel.FileHolder(fileobj=cast("Any", stream))
            image: Any = getattr(nibabel, kind).from_file_map({"header": holder, "image": holder})
            axes = tuple(int(side) for side in image.shape)
            if len(axes) > 3 and any(side != 1 for side in axes[3:]):
                raise ModalityError(f"{media_id}: volume {path} is a series: its shape is {axes}; cut out one volume.")
            check_shape(axes[2::-1] if len(axes) >= 3 else axes)
            if image.get_data_dtype().kind not in "iuf" or not 0 <= image.dataobj.offset <= MAX_OFFSET_BYTES:
                raise ModalityError(
                    f"{media_id}: volume {path} holds {image.get_data_dtype()} from byte {image.dataobj.offset} on; "
                    f"store real numbers right after the header."
                )
            scaled: Array = image.dataobj.__array__(np.float32).reshape(axes[:3])
            _read_on(stream)
            return np.ascontiguousarray(scaled.T, dtype=np.float32), _geometry(image)
    except (
        OSError,
        EOFError,
        ValueError,
        TypeError,
        ArithmeticError,
        LookupError,
        zlib.error,
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        nibabel.spatialimages.ImageDataError,
        nibabel.wrapstruct.WrapStructError,
    ) as error:
        raise ModalityError(f"{media_id}: volume {path} is truncated or damaged ({error}); fetch it again.") from error


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        if path.suffix.lower() != ".gz":
            yield file
            return
        with gzip.GzipFile(fileobj=file, mode="rb") as stream:
            yield cast("IO[bytes]", stream)


def _read_on(stream: IO[bytes]) -> None:
    """Read what lies after the data: the checksum of a gzip file is compared at its end."""
    for _ in range(MAX_REST_CHUNKS):
        if not stream.read(CHUNK_BYTES):
            return


def _geometry(image: Any) -> dict[str, Array]:
    header = image.header
    unit_mm = MM_PER_UNIT[header.get_xyzt_units()[0]]
    spacing_mm = np.array(header.get_zooms()[2::-1], dtype=np.float64) * unit_mm
    geometry = {}
    if np.isfinite(spacing_mm).all() and (spacing_mm > 0).all():
        geometry["spacing_mm"] = spacing_mm
    # Without a code nibabel makes an affine up.
    if int(header["sform_code"]) or int(header["qform_code"]):
        affine = np.array(image.affine, dtype=np.float64)[:, [2, 1, 0, 3]]
        affine[:3] *= unit_mm
        geometry["affine"] = affine
    return geometry
