"""Normals: coding, frames of reference, unknown pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.normals import NormalsLoader

FLOOR, WALL_AHEAD, WALL_RIGHT = (0, -1, 0), (0, 0, -1), (-1, 0, 0)


def coded(vectors: np.ndarray) -> np.ndarray:
    return np.rint((vectors + 1) * 127.5).astype(np.uint8)


def test_images_code_normals_as_rgb(tmp_path: Path) -> None:
    """Truth: rgb = (n + 1) · 127.5; the vectors come back within the rounding of 8 bits."""
    vectors = np.array([[FLOOR, WALL_AHEAD], [WALL_RIGHT, (0.6, 0, -0.8)]], np.float32)
    Image.fromarray(coded(vectors)).save(tmp_path / "0.png")
    clip = NormalsLoader().load(tmp_path, media_id="m")
    assert clip.shape == "t h w c" and clip.unit == "unit vectors"
    np.testing.assert_allclose(clip.array[0], vectors, atol=0.006)
    np.testing.assert_allclose(np.linalg.norm(clip.array, axis=-1), 1, atol=1e-6)


def test_black_and_middle_grey_are_unknown(tmp_path: Path) -> None:
    image = np.tile(coded(np.array(WALL_AHEAD, np.float32)), (6, 6, 1))
    image[0, 0], image[0, 1] = 0, 128
    Image.fromarray(image).save(tmp_path / "0.png")
    normals = NormalsLoader().load(tmp_path, media_id="m").array[0]
    assert np.isnan(normals[0, :2]).all() and np.isnan(normals).sum() == 6


def test_what_is_no_normal_map_is_refused(tmp_path: Path) -> None:
    photograph = np.random.default_rng(1).integers(90, 170, (8, 8, 3), np.uint8)
    Image.fromarray(photograph).save(tmp_path / "0.png")
    with pytest.raises(ModalityError, match=r"m: .*no unit vectors"):
        NormalsLoader().load(tmp_path, media_id="m")
    np.save(tmp_path / "long.npy", np.full((1, 4, 4, 3), 2.0))
    with pytest.raises(ModalityError, match="no unit vectors"):
        NormalsLoader().load(tmp_path / "long.npy", media_id="m")
    np.save(tmp_path / "codes.npy", np.zeros((1, 4, 4, 3), np.int32))
    with pytest.raises(ModalityError, match="8-bit codes or floats"):
        NormalsLoader().load(tmp_path / "codes.npy", media_id="m")


def test_another_frame_of_reference_is_noticed_and_can_be_named(tmp_path: Path) -> None:
    """Truth: in a frame with y up and z towards the camera, a wall ahead is (0, 0, 1) and a floor (0, 1, 0)."""
    stack = np.zeros((1, 4, 4, 3), np.float32)
    stack[0, :2] = (0, 0, 1)
    stack[0, 2:] = (0, 1, 0)
    np.save(tmp_path / "gl.npy", stack)
    with pytest.raises(ModalityError, match="negate"):
        NormalsLoader().load(tmp_path / "gl.npy", media_id="m")
    turned = NormalsLoader(negate="yz").load(tmp_path / "gl.npy", media_id="m").array[0]
    np.testing.assert_array_equal(turned[0, 0], WALL_AHEAD)
    np.testing.assert_array_equal(turned[3, 0], FLOOR)
    with pytest.raises(ConfigError, match="xyz"):
        NormalsLoader(negate="up")
