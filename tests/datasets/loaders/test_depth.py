"""Depth: units, invalid values, stored forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Sampling
from lavis.datasets.loaders.depth import DepthLoader

RAMP = np.arange(0, 12000, 100, dtype=np.uint16).reshape(10, 12)


def folder_with(tmp_path: Path, array: np.ndarray, name: str = "0.png") -> Path:
    Image.fromarray(array).save(tmp_path / name)
    return tmp_path


def test_16_bit_png_is_millimetres_and_zero_is_unknown(tmp_path: Path) -> None:
    """Truth: stored 0, 100, … 11900 are unknown, 0.1 m, … 11.9 m; nothing is clipped at 255."""
    clip = DepthLoader().load(folder_with(tmp_path, RAMP), media_id="room")
    assert clip.array.dtype == np.float32 and clip.unit == "m" and clip.shape == "t h w"
    assert np.isnan(clip.array[0, 0, 0])
    assert np.allclose(clip.array.reshape(-1)[1:], np.arange(0.1, 11.95, 0.1), atol=1e-5)


def test_scale_is_metres_per_unit(tmp_path: Path) -> None:
    clip = DepthLoader(scale_m=0.0002).load(folder_with(tmp_path, RAMP), media_id="room")
    assert clip.array[0, 0, 5] == pytest.approx(0.1)


def test_8_bit_needs_a_scale_or_the_word_relative(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, np.array([[0, 51], [102, 255]], np.uint8))
    with pytest.raises(ModalityError, match=r"room.*scale_m.*relative"):
        DepthLoader().load(folder, media_id="room")
    metric = DepthLoader(scale_m=0.04).load(folder, media_id="room")
    assert metric.array[0, 1, 1] == pytest.approx(10.2)
    disparity = DepthLoader(relative="disparity").load(folder, media_id="room")
    assert disparity.unit == "relative disparity"
    assert disparity.array[0].tolist() == pytest.approx(np.array([[0, 0.2], [0.4, 1.0]]))
    with pytest.raises(ConfigError, match="exclude"):
        DepthLoader(relative="depth", scale_m=1.0)


def test_grey_stored_as_rgb_is_read_and_colour_is_refused(tmp_path: Path) -> None:
    grey = np.repeat(np.arange(12, dtype=np.uint8).reshape(3, 4, 1), 3, axis=2)
    assert DepthLoader(scale_m=1.0).load(folder_with(tmp_path, grey), media_id="r").array[0, 2, 3] == 11
    grey[0, 0] = (3, 2, 1)
    with pytest.raises(ModalityError, match="in colour"):
        DepthLoader(scale_m=1.0).load(folder_with(tmp_path, grey), media_id="r")


def test_arrays_per_frame_and_as_one_file(tmp_path: Path) -> None:
    stack = np.linspace(1, 2, 4 * 3 * 5).reshape(4, 3, 5)
    stack[2, 0, 0] = np.inf
    (tmp_path / "frames").mkdir()
    for n, one in enumerate(stack):
        np.savez(tmp_path / "frames" / f"{n}.npz", depth=one, other=np.zeros(1))
    np.save(tmp_path / "stack.npy", stack)
    np.savez_compressed(tmp_path / "packed.npz", stack)
    sampling = Sampling((0, 2))
    expected = np.where(np.isfinite(stack[[0, 2]]), stack[[0, 2]], np.nan).astype(np.float32)
    for name in ("frames", "stack.npy", "packed.npz"):
        assert DepthLoader().count(tmp_path / name, media_id="r") == (4, None)
        clip = DepthLoader().load(tmp_path / name, media_id="r", sampling=sampling)
        np.testing.assert_array_equal(clip.array, expected)


def test_damaged_arrays_are_named(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "0.npz", np.random.default_rng(0).random((40, 40)))
    whole = (tmp_path / "0.npz").read_bytes()
    (tmp_path / "0.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModalityError, match=r"r: .*0\.npz.*truncated"):
        DepthLoader().load(tmp_path, media_id="r")
    np.savez(tmp_path / "0.npz", a=np.ones((2, 2)), b=np.ones((2, 2)))
    with pytest.raises(ModalityError, match="call the array 'depth'"):
        DepthLoader().load(tmp_path, media_id="r")
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ModalityError, match="objects"):
        DepthLoader().count(tmp_path / "objects.npy", media_id="r")
