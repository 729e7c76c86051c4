"""Flow: the truth of a moving picture in every layout, read back through the loader."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.flow import FlowLoader, read_flo
from lavis.datasets.loaders.shards import ShardSet
from lavis.extract import Medium, extract_medium
from lavis.extract.flow import FlowExtractor

N_FRAMES, RIGHT_PX, DOWN_PX = 6, 3, -2


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Medium:
    """A texture that moves 3 px to the right and 2 px up from each frame to the next."""
    import cv2

    rng = np.random.default_rng(0)
    texture = cv2.resize(rng.integers(0, 255, (40, 50, 3), np.uint8), (250, 200), interpolation=cv2.INTER_CUBIC)
    folder = tmp_path_factory.mktemp("moving")
    for number in range(N_FRAMES):
        left, top = 50 - RIGHT_PX * number, 50 - DOWN_PX * number
        Image.fromarray(texture[top : top + 96, left : left + 128]).save(folder / f"{number}.png")
    return Medium("m", folder)


@pytest.mark.parametrize(("layout", "atol"), [("float", 0.0), ("half", 0.01), ("image", 0.081)])
def test_flow_is_in_px_right_and_down(moving: Medium, tmp_path: Path, layout: str, atol: float) -> None:
    extractor = FlowExtractor(layout=layout)
    assert extract_medium(extractor, moving, tmp_path).n_frames == N_FRAMES
    assert len(list((tmp_path / "m").iterdir())) == N_FRAMES - 1
    loader = FlowLoader.from_options(extractor.loader_options)
    assert loader.count(tmp_path / "m", media_id="m") == (N_FRAMES, None)
    inside = loader.load(tmp_path / "m", media_id="m").array[:, 16:-16, 16:-16]
    np.testing.assert_allclose(np.median(inside, axis=(0, 1, 2)), [RIGHT_PX, DOWN_PX], atol=0.1 + atol)


def test_no_motion_is_zero_in_images(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(2):
        Image.fromarray(np.full((32, 32, 3), 90, np.uint8)).save(tmp_path / "in" / f"{number}.png")
    extractor = FlowExtractor(layout="image")
    extract_medium(extractor, Medium("m", tmp_path / "in"), tmp_path / "out")
    flow = FlowLoader.from_options(extractor.loader_options).load(tmp_path / "out" / "m", media_id="m").array
    np.testing.assert_allclose(flow, 0, atol=1e-4)


def test_what_an_image_cannot_say_is_counted(moving: Medium, tmp_path: Path) -> None:
    made = extract_medium(FlowExtractor(layout="image", range_px=(-1, 1)), moving, tmp_path)
    assert made.notes["clipped_share"] > 0.8


def test_shards_hold_the_same_flow_and_are_the_same_bytes(moving: Medium, tmp_path: Path) -> None:
    import webdataset

    for place in ("one", "two"):
        extract_medium(FlowExtractor(layout="shards"), moving, tmp_path / place)
    assert (tmp_path / "one" / "m.tar").read_bytes() == (tmp_path / "two" / "m.tar").read_bytes()
    extract_medium(FlowExtractor(), moving, tmp_path)
    samples = list(webdataset.WebDataset(str(tmp_path / "one" / "m.tar"), shardshuffle=False))
    assert [sample["__key__"] for sample in samples] == [f"m/{n:05d}" for n in range(1, N_FRAMES)]
    assert samples[2]["flo"] == (tmp_path / "m" / "00003.flo").read_bytes()
    with tarfile.open(tmp_path / "one" / "m.tar") as tar:
        assert {member.mtime for member in tar} == {0}


def test_shards_are_read_in_place(moving: Medium, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path / "cache"))
    extract_medium(FlowExtractor(layout="shards"), Medium("a/m", moving.path), tmp_path / "out")
    extract_medium(FlowExtractor(), moving, tmp_path)
    path = ShardSet("*/*.tar", tmp_path / "out").folder / "a" / "m"
    loader = FlowLoader()
    assert loader.count(path, media_id="a/m") == (N_FRAMES, None)
    stored = loader.load(path, media_id="a/m").array
    np.testing.assert_array_equal(stored, loader.load(tmp_path / "m", media_id="m").array)


def test_flow_is_at_the_size_asked_for(moving: Medium, tmp_path: Path) -> None:
    extract_medium(FlowExtractor(size_px=(48, 64), preset="fast"), moving, tmp_path)
    assert read_flo(tmp_path / "m" / "00001.flo", media_id="m").shape == (48, 64, 2)


def test_one_frame_or_two_sizes_give_no_flow(moving: Medium, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "in" / "0.png")
    with pytest.raises(ModalityError, match=r"^m: .*1 frame"):
        extract_medium(FlowExtractor(), Medium("m", tmp_path / "in"), tmp_path / "out")
    Image.new("RGB", (40, 32)).save(tmp_path / "in" / "1.png")
    with pytest.raises(ModalityError, match=r"1\.png is 40×32 px"):
        extract_medium(FlowExtractor(), Medium("m", tmp_path / "in"), tmp_path / "out")
    assert not (tmp_path / "out" / "m").exists()


def test_wrong_options_are_refused() -> None:
    for options, says in [
        ({"preset": "slow"}, "ultrafast, fast, medium"),
        ({"range_px": (3, 3), "layout": "image"}, "low then high"),
        ({"range_px": (-3, 3)}, "belongs to the layout image"),
    ]:
        with pytest.raises(ConfigError, match=says):
            FlowExtractor(**options)
