"""Clips and frames of questions: exact, whole, restartable, and no more decoding than needed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from media import ClipSpec, read_number, read_numbers, write_clip

from lavis.common.errors import ConfigError
from lavis.datasets.loaders.base import Sampling
from lavis.datasets.loaders.frames import FramesLoader
from lavis.datasets.loaders.video import VideoLoader
from lavis.datasets.prepare.benchmarks import BENCHMARKS
from lavis.datasets.prepare.cuts import CutSettings
from lavis.datasets.prepare.work import Prepared, PrepareWork, Recording, prepare, together
from lavis.extract.video_stream import VideoStream

TOUCH, THERMAL = BENCHMARKS["touchqa"], BENCHMARKS["thermalqa"]
RECORDS = [
    {"question_id": 0, "video_id": "v", "start": 30, "end": 55, "question": "?", "answer": "!"},
    {"question_id": 1, "video_id": "v", "start": 0, "end": 20},
    {"question_id": 2, "video_id": "v", "start": 40, "end": 60},
    {"question_id": 3, "video_id": "w", "start": 7, "end": 8},
]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings: 60 frames at 15 Hz in colour, the same 4 s at 30 Hz by touch."""
    root = tmp_path_factory.mktemp("recordings")
    for video_id in ("v", "w"):
        (root / video_id).mkdir()
        write_clip(root / video_id / "slow.mp4", ClipSpec(n_frames=60, rate_hz=15))
        write_clip(root / video_id / "fast.mp4", ClipSpec(n_frames=120, rate_hz=30))
    return root


@pytest.fixture
def touch(recordings: Path, tmp_path: Path) -> Path:
    for video_id in ("v", "w"):
        folder = tmp_path / "dataset" / video_id
        folder.mkdir(parents=True)
        (folder / "video.mp4").symlink_to(recordings / video_id / "slow.mp4")
        (folder / "gelsight.mp4").symlink_to(recordings / video_id / "fast.mp4")
    annotate(tmp_path, RECORDS)
    return tmp_path


def annotate(root: Path, records: list[dict[str, Any]], name: str = "touch_train.json") -> None:
    (root / name).write_text(json.dumps(records))


def numbers_of_clip(path: Path) -> list[int]:
    return read_numbers(VideoLoader().load(path, media_id="m").array)


def numbers_of_frames(path: Path) -> list[int]:
    return read_numbers(FramesLoader().load(path, media_id="m").array)


def failures(root: Path) -> dict[str, str]:
    lines = (root / "failures.jsonl").read_text().splitlines()
    return {one["question_id"]: f"{one['file']}: {one['reason']}" for one in map(json.loads, lines)}


def test_clips_and_frames_are_exact_in_both_videos(touch: Path) -> None:
    """Truth: frame n of the colour video is at the time of frame 2n of the other; a third of a second is 5 and 10."""
    assert prepare("touchqa", TOUCH, touch) == Prepared(kept=0, done=4, failed=0)
    for question_id, start, end in ((0, 30, 55), (1, 0, 20), (2, 40, 60), (3, 7, 8)):
        assert numbers_of_clip(touch / "clips" / f"{question_id}.mp4") == list(range(start, end))
        touched = numbers_of_clip(touch / "touch_clips" / f"{question_id}_touch.mp4")
        assert touched == list(range(2 * start, 2 * end))
        assert numbers_of_frames(touch / "video_frames" / str(question_id)) == list(range(start, end, 5))
        assert numbers_of_frames(touch / "touch_frames" / str(question_id)) == list(range(2 * start, 2 * end, 10))
    assert sorted(file.name for file in (touch / "video_frames" / "1").iterdir()) == [
        f"{n:05d}.jpg" for n in (1, 2, 3, 4)
    ]
    assert not (touch / ".partial").exists() and not (touch / "failures.jsonl").exists()


def test_a_clip_keeps_the_rate_and_any_frame_of_it_is_found(touch: Path) -> None:
    prepare("touchqa", TOUCH, touch)
    assert VideoLoader().count(touch / "clips" / "0.mp4", media_id="m") == (25, 15.0)
    clip = VideoLoader().load(touch / "touch_clips" / "0_touch.mp4", media_id="m", sampling=Sampling((3, 31, 49)))
    assert read_numbers(clip.array) == [63, 91, 109]


