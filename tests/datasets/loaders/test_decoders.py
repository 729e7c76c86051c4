"""Every decoder: frame i is frame i, upright, at its true time; what one cannot read the next one does."""

from __future__ import annotations

import importlib.util
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media import ClipSpec, has_encoder, numbered, read_numbers, write_clip

from lavis.common.decoder import import_decord
from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.decoders import DECODERS, open_video, video_file
from lavis.datasets.loaders.decoders.base import UndecodableError
from lavis.datasets.loaders.decoders.pyav import PyAVDecoder
from lavis.datasets.loaders.video import VideoLoader

pytest.importorskip("av", reason="PyAV makes the clips")

MODULES = {"pyav": "av", "decord": "decord", "opencv": "cv2"}
INSTALLED = [name for name in DECODERS if importlib.util.find_spec(MODULES[name])]
UNEVEN_MS = [0, 10, 200, 210, 220, 500, 940, 950, 1400, 1410, 1500, 2100, 2101, 2700, 2810, 2900]

CLIPS = {
    "h264.mp4": ClipSpec(gop=12, b_frames=3),
    "intra.mp4": ClipSpec(gop=1, b_frames=0),
    "one_gop.mp4": ClipSpec(gop=250, b_frames=3),
    "h264.mkv": ClipSpec(gop=9),
    "h265.mp4": ClipSpec("libx265", gop=10),
    "h265_open_gop.mp4": ClipSpec("libx265", n_frames=150, gop=12, b_frames=3),
    "h265.mkv": ClipSpec("libx265", gop=10),
    "open_gop.mkv": ClipSpec(n_frames=60, extra={"x264-params": "open-gop=1:keyint=12"}),
    "intra_refresh.mp4": ClipSpec(n_frames=60, extra={"intra-refresh": "1"}),
    "vp9.webm": ClipSpec("libvpx-vp9", gop=10),
    "av1.mp4": ClipSpec("libsvtav1", gop=10),
    "b_frames.avi": ClipSpec("mpeg4"),
    "b_frames_h264.avi": ClipSpec(b_frames=3),
    "no_b_frames_h264.avi": ClipSpec(b_frames=0),
    "uneven.mp4": ClipSpec(n_frames=16, times_ms=UNEVEN_MS),
    "uneven.mkv": ClipSpec(n_frames=16, times_ms=UNEVEN_MS),
    "with_sound.mp4": ClipSpec(audio=True),
    "turned90.mp4": ClipSpec(rotation=90),
    "turned180.mp4": ClipSpec(rotation=180),
    "turned270.mp4": ClipSpec(rotation=270),
    "one_frame.mp4": ClipSpec(n_frames=1),
}


def refuses(decoder: str, name: str) -> bool:
    """Say whether a decoder is known not to read a clip; anything else must be read right."""
    if name == "b_frames_h264.avi":
        return decoder != "opencv"
    if decoder != "decord":
        return False
    return name.endswith(".avi") or (name == "av1.mp4" and import_decord().__version__.startswith("0."))


def test_a_file_that_hides_the_order_of_its_frames_is_left_to_the_decoder_that_reads_them_all(clips: Path) -> None:
    pytest.importorskip("cv2")
    with open_video(clips / "b_frames_h264.avi", media_id="clip") as video:
        assert read_numbers(video.read([1, 2, 3, 30])) == [1, 2, 3, 30] and video.decoder == "opencv"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    for name, spec in CLIPS.items():
        if has_encoder(spec.codec):
            write_clip(folder / name, spec)
    return folder


