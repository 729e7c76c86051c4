"""Pictures of a medium: aligned with its loader, at another rate, in grey."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import ClipSpec, read_number, write_clip

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.video import VideoLoader
from lavis.extract.source import Sampler


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("v") / "m.mp4", ClipSpec(n_frames=50, noise=0.5))


def test_a_video_that_its_loader_counts_otherwise_is_refused(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VideoLoader, "count", lambda *_, **__: (51, 25.0))
    with pytest.raises(ModalityError, match=r"^m: .*m\.mp4 holds 50 frames, its loader counts 51"):
        Sampler().open(video, media_id="m")


def test_another_rate_is_known_before_it_is_decoded(video: Path) -> None:
    """Truth: at 25 Hz the frames on the screen at 0, 0.4, 0.8 … s are 0, 10, 20 …"""
    pictures = Sampler(fps=Fraction(5, 2)).open(video, media_id="m")
    assert (pictures.count, pictures.rate_hz) == (5, 2.5)
    assert [read_number(picture) for picture in pictures.read()] == [0, 10, 20, 30, 40]
    faster = Sampler(fps=Fraction(50)).open(video, media_id="m")
    assert [read_number(one) for one in faster.read()] == [number // 2 for number in range(100)] and faster.count == 100


def test_grey_is_the_luma_of_the_colours(video: Path) -> None:
    grey, colour = (next(iter(Sampler(grey=one).open(video, media_id="m").read())) for one in (True, False))
    np.testing.assert_allclose(grey.astype(int), cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY), atol=4)
    (small,) = [next(iter(Sampler(grey=True, size_px=(48, 64)).open(video, media_id="m").read()))]
    assert small.shape == (48, 64)


def test_no_video_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.txt").touch()
    with pytest.raises(ModalityError, match=r"^m: .*m\.txt is no video"):
        Sampler().open(tmp_path / "m.txt", media_id="m")
