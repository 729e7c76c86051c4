"""`lavis data prepare` as the command calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from media import ClipSpec, write_clip

from lavis.common.errors import ConfigError
from lavis.datasets.prepare.command import run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset" / "v"
    folder.mkdir(parents=True)
    for name in ("video", "gelsight"):
        write_clip(folder / f"{name}.mp4", ClipSpec(n_frames=25))
    records = [{"question_id": n, "video_id": video_id, "start": 0, "end": 25} for n, video_id in enumerate("vx")]
    (tmp_path / "touch_val.json").write_text(json.dumps(records))
    return tmp_path


def test_it_says_what_was_done_and_ends_with_1_if_any_failed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["touchqa", "--root", str(root), "--no-clips", "--workers", "2"]) == 1
    assert "1 questions prepared, 0 kept, 1 failed, see failures.jsonl" in capsys.readouterr().out
    assert not (root / "clips").exists() and len(list((root / "video_frames" / "0").iterdir())) == 3
    (root / "touch_val.json").write_text(json.dumps([{"question_id": 0, "video_id": "v", "start": 0, "end": 25}]))
    assert run(["touchqa", "--root", str(root)]) == 0
    assert (root / "touch_clips" / "0_touch.mp4").is_file()


def test_wrong_words_are_refused(root: Path) -> None:
    for words in (["nextqa"], ["touchqa", "--unit", "minutes"], ["touchqa", "--workers", "0"]):
        with pytest.raises(SystemExit):
            run([*words, "--root", str(root)])
    with pytest.raises(ConfigError, match="fps"):
        run(["touchqa", "--root", str(root), "--fps", "0"])
