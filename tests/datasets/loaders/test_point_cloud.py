"""Point clouds: CREMA's layout, npz and ply."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from lavis.common.errors import AnnotationError, ConfigError, ModalityError
from lavis.datasets.loaders.point_cloud import FEATURES_FOLDER, VOXELS_FOLDER, PointCloudLoader

XYZ = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
RGB = np.arange(21, dtype=np.uint8).reshape(7, 3)


@pytest.fixture
def crema_root(tmp_path: Path) -> Path:
    """13 points as 3D-LLM stores them: feature k is k everywhere, voxel k is (k, 2 k, 3 k)."""
    import torch

    for folder in (FEATURES_FOLDER, VOXELS_FOLDER):
        (tmp_path / folder).mkdir()
    torch.save(torch.arange(13.0)[:, None].repeat(1, 1408), tmp_path / FEATURES_FOLDER / "scene0000_00.pt")
    np.save(tmp_path / VOXELS_FOLDER / "scene0000_00.npy", np.arange(13)[:, None] * np.array([1, 2, 3]))
    return tmp_path


def test_crema_layout_pairs_features_with_voxels(crema_root: Path) -> None:
    path = PointCloudLoader.locate(crema_root, "scene0000_00", annotation="r")
    assert path == crema_root / FEATURES_FOLDER / "scene0000_00.pt"
    clip = PointCloudLoader().load(path, media_id="scene0000_00")
    assert clip.unit == "voxels" and clip.shape == "n c" and clip.array.dtype.kind == "i"
    assert clip.array[5].tolist() == [5, 10, 15]
    assert clip.extras["features"].shape == (13, 1408) and clip.extras["features"].dtype == np.float32
    assert (clip.extras["features"][5] == 5).all()


def test_subsample_is_even_ordered_and_the_same_every_time(crema_root: Path) -> None:
    path = PointCloudLoader.locate(crema_root, "scene0000_00", annotation="r")
    clip = PointCloudLoader(max_points=4).load(path, media_id="s")
    assert clip.array[:, 0].tolist() == [0, 3, 6, 9] == clip.extras["features"][:, 0].tolist()
    assert len(PointCloudLoader(max_points=100).load(path, media_id="s").array) == 13
    with pytest.raises(ConfigError):
        PointCloudLoader(max_points=0)


def test_a_pickled_array_is_not_unpickled(crema_root: Path) -> None:
    path = crema_root / FEATURES_FOLDER / "scene0000_00.pt"
    path.write_bytes(pickle.dumps(np.zeros((13, 1408), np.float32)))
    with pytest.raises(ModalityError, match=r"s: .*save it again as \.npy"):
        PointCloudLoader().load(path, media_id="s")
    path.unlink()
    np.save(path.with_suffix(".npy"), np.ones((13, 1408), np.float16))
    path = PointCloudLoader.locate(crema_root, "scene0000_00", annotation="r")
    assert PointCloudLoader().load(path, media_id="s").extras["features"].dtype == np.float32


def test_features_without_their_voxels_are_an_error(crema_root: Path) -> None:
    voxels = crema_root / VOXELS_FOLDER / "scene0000_00.npy"
    path = crema_root / FEATURES_FOLDER / "scene0000_00.pt"
    np.save(voxels, np.zeros((12, 3), np.int64))
    with pytest.raises(ModalityError, match="12 points but 13"):
        PointCloudLoader().load(path, media_id="s")
    voxels.unlink()
    with pytest.raises(ModalityError, match=str(voxels)):
        PointCloudLoader().load(path, media_id="s")


def test_npz_with_colour(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "room.npz", xyz=XYZ.astype(np.float64), rgb=RGB, instance=np.arange(7))
    clip = PointCloudLoader().load(PointCloudLoader.locate(tmp_path, "room", annotation="r"), media_id="room")
    np.testing.assert_array_equal(clip.array, XYZ)
    assert clip.array.dtype == np.float32 and clip.unit == "m" and clip.indices == ()
    np.testing.assert_array_equal(clip.extras["rgb"], RGB)
    np.testing.assert_array_equal(clip.extras["instance"], np.arange(7))


@pytest.mark.parametrize("order", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_ply_in_all_three_forms(tmp_path: Path, order: str) -> None:
    """Truth: the bytes are written here by hand, as the format's description says."""
    header = (
        f"ply\nformat {order} 1.0\ncomment made by hand\nelement vertex 7\n"
        "property float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\nproperty uchar alpha\n"
        "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
    )
    if order == "ascii":
        rows = [" ".join([*(f"{v:.9g}" for v in p), *map(str, c), "255"]) for p, c in zip(XYZ, RGB, strict=True)]
        body = ("\n".join([*rows, "3 0 1 2"]) + "\n").encode()
    else:
        sign = "<" if order == "binary_little_endian" else ">"
        body = b"".join(struct.pack(sign + "fffBBBB", *p, *c, 255) for p, c in zip(XYZ, RGB.tolist(), strict=True))
        body += struct.pack(sign + "Biii", 3, 0, 1, 2)
    (tmp_path / "room.ply").write_bytes(header.encode() + body)
    path = PointCloudLoader.locate(tmp_path, "room", annotation="r")
    clip = PointCloudLoader().load(path, media_id="room")
    np.testing.assert_allclose(clip.array, XYZ, rtol=1e-6)
    np.testing.assert_array_equal(clip.extras["rgb"], RGB)
    path.write_bytes(path.read_bytes()[: len(header) + 40])
    with pytest.raises(ModalityError, match=r"room.*room\.ply.*announces 7 vertices"):
        PointCloudLoader().load(path, media_id="room")


def test_missing_wrong_and_climbing(tmp_path: Path) -> None:
    with pytest.raises(ModalityError, match=r"room.*does not exist"):
        PointCloudLoader().load(PointCloudLoader.locate(tmp_path, "room", annotation="r"), media_id="room")
    (tmp_path / "room.obj").touch()
    with pytest.raises(ModalityError, match="is no point cloud"):
        PointCloudLoader().load(tmp_path / "room.obj", media_id="room")
    (tmp_path / "room.ply").write_bytes(b"plain text")
    with pytest.raises(ModalityError, match="no PLY header"):
        PointCloudLoader().load(tmp_path / "room.ply", media_id="room")
    np.savez(tmp_path / "room.npz", xyz=XYZ[:, :2])
    with pytest.raises(ModalityError, match=r"\[n, 3\]"):
        PointCloudLoader().load(tmp_path / "room.npz", media_id="room")
    with pytest.raises(AnnotationError):
        PointCloudLoader.locate(tmp_path, "../room", annotation="r")
