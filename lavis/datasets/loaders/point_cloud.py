"""Point clouds of scenes: xyz with colour, or the voxel features of 3D-LLM that CREMA reads."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from lavis.common.arrays import load_array
from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array, Clip, Loader, Sampling
from lavis.datasets.loaders.ply import read_ply_vertices
from lavis.datasets.loaders.sequence import read_array
from lavis.datasets.question import path_inside

# CREMA's two folders: features [n, 1408] as .pt, and voxels [n, 3] as .npy.
FEATURES_FOLDER = "voxelized_features_sam_nonzero_preprocess"
VOXELS_FOLDER = "voxelized_voxels_sam_nonzero_preprocess"
FEATURE_WIDTH = 1408
EXTRAS = ("rgb", "instance")


class PointCloudLoader(Loader):
    """Loads points as a clip ``n c`` with c = x, y, z.

    From ``.npz`` (``xyz`` and optional ``rgb`` [n, 3] uint8, ``instance`` [n]) or ``.ply``: float32 m in scene
    coordinates. From CREMA's layout: integer voxels, with ``features`` [n, 1408] float32 among the extras.

    Args:
        max_points: keep at most this many, spread evenly over the file's order; None keeps all.
    """

    modality = "pc"
    timed = False

    def __init__(self, *, max_points: int | None = None) -> None:
        if max_points is not None and max_points < 1:
            raise ConfigError(f"pc: max_points must be at least 1, not {max_points}.")
        self.max_points = max_points

    @classmethod
    def locate(cls, root: Path, name: str, *, annotation: str) -> Path:
        """Return the scene's file: CREMA's features if the root has their folder, else ``.npz`` or ``.ply``."""
        features = root / FEATURES_FOLDER
        folder, suffixes = (features, (".pt", ".npy")) if features.is_dir() else (root, (".npz", ".ply"))
        candidates = [path_inside(folder, name + suffix, annotation=annotation) for suffix in suffixes]
        return next((path for path in candidates if path.is_file()), candidates[0])

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> Clip:
        """Read the points; the sampling is ignored.

        Raises:
            ModalityError: missing, truncated, without points or of the wrong kind; names medium and path.
        """
        if not path.is_file():
            raise ModalityError(
                f"{media_id}: point cloud {path} does not exist; "
                f"check the storage of 'pc' in the data set's build_info."
            )
        if path.parent.name == FEATURES_FOLDER:
            voxels_path = path.parent.parent / VOXELS_FOLDER / (path.stem + ".npy")
            points = read_array(voxels_path, media_id=media_id, modality=self.modality)
            unit, extras = "voxels", {"features": _features(path, media_id=media_id)}
            if points.dtype.kind not in "iu":
                raise ModalityError(f"{media_id}: voxels {voxels_path} are {points.dtype}, not whole numbers.")
        else:
            points, extras = _read_points(path, media_id=media_id)
            unit = "m"
        self._check(points, extras, path=path, media_id=media_id)
        kept = self._kept(len(points))
        return Clip(
            media_id=media_id,
            modality=self.modality,
            array=np.asarray(points[kept]),
            shape="n c",
            unit=unit,
            path=path,
            extras={name: np.asarray(array[kept]) for name, array in extras.items()},
        )

    def _kept(self, n_points: int) -> Array | slice:
        if self.max_points is None or n_points <= self.max_points:
            return slice(None)
        return np.arange(self.max_points) * n_points // self.max_points

    @staticmethod
    def _check(points: Array, extras: dict[str, Array], *, path: Path, media_id: str) -> None:
        if points.ndim != 2 or points.shape[1] != 3 or not len(points):
            raise ModalityError(f"{media_id}: point cloud {path} has shape {points.shape}, not [n, 3] with n > 0.")
        for name, array in extras.items():
            if len(array) != len(points):
                raise ModalityError(f"{media_id}: {path} has {len(points)} points but {len(array)} of {name!r}.")


def _features(path: Path, *, media_id: str) -> Array:
    array = _tensor(path, media_id=media_id) if path.suffix.lower() == ".pt" else None
    if array is None:
        array = read_array(path, media_id=media_id, modality="pc")
    if array.ndim != 2 or array.shape[1] != FEATURE_WIDTH or array.dtype.kind != "f":
        raise ModalityError(
            f"{media_id}: features {path} are {array.dtype} {array.shape}, not floats [n, {FEATURE_WIDTH}]."
        )
    return array.astype(np.float32, copy=False)


def _tensor(path: Path, *, media_id: str) -> Array:
    import torch

    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModalityError(
            f"{media_id}: features {path} cannot be loaded as a plain tensor ({reason}); if the file is whole it holds "
            f"a pickled array: where you trust it, save it again as .npy."
        ) from error
    if not isinstance(loaded, torch.Tensor):
        raise ModalityError(f"{media_id}: features {path} hold {type(loaded).__name__}, not a tensor.")
    return loaded.float().numpy()


def _read_points(path: Path, *, media_id: str) -> tuple[Array, dict[str, Array]]:
    suffix = path.suffix.lower()
    if suffix == ".npz":
        arrays = {"xyz": read_array(path, media_id=media_id, modality="pc", key="xyz")}
        with load_array(path) as stored:
            names = [name for name in EXTRAS if name in stored.files]
        arrays |= {name: read_array(path, media_id=media_id, modality="pc", key=name) for name in names}
    elif suffix == ".ply":
        arrays = _from_ply(path, media_id=media_id)
    else:
        raise ModalityError(f"{media_id}: {path} is no point cloud; expected .npz or .ply.")
    xyz = arrays.pop("xyz")
    if xyz.dtype.kind != "f":
        raise ModalityError(f"{media_id}: xyz of {path} are {xyz.dtype}; store floats in m.")
    return xyz.astype(np.float32, copy=False), arrays


def _from_ply(path: Path, *, media_id: str) -> dict[str, Array]:
    try:
        vertices = read_ply_vertices(path)
    except (OSError, ValueError) as error:
        raise ModalityError(f"{media_id}: point cloud {path} cannot be read: {error}.") from error
    if not {"x", "y", "z"} <= vertices.keys():
        raise ModalityError(f"{media_id}: the vertices of {path} have no x, y, z.")
    arrays = {"xyz": np.stack([vertices[axis] for axis in "xyz"], axis=1)}
    if {"red", "green", "blue"} <= vertices.keys():
        arrays["rgb"] = np.stack([vertices[name] for name in ("red", "green", "blue")], axis=1)
    if "instance" in vertices:
        arrays["instance"] = vertices["instance"]
    return arrays
