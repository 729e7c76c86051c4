"""Frames and what all folder modalities share: order, alignment, errors."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from lavis.common.errors import AnnotationError, ConfigError, ModalityError
from lavis.datasets.loaders import sequence
from lavis.datasets.loaders.base import Sampling
from lavis.datasets.loaders.depth import DepthLoader
from lavis.datasets.loaders.frames import FramesLoader
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.question import Media


def write_frames(folder: Path, names: list[str], mode: str = "RGB") -> Path:
    """Frame k is filled with the value 10 k."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(np.full((6, 8, 3), 10 * number, np.uint8)).convert(mode).save(folder / name, quality=100)
    return folder


def test_natural_order_puts_frame10_after_frame2(tmp_path: Path) -> None:
    names = ["frame1.png", "frame2.PNG", "frame3.jpeg", "frame9.JPG", "frame10.png", "frame11.png"]
    clip = FramesLoader().load(write_frames(tmp_path / "clip", names), media_id="clip")
    assert clip.array.shape == (6, 6, 8, 3) and clip.array.dtype == np.uint8
    assert clip.array[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40, 50]
    assert clip.shape == "t h w c" and clip.unit == "uint8 RGB" and clip.indices == tuple(range(6))


def test_lexicographic_order_is_cremas(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "clip", ["1.png", "2.png", "10.png", "11.png", "b.png", "B2.png"])
    loader = FramesLoader(order="lexicographic")
    assert [file.name for file in loader.files(folder, media_id="clip")] == sorted(
        path.name for path in folder.iterdir()
    )
    clip = loader.load(folder, media_id="clip", sampling=Sampling((0, 1, 2)))
    assert clip.array[:, 0, 0, 0].tolist() == [0, 20, 30]  # 1, 10, 11


@pytest.mark.parametrize("n_cores", [1, 4])
def test_decoding_in_threads_gives_pillows_pixels_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_cores: int
) -> None:
    rng = np.random.default_rng(0)
    pictures = []
    for number in range(12):
        image = Image.fromarray(rng.integers(0, 256, (60, 90, 3), np.uint8))
        image.save(tmp_path / f"{number}.jpg", quality=80)
        with Image.open(tmp_path / f"{number}.jpg") as stored:
            pictures.append(np.asarray(stored.resize((32, 24), Image.Resampling.BICUBIC)))
    monkeypatch.setattr(sequence, "usable_cores", lambda: n_cores)
    clip = FramesLoader(size_px=[24, 32], resampling="pillow").load(tmp_path, media_id="clip")
    np.testing.assert_array_equal(clip.array, np.stack(pictures))
    faster = FramesLoader(size_px=[24, 32]).load(tmp_path, media_id="clip")
    assert np.abs(faster.array.astype(int) - np.stack(pictures)).max() <= 2
    (tmp_path / "7.jpg").write_bytes(b"")
    (tmp_path / "9.jpg").write_bytes(b"")
    with pytest.raises(ModalityError, match=r"7\.jpg"):
        FramesLoader().load(tmp_path, media_id="clip")


class InArchive(type(Path())):  # type: ignore[misc]
    """A path whose bytes do not lie on the disk under its name, as those of a file inside an archive do."""

    contents: ClassVar[dict[str, bytes]] = {}

    def _names(self) -> list[str]:
        return [name for name in self.contents if name.startswith(f"{self}/")]

    def is_dir(self) -> bool:
        return bool(self._names())

    def iterdir(self) -> Iterator[InArchive]:
        return (InArchive(name) for name in self._names())

    def is_file(self) -> bool:
        return str(self) in self.contents

    def exists(self) -> bool:
        return self.is_file() or self.is_dir()

    def open(self, mode: str = "r", **_: Any) -> io.BytesIO:
        assert mode == "rb"
        return io.BytesIO(self.contents[str(self)])

    def read_bytes(self) -> bytes:
        return self.contents[str(self)]


def test_frames_and_arrays_inside_an_archive_are_read_through_their_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {}
    for number in range(3):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 6), (number, 0, 0)).save(buffer, "PNG")
        contents[f"shard.tar/room/{number}.png"] = buffer.getvalue()
    buffer = io.BytesIO()
    np.save(buffer, np.full((3, 6, 8), 2.0, np.float32))
    contents["shard.tar/room.npy"] = buffer.getvalue()
    monkeypatch.setattr(InArchive, "contents", contents)
    frames = FramesLoader().load(InArchive("shard.tar/room"), media_id="room")
    assert frames.array[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert DepthLoader().load(InArchive("shard.tar/room.npy"), media_id="room").array[2, 0, 0] == 2.0


def test_an_array_file_on_disk_is_mapped_and_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4)))
    assert isinstance(sequence.read_array(tmp_path / "a.npy", media_id="room", modality="depth"), np.memmap)


def test_only_the_sampled_frames_are_opened(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "clip", [f"{n:05d}.png" for n in range(6)])
    (folder / "00003.png").write_bytes(b"never opened")
    clip = FramesLoader(rate_hz=2.0).load(folder, media_id="clip", sampling=Sampling((1, 4), (0.5, 2.0), 2.0))
    assert clip.array[:, 0, 0, 0].tolist() == [10, 40]
    assert clip.timestamps_s == (0.5, 2.0) and clip.rate_hz == 2.0
    with pytest.raises(ModalityError, match=r"clip.*00003\.png.*damaged"):
        FramesLoader().load(folder, media_id="clip")


