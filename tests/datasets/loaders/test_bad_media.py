"""Bad media: nothing but a ModalityError that names medium and file, and never a wrong frame."""

from __future__ import annotations

import gc
import importlib.util
import io
import os
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from media import ClipSpec, read_numbers, write_clip, write_tone
from PIL import Image

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Clip
from lavis.datasets.loaders.decoders import DECODERS
from lavis.datasets.loaders.frames import FramesLoader
from lavis.datasets.loaders.sequence import MAX_IMAGE_PX
from lavis.datasets.loaders.video import VideoLoader

pytest.importorskip("av", reason="PyAV makes the clips")

MODULES = {"pyav": "av", "decord": "decord", "opencv": "cv2"}
CHOICES = ["auto", *(name for name in DECODERS if importlib.util.find_spec(MODULES[name]))]
N_CUTS = 20
# Per container: the clip, and what the muxer is told about the place of the index.
CONTAINERS = {
    "index_last.mp4": (ClipSpec(), {}),
    "index_first.mp4": (ClipSpec(), {"movflags": "faststart"}),
    "fragments.mp4": (ClipSpec(gop=8), {"movflags": "frag_keyframe+empty_moov"}),
    "closed.mkv": (ClipSpec(), {}),
    "live.mkv": (ClipSpec(), {"live": "1"}),
    "vp9.webm": (ClipSpec("libvpx-vp9"), {}),
    "mpeg4.avi": (ClipSpec("mpeg4", b_frames=0), {}),
}
GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)
COLOUR = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    return {
        name: write_clip(folder / name, spec, options=options).read_bytes()
        for name, (spec, options) in CONTAINERS.items()
    }


def frame_folder(tmp_path: Path, name: str, write: Callable[[Path], Any]) -> Path:
    folder = tmp_path / "frames" / "clip"
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / name)
    return folder


