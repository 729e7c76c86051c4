"""What `lavis data check` says of a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lavis.cli.main import main
from lavis.common.errors import ConfigError
from lavis.datasets.check import check_benchmark


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three questions on two videos, of which one has frames; flow is there for neither."""
    header = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"
    rows = "1,9,6,4,who,0,0,CH,a,b,c,d,e\n1,9,6,4,why,0,1,CW,a,b,c,d,e\n2,9,6,4,when,0,0,TC,a,b,c,d,e\n"
    (tmp_path / "val.csv").write_text(header + rows)
    (tmp_path / "frames" / "1").mkdir(parents=True)
    (tmp_path / "frames" / "1" / "1.jpg").touch()
    (tmp_path / "flow").mkdir()
    return tmp_path


def test_what_is_missing_is_counted_per_modality_and_in_questions(root: Path) -> None:
    report = check_benchmark("nextqa", root, ["val"])["val"]
    assert (report.questions, report.media, report.served, report.complete, report.problem) == (3, 2, 2, 0, "")
    assert (report.modalities["frame"].media, report.modalities["frame"].questions) == (1, 2)
    assert (report.modalities["flow"].media, report.modalities["depth"].media) == (0, 0)
    assert report.modalities["frame"].missing == (f"2 ({root / 'frames' / '2'})",)


def test_other_splits_say_what_is_not_there(root: Path) -> None:
    assert "train.csv" in check_benchmark("nextqa", root)["train"].problem


def test_an_annotation_that_cannot_be_read_is_the_report(root: Path) -> None:
    (root / "val.csv").write_text("nothing")
    assert "val.csv" in check_benchmark("nextqa", root, ["val"])["val"].problem


def test_an_unknown_split_or_builder_names_the_nearest(root: Path) -> None:
    with pytest.raises(ConfigError, match="Did you mean 'val'"):
        check_benchmark("nextqa", root, ["vall"])


def test_the_command_prints_it_and_its_status_says_whether_a_run_can_start(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "check", "nextqa", "--root", str(root), "--split", "val"]) == 0
    shown = capsys.readouterr().out
    assert "3 questions on 2 media" in shown
    assert "1 of 2 media" in shown
    assert main(["data", "check", "nextqa", "--root", str(root), "--split", "test"]) == 1
    capsys.readouterr()
    assert main(["data", "check", "nextqa", "--root", str(root), "--split", "val", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["val"]["served"] == 2


def test_no_root_says_which_variable_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NEXTQA_ROOT", raising=False)
    assert main(["data", "check", "nextqa"]) == 1
    assert "NEXTQA_ROOT" in capsys.readouterr().err