def test_the_reader_hands_one_sampling_to_every_modality(tmp_path: Path) -> None:
    write_frames(tmp_path / "frame" / "room", [f"{n}.png" for n in range(20)])
    (tmp_path / "depth" / "room").mkdir(parents=True)
    for n in range(20):
        Image.fromarray(np.full((6, 8), 1000 + n, np.uint16)).save(tmp_path / "depth" / "room" / f"{n}.png")
    media = Media("room", {name: tmp_path / name / "room" for name in ("frame", "depth")})
    reader = MediaReader(media, n_frames=4, modalities={"frame": {"rate_hz": 5.0}})
    frames, depth = reader.load("frame"), reader.load("depth")
    assert frames.indices == depth.indices == (2, 6, 11, 16)
    assert frames.timestamps_s == depth.timestamps_s == (0.4, 1.2, 2.2, 3.2)
    assert (frames.array[:, 0, 0, 0] // 10).tolist() == [2, 6, 11, 16]
    assert np.allclose(depth.array[:, 0, 0], [1.002, 1.006, 1.011, 1.016])


def test_a_shorter_modality_names_both_counts(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "clip", ["0.png", "1.png", "2.png"])
    with pytest.raises(ModalityError, match=r"clip.*has 3 frames, the sampling needs 8.*"):
        FramesLoader().load(folder, media_id="clip", sampling=Sampling((1, 7)))


@pytest.mark.parametrize("mode", ["L", "P", "RGBA"])
def test_greyscale_palette_and_alpha_need_the_convert_option(tmp_path: Path, mode: str) -> None:
    folder = write_frames(tmp_path / "clip", ["0.png", "1.png"], mode)
    with pytest.raises(ModalityError, match=r"clip.*0\.png.*convert: true"):
        FramesLoader().load(folder, media_id="clip")
    clip = FramesLoader(convert=True).load(folder, media_id="clip")
    assert clip.array.shape == (2, 6, 8, 3)


def test_resize_takes_height_before_width(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "clip", ["0.png"])
    assert FramesLoader(size_px=[12, 5]).load(folder, media_id="clip").array.shape == (1, 12, 5, 3)


def test_wrong_folders_say_what_was_found(tmp_path: Path) -> None:
    loader = FramesLoader()
    with pytest.raises(ModalityError, match=r"clip.*does not exist.*build_info"):
        loader.count(tmp_path / "absent", media_id="clip")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModalityError, match="it is empty"):
        loader.count(tmp_path / "empty", media_id="clip")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.bmp").touch()
    with pytest.raises(ModalityError, match=r"only \.bmp"):
        loader.count(tmp_path / "other", media_id="clip")
    write_frames(tmp_path / "twice", ["1.png", "1.jpg"])
    with pytest.raises(ModalityError, match="two formats"):
        loader.count(tmp_path / "twice", media_id="clip")


def test_a_truncated_image_is_an_error(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "clip", ["0.png"])
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(folder / "0.png")
    whole = (folder / "0.png").read_bytes()
    (folder / "0.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModalityError, match=r"clip.*0\.png.*truncated"):
        FramesLoader().load(folder, media_id="clip")


def test_frames_of_two_sizes_are_an_error(tmp_path: Path) -> None:
    folder = write_frames(tmp_path / "clip", ["0.png"])
    Image.new("RGB", (4, 4)).save(folder / "1.png")
    with pytest.raises(ModalityError, match="changes its size"):
        FramesLoader().load(folder, media_id="clip")


def test_names_stay_inside_the_root_and_options_are_checked(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="record 3"):
        FramesLoader.locate(tmp_path, "../secret", annotation="record 3")
    assert DepthLoader.locate(tmp_path, "a/b", annotation="r") == tmp_path / "a" / "b"
    np.save(tmp_path / "one.npy", np.ones((2, 3, 3)))
    assert DepthLoader.locate(tmp_path, "one", annotation="r") == tmp_path / "one.npy"
    with pytest.raises(ConfigError, match="size_px"):
        FramesLoader.from_options({"size_xp": [1, 2]})
    with pytest.raises(ConfigError, match="height"):
        FramesLoader(size_px=[0, 5])
    with pytest.raises(ConfigError, match="above 0"):
        FramesLoader(rate_hz=0.0)


def test_a_folder_is_listed_once_for_counting_and_reading_and_again_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_frames(tmp_path / "clip", ["1.png", "2.png"])
    os.utime(folder, ns=(0, 10**18))  # long ago
    listings: list[Path] = []
    listed = sequence._listed
    monkeypatch.setattr(sequence, "_listed", lambda path: (listings.append(path), listed(path))[1])
    loader = FramesLoader()
    assert loader.count(folder, media_id="clip")[0] == len(loader.load(folder, media_id="clip").array) == 2
    assert len(listings) == 1
    Image.new("RGB", (8, 6)).save(folder / "3.png")
    assert loader.count(folder, media_id="clip")[0] == 3


def test_an_unknown_resampling_is_refused() -> None:
    with pytest.raises(ConfigError, match="resampling"):
        FramesLoader(resampling="nearest")  # type: ignore[arg-type]


def test_a_few_pictures_that_are_no_film_are_all_looked_at(tmp_path: Path) -> None:
    """Two photographs: the interval formula would never come to the second; a film's last frame it still leaves out."""
    for number in range(2):
        Image.new("RGB", (8, 8), (number * 100, 0, 0)).save(tmp_path / f"{number}.png")
    media = Media("photos", {"frame": tmp_path})
    assert MediaReader(media, n_frames=8).sampling().indices == (0, 1)
    assert MediaReader(media, n_frames=8, modalities={"frame": {"rate_hz": 2.0}}).sampling().indices == (0,)
