"""Depth from two cameras: a wall at a known distance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.depth import DepthLoader
from lavis.extract import Medium, extract_medium
from lavis.extract.stereo import StereoDepthExtractor, pair_media

FOCAL_PX, BASELINE_M, DISPARITY_PX = 100.0, 0.2, 8
DEPTH_M = FOCAL_PX * BASELINE_M / DISPARITY_PX  # 2.5 m


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Medium:
    """A textured wall that the right camera sees 8 px farther left."""
    import cv2

    rng = np.random.default_rng(0)
    wall = cv2.resize(rng.integers(0, 255, (48, 80, 3), np.uint8), (160, 96), interpolation=cv2.INTER_CUBIC)
    folder = tmp_path_factory.mktemp("stereo")
    for side, left in (("left", 0), ("right", DISPARITY_PX)):
        (folder / side).mkdir()
        for number in range(2):
            Image.fromarray(wall[:, left : left + 140]).save(folder / side / f"{number}.png")
    return Medium("m", folder / "left", folder / "right")


@pytest.mark.parametrize("layout", ["float", "millimetres"])
def test_depth_is_in_metres(cameras: Medium, tmp_path: Path, layout: str) -> None:
    extractor = StereoDepthExtractor(focal_px=FOCAL_PX, baseline_m=BASELINE_M, max_disparity_px=32, layout=layout)
    made = extract_medium(extractor, cameras, tmp_path)
    clip = DepthLoader.from_options(extractor.loader_options).load(tmp_path / "m", media_id="m")
    assert clip.array.shape == (2, 96, 140) and clip.unit == "m"
    known = np.isfinite(clip.array)
    assert known.mean() > 0.6 and made.notes["unknown_share"] == pytest.approx(1 - known.mean(), abs=1e-6)
    assert np.median(clip.array[known]) == pytest.approx(DEPTH_M, rel=0.02)


def test_a_missing_or_other_right_camera_is_named(cameras: Medium, tmp_path: Path) -> None:
    extractor = StereoDepthExtractor(focal_px=FOCAL_PX, baseline_m=BASELINE_M)
    (alone,) = pair_media([Medium("m", cameras.path)], [Medium("other", cameras.path)])
    with pytest.raises(ModalityError, match="no right camera"):
        extract_medium(extractor, alone, tmp_path)
    (tmp_path / "right").mkdir()
    Image.new("RGB", (140, 96)).save(tmp_path / "right" / "0.png")
    with pytest.raises(ModalityError, match=r"gives 2 pictures and .* 1"):
        extract_medium(extractor, Medium("m", cameras.path, tmp_path / "right"), tmp_path)


def test_wrong_cameras_are_refused() -> None:
    with pytest.raises(ConfigError, match="baseline_m"):
        StereoDepthExtractor(focal_px=100, baseline_m=0)
    with pytest.raises(ConfigError, match="multiple of 16"):
        StereoDepthExtractor(focal_px=100, baseline_m=1, max_disparity_px=20)
