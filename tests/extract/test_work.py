"""The resumable loop: kills, failures, settings, and files that are the same in the end."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from media import ClipSpec, write_clip

from lavis.common.errors import ConfigError
from lavis.extract import extract_all, find_media
from lavis.extract.flow import FlowExtractor
from lavis.extract.media import Medium

KINDS = {"files": FlowExtractor.files, "folders": FlowExtractor.folders}
N_MEDIA = 4


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long enough that a kill can come in the middle of one."""
    root = tmp_path_factory.mktemp("in")
    for number in range(N_MEDIA):
        (root / str(number % 2)).mkdir(exist_ok=True)
        write_clip(root / str(number % 2) / f"{number}.mp4", ClipSpec(n_frames=60, noise=0.5))
    return root


def media(root: Path) -> list[Medium]:
    return find_media(root, **KINDS)


def digests(out: Path) -> dict[str, str]:
    files = sorted(file for file in out.rglob("*") if file.is_file())
    return {file.relative_to(out).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def n_flows(out: Path) -> int:
    return sum(name.endswith(".flo") for _, _, names in os.walk(out) for name in names)


def start(root: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "lavis.cli", "extract", "--modality", "flow", "--in", str(root)]
    return subprocess.Popen([*command, "--out", str(out), *more], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def test_killed_anywhere_and_started_again_gives_the_same_files(videos: Path, tmp_path: Path) -> None:
    """Truth: the files of a start that nothing disturbed."""
    outcome = extract_all("flow", {}, media(videos), tmp_path / "whole", n_workers=2)
    assert (outcome.kept, outcome.done, outcome.failed) == (0, N_MEDIA, 0)
    truth = digests(tmp_path / "whole")
    assert len(truth) == N_MEDIA * 59 + 1
    out = tmp_path / "out"
    n_whole = []
    for n_files in (20, 110):
        process = start(videos, out, "--workers", "2")
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline and n_flows(out) < n_files:
            time.sleep(0.005)
        workers = psutil.Process(process.pid).children()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        psutil.wait_procs(workers, timeout=10)
        assert not any(worker.is_running() for worker in workers)
        assert list((out / ".partial").iterdir())
        n_whole.append(len([medium for medium in media(videos) if (out / medium.media_id).exists()]))
    assert n_whole[0] < N_MEDIA
    assert start(videos, out).wait(timeout=60) == 0
    assert digests(out) == truth


def test_a_failed_medium_is_recorded_and_tried_again(videos: Path, tmp_path: Path) -> None:
    root, out = tmp_path / "in", tmp_path / "out"
    root.mkdir()
    whole = (videos / "0" / "0.mp4").read_bytes()
    (root / "good.mp4").write_bytes(whole)
    (root / "late.mp4").write_bytes(whole[:5000])
    outcome = extract_all("flow", {}, media(root), out)
    assert (outcome.kept, outcome.done, outcome.failed) == (0, 1, 1)
    (failure,) = [json.loads(line) for line in (out / "failures.jsonl").read_text().splitlines()]
    assert failure["id"] == "late" and failure["file"] == str(root / "late.mp4") and "late.mp4" in failure["reason"]
    (root / "late.mp4").write_bytes(whole)
    before = (out / "good" / "00001.flo").stat().st_mtime_ns
    outcome = extract_all("flow", {}, media(root), out)
    assert (outcome.kept, outcome.done, outcome.failed) == (1, 1, 0)
    assert not (out / "failures.jsonl").exists() and (out / "good" / "00001.flo").stat().st_mtime_ns == before


def test_other_settings_do_not_mix(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    extract_all("flow", {"preset": "ultrafast"}, media(videos)[:1], out)
    with pytest.raises(ConfigError, match="'DIS ultrafast', not 'DIS medium'"):
        extract_all("flow", {}, media(videos)[:1], out)
    said = json.loads((out / "extraction.json").read_text())
    assert said["loader"] == {"name": "flow", "options": {}}


def test_images_name_the_range_that_their_loader_needs(videos: Path, tmp_path: Path) -> None:
    extract_all("flow", {"layout": "image", "range_px": [-16, 16]}, media(videos)[:1], tmp_path)
    said = json.loads((tmp_path / "extraction.json").read_text())
    assert said["loader"]["options"] == {"range_px": [-16.0, 16.0]}


def test_a_second_start_at_once_is_refused(videos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(videos, out)
    try:
        while not (out / ".running.rank0.json").exists():
            assert process.poll() is None
            time.sleep(0.01)
        with pytest.raises(ConfigError, match="another start"):
            extract_all("flow", {}, media(videos), out)
    finally:
        process.terminate()
        process.wait()
