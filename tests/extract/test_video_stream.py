"""Videos in order: exact numbers and times in every container, from any frame on."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media import ClipSpec, read_number, write_clip, write_tone

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.video import VideoLoader
from lavis.extract.video_stream import VideoStream

UNEVEN_MS = [number * 40 + (number % 3) * 7 for number in range(40)]
CLIPS = {
    "b_frames.mp4": ClipSpec(),
    "quarter_turn.mp4": ClipSpec(rotation=90, size_px=(96, 64)),
    "three_quarters.mp4": ClipSpec(rotation=270),
    "uneven.mp4": ClipSpec(times_ms=UNEVEN_MS),
    "vp9.webm": ClipSpec(codec="libvpx-vp9"),
    "no_times.avi": ClipSpec(codec="mpeg4"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clips")
    for name, spec in CLIPS.items():
        write_clip(made / name, spec)
    return made


@pytest.mark.parametrize("name", CLIPS)
def test_every_frame_has_its_number(folder: Path, name: str) -> None:
    stream = VideoStream(folder / name, media_id="m")
    frames = list(stream.pictures())
    assert [number for number, _ in frames] == list(range(40)) == [read_number(picture) for _, picture in frames]
    assert len(stream) == 40 == VideoLoader().count(folder / name, media_id="m")[0]
    loaded = VideoLoader().load(folder / name, media_id="m").array
    np.testing.assert_allclose(frames[17][1].astype(int), loaded[17], atol=3)


@pytest.mark.parametrize("name", CLIPS)
def test_a_part_begins_where_it_should(folder: Path, name: str) -> None:
    stream = VideoStream(folder / name, media_id="m")
    for first, last in ((17, 21), (39, 39), (12, 13)):
        assert [read_number(picture) for _, picture in stream.pictures(first, last)] == list(range(first, last + 1))
    assert [number for number, _ in stream.pictures(3, 30, wanted={3, 29})] == [3, 29]


def test_times_are_exact(folder: Path) -> None:
    even, uneven = (VideoStream(folder / name, media_id="m") for name in ("b_frames.mp4", "uneven.mp4"))
    assert even.times_s == tuple(Fraction(number, 25) for number in range(40)) and even.end_s == Fraction(40, 25)
    assert uneven.times_s == tuple(Fraction(ms, 1000) for ms in UNEVEN_MS)
    assert VideoStream(folder / "no_times.avi", media_id="m").times_s[10] == Fraction(10, 25)


def test_a_part_far_in_is_not_decoded_from_the_beginning(tmp_path: Path) -> None:
    stream = VideoStream(write_clip(tmp_path / "c.mp4", ClipSpec(n_frames=120, gop=10)), media_id="m")
    assert next(stream._decoded(100))[0] >= 90


def test_bad_files_are_named(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "b_frames.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXTINF:1,\n{folder / 'b_frames.mp4'}\n#EXT-X-ENDLIST\n")
    write_tone(tmp_path / "tone.mp4")
    for name, says in [("cut", "opened"), ("empty", "opened"), ("list", "opened"), ("tone", "no video"), ("no", "not")]:
        with pytest.raises(ModalityError, match=rf"^m: video .*{name}\.mp4 .*{says}"):
            VideoStream(tmp_path / f"{name}.mp4", media_id="m")


def test_a_file_cut_behind_its_index_is_truncated(tmp_path: Path) -> None:
    """Truth: with its index at the beginning the file opens, and names frames that it does not hold."""
    path = write_clip(tmp_path / "c.mp4", options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(ModalityError, match="truncated"):
        VideoStream(path, media_id="m")


def test_damage_inside_is_named_and_what_is_before_it_is_read(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "c.mp4", ClipSpec(n_frames=60, gop=10, noise=0.8))
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat")
    middle = start + (data.index(b"moov") - start) * 3 // 4
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(bytes(data))
    seen = []
    with pytest.raises(ModalityError, match=r"c\.mp4.*decoded"):
        for number, picture in VideoStream(path, media_id="m").pictures():
            assert read_number(picture) == number
            seen.append(number)
    assert len(seen) > 20
