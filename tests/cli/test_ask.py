"""`lavis ask` on small media; a scripted reasoner answers, everything before it is real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media import ClipSpec, write_clip
from PIL import Image

from lavis.cli.ask_text import shown_medium
from lavis.cli.experts import expert_states
from lavis.cli.main import main
from lavis.datasets.media_folder import FoundMedium
from lavis.datasets.question import Media, Question

FOUND = FoundMedium(Media("m", {}))
SCRIPTED = ["--reasoner", "scripted", "--options", "model.reasoner.default=two"]
# Two chairs beyond the origin on the x axis, a table on the y axis.
INSTANCES = [
    {"instance_id": 1, "label": "chair", "center_m": [2, 0.3, 0.5], "size_m": [0.4, 0.4, 1]},
    {"instance_id": 2, "label": "chair", "center_m": [3, -0.3, 0.5], "size_m": [0.4, 0.4, 1]},
    {"instance_id": 3, "label": "table", "center_m": [0, 2, 0.5], "size_m": [1, 0.6, 1]},
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def room(tmp_path: Path) -> Path:
    folder = tmp_path / "room"
    folder.mkdir()
    (folder / "instances.json").write_text(json.dumps(INSTANCES))
    (folder / "pose.json").write_text(json.dumps({"position_m": [0, 0, 0], "forward": [-1, 0]}))
    return folder


def test_the_answer_with_all_that_led_to_it(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Truth: who looks along -x has both chairs behind them. The second time nobody looks."""
    command = ["ask", "How many chairs are behind me?", "--media", str(room), *SCRIPTED]

    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "Medium      room: instances (instances.json)" in shown
    assert "looking towards -1.00, 0.00" in shown
    assert "Asked       scene3d" in shown
    assert "because     scene3d: " in shown
    assert "Behind you: two chairs" in shown
    assert "Answer      two" in shown
    assert " tokens in, 1 out; " in shown
    assert "kept from before" not in shown

    assert main(command) == 0
    assert "[scene3d] kept from before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("pose", "said"),
    [
        (["0", "0", "0", "90"], "On your right: two chairs"),
        (["0", "0", "0", "-180"], "Behind you: two chairs"),
        (["0", "0", "0", "0", "0", "0", "1"], "Behind you: two chairs"),  # SQA3D's identity looks along -x
    ],
)
def test_where_one_stands_can_be_said(
    room: Path, pose: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (room / "pose.json").unlink()
    assert main(["ask", "What is behind me?", "--media", str(room), "--pose", *pose, *SCRIPTED]) == 0
    assert said in capsys.readouterr().out


def test_json_holds_everything_and_an_option_has_its_number(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--option", "one", "--option", "two", "--situation", "I am in the office."]
    assert main(["ask", "How many?", "--media", str(room), "--json", "--selector", "all", *options, *SCRIPTED]) == 0

    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (told["answer"]["text"], told["answer"]["choice"], told["answer"]["status"]) == ("two", 1, "answered")
    assert told["options"] == ["one", "two"]
    assert told["situation"] == "I am in the office."
    assert told["medium"]["sources"] == {"instances": str(room / "instances.json")}
    assert told["medium"]["pose"]["forward"] == [-1.0, 0.0]
    assert "scene3d" in [item["expert"] for item in told["answer"]["evidence"]]


def test_a_reply_that_is_no_option_is_no_answer(room: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--option", "three", "--option", "four", *SCRIPTED]
    assert main(["ask", "How many?", "--media", str(room), *words]) == 1
    shown = capsys.readouterr().out
    assert "Answer      none: the reply holds no answer" in shown
    assert "Reply       two" in shown


def test_long_evidence_is_shortened_and_steers_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Truth: 16 texts are quoted, of which the screen shows fewer and --full all."""
    folder = tmp_path / "clip"
    folder.mkdir()
    texts = [f"text{n} \x1b[31mred " + "word " * 30 for n in range(16)]
    (folder / "captions.json").write_text(json.dumps(texts))
    command = ["ask", "What is red?", "--media", str(folder), "--experts", "captions", *SCRIPTED]

    assert main(command) == 0
    shown = capsys.readouterr().out
    assert "more lines" in shown
    assert "--full shows all" in shown
    assert "text15" not in shown
    assert "\x1b" not in shown

    assert main([*command, "--full"]) == 0
    full = capsys.readouterr().out
    assert "text15" in full
    assert "more lines" not in full


def test_a_medium_that_cannot_be_read_is_told_and_the_question_still_asked(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (room / "instances.json").write_text("{")
    assert main(["ask", "What is behind me?", "--media", str(room), *SCRIPTED]) == 0
    shown = capsys.readouterr().out
    assert "no evidence: room: instances file" in shown.replace("\n      ", " ")
    assert "Answer      two" in shown


def test_a_grey_picture_is_one_and_offline_leaves_out_who_lacks_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Truth: in an empty cache the detector's files are missing."""
    path = tmp_path / "grey.png"
    Image.fromarray(np.full((32, 32), 120, np.uint8)).save(path)
    command = ["ask", "What do you see?", "--media", str(path), "--offline", "--full", *SCRIPTED]

    status = main(command)
    told = capsys.readouterr()
    assert "frames: lavis weights fetch ssd_mobilenet_v2_coco" in " ".join((told.out + told.err).split())
    assert status == ("No expert here can look at 'grey'" in told.err)

    assert main(["ask", "What do you see?", "--media", str(path), "--offline", "--selector", "none"]) == 1
    assert "--offline: fetch them first: lavis weights fetch qwen2.5-coder-1.5b" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["  ", "--media", "x"], "the question is empty"),
        (["q?"], "--media"),
        (["q?", "--media", "x", "--option", "a", "--option", " a"], "something else than the others"),
        (["q?", "--media", "x", "--option", "a", "--option", ""], "must say something"),
        (["q?", "--media", "x", "--option", "a"], "give no --option, or 2 to 26"),
        (["q?", "--media", "x", "--pose", "1", "2"], "--pose takes"),
    ],
)
def test_what_is_not_understood_has_status_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["ask", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_what_cannot_be_done_is_one_message_and_status_1(
    room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    whole = write_clip(tmp_path / "whole.mp4", ClipSpec(n_frames=10))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:-400])
    for media, words, said in (
        (tmp_path / "rooom", [], "rooom does not exist. Did you mean 'room'?"),
        (tmp_path / "empty", [], "is empty. Looked for:"),
        (cut, [], "cut.mp4 cannot be opened as a video"),
        (room, ["--experts", "frames"], "Expert 'frames' needs frame; 'room' has instances, pose."),
        (room, ["--experts", "scene"], "Did you mean 'scene3d'?"),
        (room, ["--experts", ","], "--experts names nobody"),
        (room, ["--selector", "rule"], "Did you mean 'rules'?"),
        (room, ["--plugin", "gone.py"], "gone.py is neither"),
        (room, ["--options", "run.limit=3"], "nothing here reads run"),
        (room, ["--options", "media.frame.rate=3"], "Did you mean 'rate_hz'?"),
        (room, ["--options", "model.reading.n_frame=3"], "Did you mean 'n_frames'?"),
        (room, ["--pose", "nan", "0", "0", "0"], "every number must be finite"),
        ("sample:sqa4d", [], "Did you mean 'sqa3d'?"),
    ):
        assert main(["ask", "What is behind me?", "--media", str(media), *words]) == 1, said
        told = capsys.readouterr()
        assert said in told.err
        assert "Traceback" not in told.err
        assert told.out == ""


def test_a_medium_that_nobody_looks_at_says_who_looks_at_what(
    room: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Truth: the one expert of this machine needs a pose, which a room without pose.json has not."""
    states = [state for state in expert_states() if state.name == "scene3d"]
    monkeypatch.setattr("lavis.cli.ask_setup.expert_states", lambda: states)
    (room / "pose.json").unlink()

    assert main(["ask", "What is behind me?", "--media", str(room), *SCRIPTED]) == 1
    told = capsys.readouterr().err
    assert "No expert here can look at 'room', which has instances. `lavis list experts` tells who" in told
    assert "scene3d: the medium has no pose" in told

    assert main(["ask", "What is behind me?", "--media", str(room), "--selector", "none", *SCRIPTED]) == 0
    assert "Asked       nobody" in capsys.readouterr().out


def test_who_is_left_out_is_named_and_told_in_full(tmp_path: Path) -> None:
    question = Question("q", "What is it?", Media("m", {"frame": tmp_path}))
    left_out = {"first": "pip install one", "second": "it costs"}

    assert "Left out    first, second (`lavis list experts`" in shown_medium(question, FOUND, left_out)
    full = shown_medium(question, FOUND, left_out, full=True)
    assert "Left out    first: pip install one\n            second: it costs\n" in full
