"""Video: exact frames, the container's rate, damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from media import ClipSpec, write_clip

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Sampling
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.loaders.video import VideoLoader
from lavis.datasets.question import Media

N_FRAMES, RATE_HZ = 40, 8.0


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frame k shows a white bar, 8 px wide, whose middle lies at 10 + k px."""
    import cv2

    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), RATE_HZ, (64, 48))
    for number in range(N_FRAMES):
        frame = np.zeros((48, 64, 3), np.uint8)
        frame[:, 6 + number : 14 + number] = 255
        writer.write(frame)
    writer.release()
    return path


def test_the_named_frames_are_decoded(video: Path) -> None:
    indices = (1, 13, 14, 37)
    clip = VideoLoader().load(video, media_id="clip", sampling=Sampling(indices))
    assert clip.array.shape == (4, 48, 64, 3) and clip.array.dtype == np.uint8
    columns = clip.array.mean(axis=(1, 3))
    middles_px = (columns * (np.arange(64) + 0.5)).sum(axis=1) / columns.sum(axis=1)
    np.testing.assert_allclose(middles_px - 10, indices, atol=0.4)


def test_count_rate_and_size(video: Path) -> None:
    assert VideoLoader().count(video, media_id="clip") == (N_FRAMES, RATE_HZ)
    clip = VideoLoader(size_px=(24, 20)).load(video, media_id="clip")
    assert clip.array.shape == (N_FRAMES, 24, 20, 3)
    assert clip.rate_hz == RATE_HZ and clip.timestamps_s[8] == pytest.approx(1.0)
    assert VideoLoader.locate(video.parent, "clip", annotation="r") == video


def test_short_missing_truncated_and_wrong_files(video: Path, tmp_path: Path) -> None:
    with pytest.raises(ModalityError, match="has 40 frames, the sampling needs 41"):
        VideoLoader().load(video, media_id="clip", sampling=Sampling((40,)))
    with pytest.raises(ModalityError, match=r"clip.*absent\.mp4 does not exist"):
        VideoLoader().count(tmp_path / "absent.mp4", media_id="clip")
    (tmp_path / "cut.mp4").write_bytes(video.read_bytes()[:600])
    with pytest.raises(ModalityError, match=r"clip.*cut\.mp4"):
        VideoLoader().load(tmp_path / "cut.mp4", media_id="clip")
    (tmp_path / "notes.txt").write_text("no video")
    with pytest.raises(ModalityError, match="is no video"):
        VideoLoader().count(tmp_path / "notes.txt", media_id="clip")


def test_other_modalities_get_the_true_times_of_an_uneven_video(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    write_clip(path, ClipSpec(n_frames=8, times_ms=(0, 100, 200, 1200, 2200, 2300, 2400, 2500)))
    reader = MediaReader(Media("v", {"video": path}), n_frames=4)
    sampling = reader.sampling()
    assert sampling.timestamps_s == reader.load("frame").timestamps_s
    assert sampling.timestamps_s == pytest.approx((0.0, 0.2, 2.2, 2.4))


def test_a_video_inside_a_shard_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import webdataset

    from lavis.datasets.loaders.shards import ShardSet

    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path / "cache"))
    write_clip(tmp_path / "v.mp4")
    with webdataset.TarWriter(str(tmp_path / "videos-000000.tar")) as shard:
        shard.write({"__key__": "v", "mp4": (tmp_path / "v.mp4").read_bytes()})
    inside = ShardSet("videos-{000000..000000}.tar", tmp_path).locate("v", (".mp4",))
    loaded = VideoLoader().load(inside, media_id="v")
    assert (loaded.array == VideoLoader().load(tmp_path / "v.mp4", media_id="v").array).all()
