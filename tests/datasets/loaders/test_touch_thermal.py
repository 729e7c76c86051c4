"""Touch and thermal frames: CREMA's tools' layout, 1-based names, grey thermal pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lavis.common.errors import ModalityError
from lavis.common.options import check_options
from lavis.common.registry import registry
from lavis.datasets.loaders.base import Sampling
from lavis.datasets.loaders.frames import FramesLoader
from lavis.datasets.loaders.thermal import ThermalLoader
from lavis.datasets.loaders.touch import TouchLoader


def write_frames(folder: Path, mode: str, n: int = 12) -> Path:
    folder.mkdir(parents=True)
    for number in range(n):
        Image.fromarray(np.full((4, 6, 3), 20 * number, np.uint8)).convert(mode).save(folder / f"{number + 1:05d}.jpg")
    return folder


@pytest.mark.parametrize(("name", "mode"), [("touch", "RGB"), ("thermal", "RGB"), ("thermal", "L")])
def test_frames_are_read_in_order_under_their_own_name(tmp_path: Path, name: str, mode: str) -> None:
    write_frames(tmp_path / f"{name}_frames" / "q7", mode)
    loader = registry.require("loader", name).from_options({"rate_hz": 3.0})
    path = loader.locate(tmp_path / f"{name}_frames", "q7", annotation="q7")

    assert loader.count(path, media_id="q7") == (12, 3.0)
    clip = loader.load(path, media_id="q7", sampling=Sampling((0, 5, 10)))
    assert clip.modality == name and clip.shape == "t h w c" and clip.unit == "uint8 RGB"
    assert clip.array.dtype == np.uint8 and clip.array.shape == (3, 4, 6, 3)
    np.testing.assert_allclose(clip.array[:, 0, 0], np.repeat([[0], [100], [200]], 3, axis=1), atol=2)


def test_grey_is_an_error_for_touch_and_on_request_for_thermal(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "q", "L")
    for loader in (TouchLoader(), ThermalLoader(convert=False)):
        with pytest.raises(ModalityError, match=r"q: .*'L'"):
            loader.load(folder, media_id="q")


def test_sixteen_bit_thermal_frames_are_scaled_to_eight(tmp_path: Path) -> None:
    (tmp_path / "q").mkdir()
    Image.fromarray(np.full((4, 6), 51400, np.uint16)).save(tmp_path / "q" / "00001.png")
    assert (ThermalLoader().load(tmp_path / "q", media_id="q").array == 200).all()


def test_errors_name_the_modality_and_options_are_those_of_frames(tmp_path: Path) -> None:
    for loader in (TouchLoader(), ThermalLoader()):
        with pytest.raises(ModalityError, match=f"q: {loader.modality} folder .* does not exist"):
            loader.load(tmp_path / "absent", media_id="q")
    options = {"size_px": [2, 2], "convert": True, "rate_hz": 3.0, "order": "natural", "follow_links": False}
    for cls in (FramesLoader, TouchLoader, ThermalLoader):
        check_options(cls, options, "frame")
        assert cls(**options).size_px == (2, 2)
