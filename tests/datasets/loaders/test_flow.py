"""Flow: the three stored forms, and the file that the last frame lacks."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Sampling
from lavis.datasets.loaders.flow import FlowLoader, write_flo

# Flow [h, w, 2] in px: to the right by the column, down by the row.
TRUTH = np.stack(np.meshgrid(np.arange(5.0), np.arange(4.0)), axis=-1).astype(np.float32)


def test_flo_is_read_as_the_format_says(tmp_path: Path) -> None:
    """Truth: magic 202021.25, int32 width, int32 height, then (u, v) by rows, all little-endian."""
    body = b"".join(struct.pack("<ff", u, v) for v in range(4) for u in range(5))
    (tmp_path / "0.flo").write_bytes(struct.pack("<fii", 202021.25, 5, 4) + body)
    clip = FlowLoader().load(tmp_path, media_id="m", sampling=Sampling((0,)))
    np.testing.assert_array_equal(clip.array[0], TRUTH)
    assert clip.shape == "t h w c" and clip.unit == "px" and clip.array.dtype == np.float32


def test_the_last_frame_takes_the_last_flow(tmp_path: Path) -> None:
    """Truth: 4 frames have 3 flows."""
    for n in range(3):
        write_flo(tmp_path / f"{n}.flo", TRUTH + n)
    loader = FlowLoader(rate_hz=8.0)
    assert loader.count(tmp_path, media_id="m") == (4, 8.0)
    clip = loader.load(tmp_path, media_id="m", sampling=Sampling((1, 2, 3)))
    assert clip.indices == (1, 2, 3)
    assert clip.array[:, 0, 0, 0].tolist() == [1, 2, 2]
    with pytest.raises(ModalityError, match="has 3 frames, the sampling needs 5"):
        loader.load(tmp_path, media_id="m", sampling=Sampling((4,)))


def test_unknown_flow_is_nan_in_both_channels(tmp_path: Path) -> None:
    holed = TRUTH.copy()
    holed[1, 2, 0] = 1.5e9
    write_flo(tmp_path / "0.flo", holed)
    flow = FlowLoader().load(tmp_path, media_id="m", sampling=Sampling((0,))).array[0]
    assert np.isnan(flow[1, 2]).all() and np.isnan(flow).sum() == 2


def test_images_need_a_declared_range(tmp_path: Path) -> None:
    """Truth: with the range -20 … 20 px, codes 0, 255 and 51 are -20, 20 and -12 px."""
    Image.fromarray(np.array([[[0, 255, 7], [51, 0, 7]]], np.uint8)).save(tmp_path / "0.png")
    with pytest.raises(ModalityError, match="range_px"):
        FlowLoader().load(tmp_path, media_id="m", sampling=Sampling((0,)))
    clip = FlowLoader(range_px=(-20, 20)).load(tmp_path, media_id="m", sampling=Sampling((0,)))
    np.testing.assert_allclose(clip.array[0, 0], [[-20, 20], [-12, -20]], atol=1e-5)
    with pytest.raises(ConfigError, match="low < high"):
        FlowLoader(range_px=(3, 3))


def test_arrays_and_damaged_files(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "0.npz", flow=TRUTH.astype(np.float16))
    np.testing.assert_array_equal(FlowLoader().load(tmp_path, media_id="m", sampling=Sampling((0,))).array[0], TRUTH)
    np.savez_compressed(tmp_path / "0.npz", flow=TRUTH[..., :1])
    with pytest.raises(ModalityError, match=r"0\.npz.*\[h, w, 2\]"):
        FlowLoader().load(tmp_path, media_id="m", sampling=Sampling((0,)))
    (tmp_path / "0.npz").unlink()
    write_flo(tmp_path / "0.flo", TRUTH)
    whole = (tmp_path / "0.flo").read_bytes()
    (tmp_path / "0.flo").write_bytes(whole[:-4])
    with pytest.raises(ModalityError, match=r"0\.flo.*truncated"):
        FlowLoader().load(tmp_path, media_id="m", sampling=Sampling((0,)))
    (tmp_path / "0.flo").write_bytes(b"PIEHnot")
    with pytest.raises(ModalityError, match="does not begin"):
        FlowLoader().load(tmp_path, media_id="m", sampling=Sampling((0,)))