def load_frame(tmp_path: Path, name: str, write: Callable[[Path], Any], **options: Any) -> np.ndarray:
    clip = FramesLoader(**options).load(frame_folder(tmp_path, name, write), media_id="clip")
    assert isinstance(clip, Clip) and clip.array.dtype == np.uint8 and clip.array.shape[-1] == 3
    return np.asarray(clip.array[0])


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("decoder", CHOICES)
@pytest.mark.parametrize("name", CONTAINERS)
def test_a_truncated_video_is_an_error_wherever_it_is_cut(
    whole: dict[str, bytes], tmp_path: Path, name: str, decoder: str
) -> None:
    data, path = whole[name], tmp_path / name
    loader = VideoLoader(decoder=decoder)
    path.write_bytes(data)
    if not (decoder == "decord" and name in ("live.mkv", "mpeg4.avi")):  # which decord does not read at all
        assert read_numbers(loader.load(path, media_id="clip").array) == list(range(40))
    for cut in range(N_CUTS):
        path.write_bytes(data[: len(data) * (2 * cut + 1) // (2 * N_CUTS)])
        with pytest.raises(ModalityError, match=f"clip.*{name}.*fetch it again"):
            loader.load(path, media_id="clip")


@pytest.mark.parametrize("name", ["index_last.mp4", "index_first.mp4"])
def test_damaged_data_of_a_frame_are_an_error_or_the_right_frame(
    whole: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    data, path, n_errors = whole[name], tmp_path / name, 0
    for cut in range(N_CUTS):
        start = len(data) * (2 * cut + 1) // (2 * N_CUTS)
        path.write_bytes(data[:start] + bytes(200) + data[start + 200 :])
        try:
            numbers = read_numbers(VideoLoader(decoder="pyav").load(path, media_id="clip").array)
        except ModalityError:
            n_errors += 1
        else:
            assert numbers == list(range(40))
    assert n_errors > N_CUTS // 2


@pytest.mark.parametrize("decoder", CHOICES)
def test_what_is_no_video_says_so(tmp_path: Path, decoder: str) -> None:
    loader = VideoLoader(decoder=decoder)
    texts = {
        "empty.mp4": b"",
        "photo.mp4": encoded(Image.fromarray(COLOUR), "JPEG"),
        "playlist.mp4": b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n",
        "list.mkv": b"ffconcat version 1.0\nfile /etc/hostname\n",
        "transport.mp4": (b"\x47" + bytes(187)) * 9,
        "noise.webm": np.random.default_rng(1).bytes(3000),
    }
    for name, data in texts.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ModalityError, match=f"clip.*{name}.*(empty|no container that is read)"):
            loader.load(tmp_path / name, media_id="clip")
    write_tone(tmp_path / "sound.mp4")
    with pytest.raises(ModalityError, match=r"clip.*sound\.mp4"):
        loader.load(tmp_path / "sound.mp4", media_id="clip")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(ModalityError, match=r"clip.*folder\.mp4"):
        loader.count(tmp_path / "folder.mp4", media_id="clip")


@pytest.mark.parametrize("decoder", CHOICES)
def test_a_video_without_a_rate_is_timed_by_its_frames(tmp_path: Path, decoder: str) -> None:
    """Matroska states a rate as the default duration of a frame; here it is turned into an unknown element."""
    path = write_clip(tmp_path / "clip.mkv", ClipSpec(n_frames=10, rate_hz=10))
    data = path.read_bytes()
    element = b"\x23\xe3\x83"
    assert element in data
    path.write_bytes(data.replace(element, b"\x23\xe3\x84"))
    clip = VideoLoader(decoder=decoder).load(path, media_id="clip")
    assert read_numbers(clip.array) == list(range(10)) and clip.rate_hz == pytest.approx(10.0, rel=1e-3)
    assert clip.timestamps_s == pytest.approx([k / 10 for k in range(10)], abs=2e-3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_image_is_an_error_or_whole(tmp_path: Path, kind: str) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    data = encoded(noise, kind)
    name = "0.png" if kind == "PNG" else "0.jpg"
    right = load_frame(tmp_path, name, lambda path: path.write_bytes(data))
    for cut in [len(data) * (2 * k + 1) // (2 * N_CUTS) for k in range(N_CUTS)] + [0]:
        with pytest.raises(ModalityError, match=f"clip.*{name}"):
            load_frame(tmp_path, name, lambda path, cut=cut: path.write_bytes(data[:cut]))
    # What a file lacks of its end marker alone is no pixel.
    try:
        shown = load_frame(tmp_path, name, lambda path: path.write_bytes(data[:-1]))
    except ModalityError:
        return
    np.testing.assert_array_equal(shown, right)


def test_a_video_named_jpg_and_other_formats_are_no_images(whole: dict[str, bytes], tmp_path: Path) -> None:
    for data in (whole["index_last.mp4"], b"%!PS-Adobe-3.0 EPSF-3.0\n", b"GIF89a" + bytes(50), b"\0" * 100):
        with pytest.raises(ModalityError, match=r"clip.*0\.jpg.*no image"):
            load_frame(tmp_path, "0.jpg", lambda path, data=data: path.write_bytes(data))


def test_a_photograph_of_8k_is_read_and_an_absurd_size_is_not(tmp_path: Path) -> None:
    def write_8k(path: Path) -> None:
        Image.new("RGB", (7680, 4320), (10, 200, 30)).save(path)

    picture = load_frame(tmp_path, "0.jpg", write_8k, size_px=[4, 4])
    np.testing.assert_allclose(picture, np.broadcast_to([10, 200, 30], (4, 4, 3)), atol=3)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    for side, advice in ((14_000, "make it smaller"), (60_000, "make it smaller")):
        assert side * side > MAX_IMAGE_PX
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
        with warnings.catch_warnings(), pytest.raises(ModalityError, match=f"clip.*0.jpg.*{advice}"):
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            load_frame(tmp_path, "0.jpg", lambda path, bomb=bomb: path.write_bytes(bomb))


def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path: Path) -> None:
    ramp = np.array([[0, 128, 129, 257, 1000, 32768, 65534, 65535]], np.uint16)
    with pytest.raises(ModalityError, match=r"clip.*0\.png.*I;16.*convert: true"):
        load_frame(tmp_path, "0.png", Image.fromarray(ramp).save)
    picture = load_frame(tmp_path, "0.png", Image.fromarray(ramp).save, convert=True)
    expected = np.rint(ramp[0] / 257).astype(np.uint8)
    assert expected.tolist() == [0, 0, 1, 1, 4, 128, 255, 255]
    np.testing.assert_array_equal(picture[0], np.repeat(expected[:, None], 3, axis=1))


def test_a_cmyk_photograph_is_read_as_it_is(tmp_path: Path) -> None:
    cmyk = Image.new("CMYK", (8, 6), (255, 0, 0, 0))
    picture = load_frame(tmp_path, "0.jpg", lambda path: cmyk.save(path, quality=100))
    np.testing.assert_allclose(picture, np.broadcast_to([0, 255, 255], (6, 8, 3)), atol=3)


def transparent_palette() -> Image.Image:
    image = Image.new("P", (8, 6), 1)
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.paste(0, (0, 0, 4, 6))
    return image


def rgba(left: int, right: int) -> Image.Image:
    image = Image.new("RGBA", (8, 6), (0, 0, 200, right))
    image.paste((200, 0, 0, left), (0, 0, 4, 6))
    return image


@pytest.mark.parametrize(
    ("image", "options", "left", "right"),
    [
        (transparent_palette(), {"transparency": 0}, [255, 255, 255], [0, 0, 200]),
        (transparent_palette(), {}, [200, 0, 0], [0, 0, 200]),
        (rgba(0, 255), {}, [255, 255, 255], [0, 0, 200]),
        (rgba(255, 102), {}, [200, 0, 0], [153, 153, 233]),
        (Image.new("LA", (8, 6), (40, 255)), {}, [40, 40, 40], [40, 40, 40]),
        (Image.new("1", (8, 6), 1), {}, [255, 255, 255], [255, 255, 255]),
        (Image.fromarray(np.full((6, 8), 77, np.uint8)), {}, [77, 77, 77], [77, 77, 77]),
    ],
    ids=["palette_transparent", "palette", "rgba", "rgba_part", "grey_alpha", "bilevel", "grey"],
)
def test_transparency_lies_over_white(
    tmp_path: Path, image: Image.Image, options: dict[str, Any], left: list[int], right: list[int]
) -> None:
    def write(path: Path) -> None:
        image.save(path, **options)

    with pytest.raises(ModalityError, match=r"clip.*0\.png.*convert: true"):
        load_frame(tmp_path, "0.png", write)
    picture = load_frame(tmp_path, "0.png", write, convert=True)
    np.testing.assert_allclose(picture[2, 1], left, atol=1)
    np.testing.assert_allclose(picture[2, 6], right, atol=1)


def test_of_several_pictures_in_one_file_the_first_is_read(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (8, 6), (9, 8, 7)), Image.new("RGB", (8, 6), (90, 80, 70))

    def animated(path: Path) -> None:
        first.save(path, save_all=True, append_images=[second], duration=100)

    def mpo(path: Path) -> None:
        first.save(path, "MPO", save_all=True, append_images=[second], quality=100)

    for name, write in (("0.png", animated), ("0.jpg", mpo)):
        (tmp_path / name[2:]).mkdir()
        np.testing.assert_allclose(load_frame(tmp_path / name[2:], name, write)[0, 0], [9, 8, 7], atol=2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_before_resizing(tmp_path: Path, orientation: int) -> None:
    """Truth: what a camera stores that was held in each of the eight ways."""
    stored = {
        1: COLOUR,
        2: COLOUR[:, ::-1],
        3: COLOUR[::-1, ::-1],
        4: COLOUR[::-1],
        5: COLOUR.transpose(1, 0, 2),
        6: np.rot90(COLOUR),
        7: COLOUR[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(COLOUR, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation

    def write(path: Path) -> None:
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif)

    np.testing.assert_array_equal(load_frame(tmp_path, "0.png", write), COLOUR)
    assert load_frame(tmp_path, "0.png", write, size_px=[3, 4]).shape == (3, 4, 3)


def test_damaged_exif_turns_nothing(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(COLOUR), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    np.testing.assert_array_equal(load_frame(tmp_path, "0.png", lambda path: path.write_bytes(data)), COLOUR)


def test_a_link_out_of_the_surroundings_needs_an_option(tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.png"
    Image.fromarray(COLOUR).save(outside)
    with pytest.raises(ModalityError, match=r"clip.*0\.png is a link.*elsewhere\.png.*follow_links: true"):
        load_frame(tmp_path, "0.png", lambda path: path.symlink_to(outside))
    folder = tmp_path / "frames" / "clip"
    clip = FramesLoader(follow_links=True).load(folder, media_id="clip")
    np.testing.assert_array_equal(clip.array[0], COLOUR)
    outside.unlink()
    with pytest.raises(ModalityError, match=r"0\.png is a link to .* which is no file"):
        FramesLoader(follow_links=True).load(folder, media_id="clip")


def test_links_inside_the_surroundings_and_a_linked_folder_are_read(tmp_path: Path) -> None:
    other = tmp_path / "frames" / "other"
    other.mkdir(parents=True)
    Image.fromarray(COLOUR).save(other / "0.png")
    folder = frame_folder(tmp_path, "0.png", lambda path: path.symlink_to(other / "0.png"))
    np.testing.assert_array_equal(FramesLoader().load(folder, media_id="clip").array[0], COLOUR)
    (tmp_path / "linked").symlink_to(other)
    np.testing.assert_array_equal(FramesLoader().load(tmp_path / "linked", media_id="clip").array[0], COLOUR)


def test_an_unknown_order_is_an_error() -> None:
    with pytest.raises(ConfigError, match="natural or lexicographic"):
        FramesLoader.from_options({"order": "size"})


def test_memory_stays_flat(tmp_path: Path) -> None:
    """Truth: 250 loads of clips of 0.3 MB and 0.15 MB; anything kept of each would show."""
    video = write_clip(tmp_path / "clip.mp4", ClipSpec(n_frames=8))
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(4):
        Image.new("RGB", (128, 96), (number, 0, 0)).save(folder / f"{number}.jpg")
    process = psutil.Process()

    def load_all(times: int) -> int:
        for number in range(times):
            os.utime(video, ns=(number, number))  # a file that changes is listed anew each time
            VideoLoader().load(video, media_id="clip")
            FramesLoader().load(folder, media_id="clip")
        gc.collect()
        return int(process.memory_info().rss)

    before = load_all(40)
    assert load_all(250) - before < 12 * 2**20
