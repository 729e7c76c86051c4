"""Frames: CREMA's layout, exact frames, read back through the loader."""

from __future__ import annotations

from pathlib import Path

import pytest
from media import ClipSpec, read_numbers, write_clip

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.frames import FramesLoader
from lavis.extract import Medium, extract_medium
from lavis.extract.frames import FramesExtractor


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Medium:
    return Medium("a/b", write_clip(tmp_path_factory.mktemp("v") / "b.mp4", ClipSpec(n_frames=50, rate_hz=24)))


def test_three_a_second_by_default(video: Medium, tmp_path: Path) -> None:
    """Truth: 50 frames at 24 Hz are 2.08 s; a third of a second is 8 frames."""
    assert extract_medium(FramesExtractor(), video, tmp_path).n_frames == 7
    assert sorted(file.name for file in (tmp_path / "a" / "b").iterdir()) == [f"{n:05d}.jpg" for n in range(1, 8)]
    clip = FramesLoader(rate_hz=3).load(tmp_path / "a" / "b", media_id="a/b")
    assert read_numbers(clip.array) == [0, 8, 16, 24, 32, 40, 48]


def test_every_frame_at_another_size(video: Medium, tmp_path: Path) -> None:
    extract_medium(FramesExtractor(fps="all", size_px=(48, 64)), video, tmp_path)
    clip = FramesLoader().load(tmp_path / "a" / "b", media_id="a/b")
    assert clip.array.shape == (50, 48, 64, 3) and read_numbers(clip.array) == list(range(50))


def test_folders_are_media_too_once_their_rate_is_known(video: Medium, tmp_path: Path) -> None:
    extract_medium(FramesExtractor(fps="all"), video, tmp_path / "all")
    folder = Medium("m", tmp_path / "all" / "a" / "b")
    with pytest.raises(ModalityError, match=r"^m: .*--rate-hz"):
        extract_medium(FramesExtractor(), folder, tmp_path / "no")
    extract_medium(FramesExtractor(rate_hz=24), folder, tmp_path / "three")
    assert read_numbers(FramesLoader().load(tmp_path / "three" / "m", media_id="m").array) == [0, 8, 16, 24, 32, 40, 48]


def test_wrong_options_are_refused() -> None:
    for options, says in [
        ({"quality": 0}, "quality"),
        ({"layout": "gif"}, "image, shards"),
        ({"fps": "fast"}, "fps"),
        ({"size_px": (0, 3)}, "size_px"),
        ({"rate_hz": -1}, "rate_hz"),
    ]:
        with pytest.raises(ConfigError, match=says):
            FramesExtractor(**options)
