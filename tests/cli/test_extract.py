"""`lavis extract` as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from media import ClipSpec, write_clip
from PIL import Image

from lavis.cli.main import main
from lavis.datasets.loaders.depth import DepthLoader
from lavis.datasets.loaders.frames import FramesLoader


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("in")
    for name in ("a", "b", "c"):
        write_clip(root / f"{name}.mp4", ClipSpec(n_frames=25, audio=name != "b"))
    return root


def extract(*words: object) -> int:
    return main(["extract", *map(str, words)])


def test_frames_of_every_medium(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert extract("--modality", "frames", "--in", videos, "--out", tmp_path, "--workers", 2) == 0
    assert "3 media extracted, 0 kept, 0 failed" in capsys.readouterr().out
    for name in "abc":
        assert FramesLoader().count(tmp_path / name, media_id=name) == (3, None)
    assert extract("--modality", "frames", "--in", videos, "--out", tmp_path) == 0
    assert "0 media extracted, 3 kept, 0 failed" in capsys.readouterr().out


def test_a_failure_is_status_1_and_the_rest_is_done(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert extract("--modality", "audio", "--in", videos, "--out", tmp_path, "--verify") == 1
    assert "2 media extracted, 0 kept, 1 failed, see failures.jsonl" in capsys.readouterr().out
    assert json.loads((tmp_path / "failures.jsonl").read_text())["id"] == "b"
    assert sorted(file.name for file in tmp_path.glob("*.wav")) == ["a.wav", "c.wav"]


def test_two_cameras(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    wall = rng.integers(0, 255, (48, 140, 3), np.uint8)
    for side, left in (("left", 0), ("right", 8)):
        (tmp_path / side / "m").mkdir(parents=True)
        Image.fromarray(wall[:, left : left + 120]).save(tmp_path / side / "m" / "1.png")
    cameras = ["--stereo", tmp_path / "left", tmp_path / "right", "--focal-px", 100, "--baseline-m", 0.2]
    words = ["--modality", "depth", *cameras, "--max-disparity-px", 32, "--layout", "millimetres"]
    assert extract(*words, "--out", tmp_path / "out") == 0
    depth_m = DepthLoader().load(tmp_path / "out" / "m", media_id="m").array
    assert np.nanmedian(depth_m) == pytest.approx(2.5, rel=0.02)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--modality", "flwo", "--in", "{in}", "--out", "o"], "Did you mean 'flow'"),
        (["--modality", "flow", "--in", "{in}", "--out", "o", "--quality", "3"], "no such option"),
        (["--modality", "depth", "--in", "{in}", "--out", "o"], "model is missing"),
        (["--modality", "flow", "--out", "o"], "--in"),
        (["--modality", "flow", "--in", "{in}", "--out", "{in}/flow"], "name another"),
        (["--modality", "flow", "--in", "{in}/absent", "--out", "o"], "does not exist"),
        (["--modality", "flow", "--stereo", "{in}", "{in}", "--out", "o"], "flow_stereo"),
    ],
)
def test_what_cannot_work_is_one_line(
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert extract(*(word.replace("{in}", str(videos)) for word in words)) == 1
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_ranks_share_the_media_and_one_that_failed_ends_no_other(videos: Path, tmp_path: Path) -> None:
    """Truth: torchrun kills every rank once one of them ends with a failure. Rank 1 has ``b`` alone, and it fails."""
    root = tmp_path / "in"
    root.mkdir()
    for name in ("a", "c", "e", "g"):
        write_clip(root / f"{name}.mp4", ClipSpec(n_frames=60, size_px=(192, 256), audio=True))
    write_clip(root / "b.mp4", ClipSpec(n_frames=5))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "lavis.cli"]
    words = ["extract", "--modality", "audio", "--in", str(root), "--out", str(tmp_path / "out")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 1
    assert sorted(file.name for file in (tmp_path / "out").glob("*.wav")) == ["a.wav", "c.wav", "e.wav", "g.wav"]
    failures = (tmp_path / "out" / "failures.rank1of2.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in failures] == ["b"]