@pytest.fixture(params=INSTALLED)
def decoder(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def some_indices(n_frames: int) -> list[list[int]]:
    """Return frames far apart, side by side, backwards, twice, and drawn at random."""
    drawn = np.random.default_rng(0)
    chosen = [[0, n_frames // 2, n_frames - 1], [3, 4, 5], [9, 2], [7, 7], [1], [0]]
    chosen += [sorted(drawn.integers(0, n_frames, count).tolist()) for count in (2, 3, 5, 8)]
    return [[min(index, n_frames - 1) for index in indices] for indices in chosen]


@pytest.mark.parametrize("name", CLIPS)
def test_frame_i_is_frame_i_at_its_true_time(clips: Path, name: str, decoder: str) -> None:
    spec, path = CLIPS[name], clips / name
    if not path.exists():
        pytest.skip(f"PyAV carries no encoder {spec.codec}.")
    if refuses(decoder, name):
        with pytest.raises(ModalityError, match=f"clip.*{name}.*{decoder}"):
            open_video(path, media_id="clip", decoder=decoder)
        return
    with open_video(path, media_id="clip", decoder=decoder) as video:
        assert video.decoder == decoder and video.n_frames == spec.n_frames
        times_s = np.arange(spec.n_frames) / spec.rate_hz if spec.times_ms is None else np.array(spec.times_ms) / 1000
        np.testing.assert_allclose(video.timestamps_s, times_s, atol=1e-4)
        frames = video.read(range(spec.n_frames))
        assert frames.shape == (spec.n_frames, *spec.size_px, 3) and frames.dtype == np.uint8
        assert read_numbers(frames) == list(range(spec.n_frames))
        for indices in some_indices(spec.n_frames):
            assert read_numbers(video.read(indices)) == indices
    # A reader whose first frames these are may begin otherwise than one that has read before.
    for indices in some_indices(spec.n_frames):
        with open_video(path, media_id="clip", decoder=decoder) as video:
            assert read_numbers(video.read(indices)) == indices


def test_an_uneven_rate_is_the_mean_and_an_even_one_is_as_stated(clips: Path, decoder: str) -> None:
    with open_video(clips / "uneven.mkv", media_id="clip", decoder=decoder) as video:
        assert video.rate_hz == pytest.approx(15 / 2.9, rel=1e-4)
    with open_video(clips / "h264.mp4", media_id="clip", decoder=decoder) as video:
        assert video.rate_hz == 25.0
    with open_video(clips / "one_frame.mp4", media_id="clip", decoder=decoder) as video:
        assert video.timestamps_s.tolist() == [0.0]


def test_a_clip_says_when_the_file_shows_its_frames(clips: Path) -> None:
    clip = VideoLoader().load(clips / "uneven.mp4", media_id="clip")
    assert clip.timestamps_s == pytest.approx([time / 1000 for time in UNEVEN_MS])


def test_sizes_are_the_same_filter_on_every_decoder(clips: Path, decoder: str) -> None:
    """Truth: the decoder's own pictures, resized by Pillow's bicubic filter."""
    from PIL import Image

    with open_video(clips / "h264.mp4", media_id="clip", decoder=decoder) as video:
        full = video.read([5, 20])
    with open_video(clips / "h264.mp4", media_id="clip", size_px=(40, 56), decoder=decoder) as video:
        small = video.read([5, 20])
    expected = [np.asarray(Image.fromarray(one).resize((56, 40), Image.Resampling.BICUBIC)) for one in full]
    assert small.shape == (2, 40, 56, 3)
    assert np.abs(small.astype(int) - np.stack(expected)).max() <= 2


def test_colours_are_right(tmp_path: Path, decoder: str) -> None:
    """Truth: the drawing that was encoded; 4:2:0 blurs colour edges, so the mean colour is compared."""
    path = write_clip(tmp_path / "clip.mp4", ClipSpec(n_frames=3, noise=0.9))
    with open_video(path, media_id="clip", decoder=decoder) as video:
        seen = video.read([1])[0].astype(float)
    drawn = numbered(1, (96, 128), 0.9).astype(float)
    corner = (slice(80, 88), slice(104, 112))  # one square of the texture, below and right of the number
    np.testing.assert_allclose(seen[corner].mean(axis=(0, 1)), drawn[corner].mean(axis=(0, 1)), atol=25)


class OnlyInArchive(type(Path())):  # type: ignore[misc]
    """A path whose bytes lie elsewhere, as those of a file inside an archive do."""

    target: Path

    def is_file(self) -> bool:
        return True

    def stat(self, **_: Any) -> os.stat_result:
        return self.target.stat()

    def open(self, *args: Any, **kwargs: Any) -> Any:
        return self.target.open(*args, **kwargs)


def test_a_path_inside_an_archive_is_read_through_the_path(clips: Path, tmp_path: Path) -> None:
    path = OnlyInArchive(tmp_path / "shard.tar" / "clip.mp4")
    path.target = clips / "h264.mp4"
    clip = VideoLoader().load(path, media_id="clip")
    assert read_numbers(clip.array) == list(range(40))


def test_the_next_decoder_serves_and_one_line_says_so(
    clips: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if len(INSTALLED) < 2:
        pytest.skip("there is no second decoder.")

    def refuse(self: PyAVDecoder, indices: Any) -> Any:
        raise UndecodableError("refused for the test")
        yield

    monkeypatch.setattr(PyAVDecoder, "frames", refuse)
    monkeypatch.setattr(video_file, "_said", set())
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            with open_video(clips / "h264.mp4", media_id="clip") as video:
                assert read_numbers(video.read([3, 30])) == [3, 30]
                assert video.decoder == INSTALLED[1]
    assert [record.message.count("refused for the test") for record in caplog.records] == [1]
    with pytest.raises(ModalityError, match=r"clip.*h264\.mp4.*pyav: refused"):
        open_video(clips / "h264.mp4", media_id="clip", decoder="pyav").read([3])


def test_a_seek_that_lands_elsewhere_still_gives_the_frames_asked_for(
    clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where seeking overshoots, reading begins at the start of the file."""
    video = open_video(clips / "h264.mkv", media_id="clip", decoder="pyav")
    decoder: Any = video._decoder
    real, offsets = decoder._container, []

    class Overshooting:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def seek(self, offset: int, **options: Any) -> None:
            offsets.append(offset)
            real.seek(offset if len(offsets) > 1 else 1400, **options)

    decoder._container = Overshooting()
    assert read_numbers(video.read([12])) == [12] and len(offsets) == 2


def test_pictures_that_nothing_refers_to_are_not_decoded(clips: Path) -> None:
    """Truth: with B-frames, the last frame of a clip of one keyframe needs fewer pictures than there are."""
    video = open_video(clips / "one_gop.mp4", media_id="clip", decoder="pyav")
    decoder: Any = video._decoder
    context, decoded = decoder._stream.codec_context, 0
    for _, packet in decoder._packets(0):
        context.skip_frame = "NONREF"
        decoded += len(context.decode(packet))
    assert decoded + len(context.decode(None)) < 30
    assert read_numbers(video.read([38, 39])) == [38, 39]


def test_options_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"decoder 'pyaw'.*'pyav'"):
        VideoLoader.from_options({"decoder": "pyaw"})
