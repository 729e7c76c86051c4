"""Volumes, such as CT scans: one ``.npy``, ``.nii`` or ``.nii.gz`` per medium."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array, Clip, Loader, Sampling, first_with_suffix
from lavis.datasets.loaders.nifti import read_nifti
from lavis.datasets.loaders.sequence import read_array

VOLUME_SUFFIXES = (".npy", ".nii.gz", ".nii")
# 1 GiB as float32: 1024 slices of 512 × 512.
MAX_VOXELS = 1 << 28


class VolumeLoader(Loader):
    """Loads volumes [d, h, w] float32; NaN where the file has NaN, which stands for not measured.

    From ``.npy``, as M3D publishes them, [1, d, h, w] or [d, h, w]: the unit is ``0 … 1`` where all values lie
    there, else ``stored``. float32 files are mapped, not read. From NIfTI: the value with slope and intercept
    applied, unit ``stored`` (Hounsfield units in most CT), axes turned round so that the slowest comes first. Among
    the extras then, where the header knows them: ``spacing_mm`` [3] in d, h, w, and ``affine`` [4, 4], which takes
    (d, h, w, 1) to mm right, anterior, superior.

    Args:
        max_voxels: a larger volume is an error, before it is read.
    """

    modality = "volume"
    timed = False

    def __init__(self, *, max_voxels: int = MAX_VOXELS) -> None:
        if max_voxels < 1:
            raise ConfigError(f"volume: max_voxels must be at least 1, not {max_voxels}.")
        self.max_voxels = max_voxels

    @classmethod
    def locate(cls, root: Path, name: str, *, annotation: str) -> Path:
        """Return ``<root>/<name>`` where the name has a volume's suffix, else with the first suffix that exists."""
        return first_with_suffix(root, name, VOLUME_SUFFIXES, annotation=annotation)

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> Clip:
        """Read the volume; the sampling is ignored.

        Raises:
            ModalityError: missing, truncated, empty, too large, infinite, of another shape or kind, or a series of
                volumes; names medium and path.
        """
        if not path.is_file():
            raise ModalityError(
                f"{media_id}: volume {path} does not exist; check the storage of 'volume' in the data set's build_info."
            )
        extras: Mapping[str, Array] = {}
        if path.suffix.lower() == ".npy":
            stored = read_array(path, media_id=media_id, modality=self.modality)
            volume = stored[0] if stored.ndim == 4 and stored.shape[0] == 1 else stored
            self._check_shape(volume.shape, stored.shape, path=path, media_id=media_id)
            if volume.dtype.kind not in "iuf":
                raise ModalityError(f"{media_id}: volume {path} is stored as {volume.dtype}; store real numbers.")
            volume = volume.astype(np.float32, copy=False)
        elif path.name.lower().endswith(VOLUME_SUFFIXES):
            volume, extras = read_nifti(
                path,
                media_id=media_id,
                check_shape=lambda shape: self._check_shape(shape, shape, path=path, media_id=media_id),
            )
        else:
            raise ModalityError(f"{media_id}: {path} is no volume; expected {', '.join(VOLUME_SUFFIXES)}.")
        low, high = _range(volume)
        if not np.isfinite([low, high]).all():
            what = "no value" if np.isnan(low) else "infinite values"
            raise ModalityError(f"{media_id}: volume {path} holds {what}; write it again.")
        return Clip(
            media_id=media_id,
            modality=self.modality,
            array=volume,
            shape="d h w",
            unit="0 … 1" if path.suffix.lower() == ".npy" and low >= 0 and high <= 1 else "stored",
            path=path,
            extras=extras,
        )

    def _check_shape(self, shape: tuple[int, ...], stored: tuple[int, ...], *, path: Path, media_id: str) -> None:
        if len(shape) != 3 or 0 in shape:
            raise ModalityError(
                f"{media_id}: volume {path} has shape {tuple(stored)}, not [d, h, w] or [1, d, h, w] above 0."
            )
        n_voxels = shape[0] * shape[1] * shape[2]
        if n_voxels > self.max_voxels:
            raise ModalityError(
                f"{media_id}: volume {path} has {n_voxels} voxels {tuple(shape)}, max_voxels is {self.max_voxels}; "
                f"make it smaller, or set the volume option max_voxels."
            )


def _range(volume: Array) -> tuple[float, float]:
    """Return the smallest and largest value apart from NaN, slice by slice so that no copy is made."""
    lows = [np.fmin.reduce(one, axis=None) for one in volume]
    highs = [np.fmax.reduce(one, axis=None) for one in volume]
    return float(np.fmin.reduce(lows)), float(np.fmax.reduce(highs))