def test_thermal_starts_are_seconds_and_clips_run_to_the_end(recordings: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Thermal-IM" / "20221027_9_split4"
    folder.mkdir(parents=True)
    (folder / "RGBD_RGB.mp4").symlink_to(recordings / "v" / "slow.mp4")
    (folder / "RGBT_T.mp4").symlink_to(recordings / "v" / "fast.mp4")
    record = {"question_id": 149, "video_id": "20221027_9_split4", "start": 2.867}
    annotate(tmp_path, [record], "thermalqa_val.json")
    assert prepare("thermalqa", THERMAL, tmp_path).failed == 0
    assert numbers_of_clip(tmp_path / "clips" / "149.mp4") == list(range(43, 60))
    assert numbers_of_clip(tmp_path / "thermal_clips" / "149_thermal.mp4") == list(range(86, 120))
    assert numbers_of_frames(tmp_path / "thermal_frames" / "149") == list(range(86, 120, 10))


def test_frames_alone_and_the_unit_that_is_said(touch: Path) -> None:
    annotate(touch, [{"question_id": "q", "video_id": "v", "start": 1, "end": 2}])
    prepare("touchqa", TOUCH, touch, unit="seconds", settings=CutSettings(clips=False, fps=Fraction(5)))
    assert numbers_of_frames(touch / "video_frames" / "q") == list(range(15, 30, 3))
    assert not (touch / "clips").exists()


def test_other_settings_do_not_mix(touch: Path) -> None:
    prepare("touchqa", TOUCH, touch)
    with pytest.raises(ConfigError, match="unit 'frames', not 'seconds'"):
        prepare("touchqa", TOUCH, touch, unit="seconds")


def test_what_other_tools_made_is_not_taken_for_finished(touch: Path) -> None:
    (touch / "clips").mkdir()
    with pytest.raises(ConfigError, match="'clips' and no prepared_touchqa"):
        prepare("touchqa", TOUCH, touch)


def test_every_failure_is_recorded_and_the_rest_is_made(touch: Path) -> None:
    (touch / "dataset" / "w" / "gelsight.mp4").unlink()
    (touch / "secret.mp4").write_bytes((touch / "dataset" / "v" / "video.mp4").read_bytes())
    wrong = [
        {"question_id": "absent", "video_id": "x", "start": 0, "end": 5},
        {"question_id": "late", "video_id": "v", "start": 60, "end": 70},
        {"question_id": "back", "video_id": "v", "start": 9, "end": 3},
        {"question_id": "../../out", "video_id": "v", "start": 0, "end": 5},
        {"question_id": "climbs", "video_id": "../..", "start": 0, "end": 5},
    ]
    annotate(touch, RECORDS + wrong)
    assert prepare("touchqa", TOUCH, touch) == Prepared(kept=0, done=3, failed=6)
    said = failures(touch)
    assert set(said) == {"3", "absent", "late", "back", "../../out", "climbs"}
    assert "gelsight.mp4 does not exist" in said["3"] and "video.mp4 does not exist" in said["absent"]
    assert "starts at frame 60" in said["late"] and "not after its start" in said["back"]
    assert "does not stay inside" in said["../../out"] and "does not stay inside" in said["climbs"]
    assert (touch / "clips" / "3.mp4").exists() and not (touch / "touch_clips" / "3_touch.mp4").exists()
    assert not (touch.parent / "out").exists() and not list(touch.glob("*/absent*"))


def test_what_was_missing_is_made_by_the_next_start(touch: Path, recordings: Path) -> None:
    absent = touch / "dataset" / "w" / "gelsight.mp4"
    absent.unlink()
    assert prepare("touchqa", TOUCH, touch).failed == 1
    made = (touch / "clips" / "3.mp4").stat().st_mtime_ns
    absent.symlink_to(recordings / "w" / "fast.mp4")
    assert prepare("touchqa", TOUCH, touch) == Prepared(kept=3, done=1, failed=0)
    assert (touch / "clips" / "3.mp4").stat().st_mtime_ns == made
    assert numbers_of_clip(touch / "touch_clips" / "3_touch.mp4") == [14, 15]


def test_damage_costs_the_questions_that_it_touches(tmp_path: Path) -> None:
    folder = tmp_path / "dataset" / "v"
    folder.mkdir(parents=True)
    for name in ("video", "gelsight"):
        write_clip(folder / f"{name}.mp4", ClipSpec(n_frames=60, gop=10, noise=0.8))
    data = bytearray((folder / "video.mp4").read_bytes())
    start = data.index(b"mdat")
    middle = start + (data.index(b"moov") - start) * 3 // 4
    data[middle : middle + 3000] = bytes(3000)
    (folder / "video.mp4").write_bytes(bytes(data))
    annotate(
        tmp_path, [{"question_id": n, "video_id": "v", "start": s, "end": e} for n, s, e in ((0, 0, 20), (1, 10, 60))]
    )
    assert prepare("touchqa", TOUCH, tmp_path) == Prepared(kept=0, done=1, failed=1)
    assert numbers_of_clip(tmp_path / "clips" / "0.mp4") == list(range(20))
    assert "cannot be decoded" in failures(tmp_path)["1"] and not (tmp_path / "clips" / "1.mp4").exists()


def test_questions_on_one_video_share_its_decoding(touch: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Truth: the questions cover frames 0-19 and 30-59; with keyframes every 12, that is 0-19 and 24-59 once each."""
    decoded: list[int] = []
    numbered: Callable[..., Any] = VideoStream._numbered

    def counting(self: VideoStream, frames: Any) -> Any:
        for number, frame in numbered(self, frames):
            if self.path.name == "video.mp4":
                decoded.append(number)
            yield number, frame

    monkeypatch.setattr(VideoStream, "_numbered", counting)
    from lavis.datasets.prepare.parts import read_parts

    parts, _ = read_parts(touch, TOUCH)
    work = PrepareWork(touch, TOUCH, "frames", CutSettings())
    work.prepare(1)
    assert work.do(Recording("v", tuple(one for one in parts if one.video_id == "v")), lambda done, total: None) == []
    assert len(decoded) == len(set(decoded)) and set(decoded) <= {*range(20), *range(24, 60)}


def test_cuts_that_overlap_go_together_but_not_too_many() -> None:
    class Span:
        question_id = ""

        def __init__(self, first: int, last: int) -> None:
            self.first, self.last = first, last

    spans: list[Any] = [Span(50, 60), Span(0, 10), Span(5, 30), Span(31, 40)]
    groups = [[(one.first, one.last) for one in group] for group in together(spans)]
    assert groups == [[(0, 10), (5, 30), (31, 40)], [(50, 60)]]
    assert [len(group) for group in together([Span(n, 100) for n in range(20)])] == [8, 8, 4]  # type: ignore[list-item]


def digests(root: Path) -> dict[str, str]:
    folders = ("clips", "touch_clips", "video_frames", "touch_frames")
    files = [file for folder in folders for file in (root / folder).rglob("*") if file.is_file()]
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_killed_and_started_again_gives_the_same_files(touch: Path) -> None:
    prepare("touchqa", TOUCH, touch)
    truth = digests(touch)
    for folder in ("clips", "touch_clips", "video_frames", "touch_frames"):
        (touch / folder).rename(touch / f"old_{folder}")
    code = "import sys; from lavis.datasets.prepare.command import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "touchqa", "--root", str(touch), "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline and not (touch / "video_frames").exists():
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.5)
    assert digests(touch) != truth
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    assert digests(touch) == truth and not (touch / ".partial").exists()


def test_uneven_times_and_odd_sides_are_kept(tmp_path: Path) -> None:
    """Truth: frame n of the clip is as long after its first one as in the source."""
    folder = tmp_path / "dataset" / "v"
    folder.mkdir(parents=True)
    times_ms = [n * 50 + (n % 3) * 11 for n in range(40)]
    for name in ("video", "gelsight"):
        write_clip(folder / f"{name}.mp4", ClipSpec(times_ms=times_ms, rotation=90, size_px=(96, 64)))
    annotate(tmp_path, [{"question_id": 0, "video_id": "v", "start": 7, "end": 31}])
    assert prepare("touchqa", TOUCH, tmp_path).failed == 0
    clip = VideoStream(tmp_path / "clips" / "0.mp4", media_id="m")
    assert clip.times_s == tuple(Fraction(ms - times_ms[7], 1000) for ms in times_ms[7:31])
    assert [read_number(picture) for _, picture in clip.pictures()] == list(range(7, 31))
