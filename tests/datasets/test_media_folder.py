"""From a path to a medium: real files of every kind, and paths that mean nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from media import ClipSpec, write_clip, write_tone
from PIL import Image

from lavis.common.errors import AnnotationError, ModalityError, UnknownNameError
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.media_folder import find_medium, read_pose
from lavis.datasets.question import Pose

INSTANCES = [{"instance_id": 1, "label": "chair", "center_m": [1, 0, 0], "size_m": [1, 1, 1]}]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path / "cache"))


def picture(path: Path, level: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 12, 3), level, np.uint8)).save(path)
    return path


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_video_has_the_tracks_that_are_in_it_and_the_subtitles_beside_it(tmp_path: Path) -> None:
    silent = write_clip(tmp_path / "silent.mp4", ClipSpec(n_frames=4))
    talk = write_clip(tmp_path / "talk.mp4", ClipSpec(n_frames=4, audio=True))
    write(tmp_path / "talk.vtt")
    sound = write_tone(tmp_path / "only_sound.mp4")

    assert find_medium(silent).media.sources == {"video": silent}
    found = find_medium(talk).media
    assert found.sources == {"video": talk, "audio": talk, "subtitles": tmp_path / "talk.vtt"}
    assert found.media_id == "talk"
    assert find_medium(sound).media.sources == {"audio": sound}


def test_one_picture_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    """Truth: the picture is 8 px high and 12 wide; the copy in the cache is made once."""
    path = picture(tmp_path / "photo.png", level=90)
    media = find_medium(path).media

    clip = MediaReader(media).load("frame")
    assert (media.media_id, clip.array.shape[1:], int(clip.array.max())) == ("photo", (8, 12, 3), 90)
    assert find_medium(path).media.fingerprint("frame") == media.fingerprint("frame")
    assert find_medium(picture(tmp_path / "photo.png", level=91)).media.path("frame") != media.path("frame")


@pytest.mark.parametrize(
    ("name", "modality", "media_id"),
    [
        ("song.FLAC", "audio", "song"),
        ("paper.pdf", "page", "paper"),
        ("prices.csv", "table", "prices"),
        ("prices.html", "table", "prices"),
        ("head.nii.gz", "volume", "head"),
        ("head.npy", "volume", "head"),
        ("room.ply", "pc", "room"),
        ("talk.srt", "subtitles", "talk"),
    ],
)
def test_a_file_is_known_by_its_suffix(tmp_path: Path, name: str, modality: str, media_id: str) -> None:
    path = write(tmp_path / name)
    media = find_medium(path).media
    assert (media.sources, media.media_id) == ({modality: path}, media_id)


def test_what_a_file_is_can_be_said(tmp_path: Path) -> None:
    path = picture(tmp_path / "plot.png")
    assert find_medium(path, modality="chart").media.sources == {"chart": path}
    assert find_medium(path, modality="thermal").media.sources["thermal"].is_dir()
    with pytest.raises(UnknownNameError, match="Did you mean 'chart'"):
        find_medium(path, modality="charts")


def test_a_folder_of_one_medium(tmp_path: Path) -> None:
    room = tmp_path / "room"
    picture(room / "frames" / "0.jpg")
    picture(room / "normals" / "0.png")
    write(room / "depth.npy")
    write(room / "audio.wav")
    video = write_clip(room / "walk.mp4", ClipSpec(n_frames=4, audio=True))
    write(room / "instances.json", json.dumps(INSTANCES))
    write(room / "scan_of_room.ply")
    write(room / "captions.json", '["a room"]')
    write(room / "notes.md")
    write(room / ".hidden.pdf")
    write(room / "pose.json", '{"position_m": [1, 2, 0], "forward": [0, 3], "situation": "I stand at the door."}')

    found = find_medium(room)
    assert found.media.media_id == "room"
    assert found.media.sources == {
        "frame": room / "frames",
        "norm": room / "normals",
        "depth": room / "depth.npy",
        "audio": room / "audio.wav",
        "video": video,
        "instances": room / "instances.json",
        "pc": room / "scan_of_room.ply",
        "captions": room / "captions.json",
    }
    assert found.media.side == {"pose": Pose((1.0, 2.0, 0.0), (0.0, 1.0))}
    assert (found.situation, found.unused) == ("I stand at the door.", ("notes.md",))
    assert [one.text for one in MediaReader(found.media).load("captions")] == ["a room"]


def test_a_folder_of_pictures_is_a_clip(tmp_path: Path) -> None:
    for number in range(3):
        picture(tmp_path / "walk" / f"{number}.jpg")
    media = find_medium(tmp_path / "walk").media
    assert media.sources == {"frame": tmp_path / "walk"}
    assert MediaReader(media).load("frame").array.shape[1:] == (8, 12, 3)


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """SQA3D's layout: a folder for each modality with what each scene has in it."""
    root = tmp_path / "root"
    for scene in ("scene0000_00", "scene0001_00"):
        picture(root / "frames" / scene / "0.jpg")
        write(root / "instances" / f"{scene}.json", json.dumps(INSTANCES))
    picture(root / "depth" / "scene0001_00" / "0.png")
    write(root / "nr3d_captions_by_scene.json", json.dumps({"scene0001_00": ["a chair"]}))
    return root


def test_one_medium_of_a_benchmark_s_folder(benchmark: Path) -> None:
    assert find_medium(benchmark, medium="scene0000_00").media.sources == {
        "frame": benchmark / "frames" / "scene0000_00",
        "instances": benchmark / "instances" / "scene0000_00.json",
    }
    media = find_medium(benchmark, medium="scene0001_00").media
    assert (sorted(media.sources), media.media_id) == (["captions", "depth", "frame", "instances"], "scene0001_00")


def test_which_medium_of_many_must_be_said_and_be_there(benchmark: Path) -> None:
    with pytest.raises(ModalityError, match=r"holds 2 media: scene0000_00, scene0001_00. Choose one with --medium"):
        find_medium(benchmark)
    with pytest.raises(ModalityError, match=r"no medium 'scene0001_01'. Did you mean 'scene0001_00'"):
        find_medium(benchmark, medium="scene0001_01")
    with pytest.raises(AnnotationError, match="does not stay inside"):
        find_medium(benchmark, medium="../frames/scene0000_00")
    with pytest.raises(ModalityError, match="There is no medium 'x' in it"):
        find_medium(benchmark / "frames" / "scene0000_00", medium="x")


def test_paths_that_mean_nothing_say_what_was_looked_for(tmp_path: Path) -> None:
    write(tmp_path / "model.gltf")
    (tmp_path / "empty").mkdir()
    write(tmp_path / "texts" / "a.doc")
    write(tmp_path / "two" / "a.pdf")
    write(tmp_path / "two" / "b.pdf")
    write(tmp_path / "talk.mp4", "#EXTM3U\n#EXTINF:1,\n/etc/hostname\n")  # FFmpeg would follow it

    for name, said in (
        ("modle.gltf", r"modle.gltf does not exist. Did you mean 'model.gltf'"),
        ("model.gltf", r"no file of a known kind(.|\n)*video: \*.mp4"),
        ("empty", r"is empty. Looked for:\n  frame: frames/"),
        ("texts", r"holds only a.doc. Looked for:"),
        ("two", r"holds page in 2 places: a.pdf, b.pdf"),
        ("talk.mp4", r"talk.mp4 cannot be opened as a video: it begins like no container"),
    ):
        with pytest.raises(ModalityError, match=said):
            find_medium(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "no object"),
        ("{", "cannot be read as JSON"),
        ('{"position_m": [1, 2, 3], "forward": [0, 0]}', "needs a direction"),
        ('{"position_m": [1, 2], "forward": [0, 1]}', "position_m must be a list of 3 numbers"),
        ('{"position_m": [1, 2, true], "forward": [0, 1]}', "position_m must be"),
        ('{"position": [1, 2, 3]}', "nothing reads 'position'. Did you mean 'position_m'"),
    ],
)
def test_a_pose_that_is_none_names_file_and_key(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(ModalityError, match=rf"pose.json.*{said}"):
        read_pose(write(tmp_path / "pose.json", content))
