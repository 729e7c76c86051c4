"""Captions: one file for all media, with Nr3D's real texts."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.captions import Caption, CaptionsLoader


def test_real_nr3d_texts(shared_data: Path) -> None:
    """Truth: the file's first text on scene0015_00 is about a window."""
    path = shared_data / "sqa3d" / "nr3d_captions_by_scene.json"
    assert CaptionsLoader.locate(path, "scene0015_00", annotation="r") == path
    captions = CaptionsLoader().load(path, media_id="scene0015_00")
    assert captions[0].subject == "window"
    assert captions[0].text.startswith("When standing in the middle of the room facing the windows")
    assert len(captions) == len(json.loads(path.read_text())["scene0015_00"])


def test_every_form_of_a_text(tmp_path: Path) -> None:
    path = tmp_path / "texts.json"
    path.write_text(json.dumps({"m": ["a cat", {"text": "b", "subject": "c", "span_s": [1, 2.5]}, {"caption": "d"}]}))
    assert CaptionsLoader().load(path, media_id="m") == (
        Caption("a cat"),
        Caption("b", "c", (1.0, 2.5)),
        Caption("d"),
    )


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "texts.json"
    path.write_text(json.dumps({"m": ["before"]}))
    assert CaptionsLoader().load(path, media_id="m")[0].text == "before"
    path.write_text(json.dumps({"m": ["afterwards"]}))
    assert CaptionsLoader().load(path, media_id="m")[0].text == "afterwards"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"other": ["x"]}, "no texts on it"),
        ({"m": []}, "no texts on it"),
        ({"m": [3]}, "text 0"),
        ({"m": [{"text": " "}]}, "text 0"),
        ({"m": [{"text": "x", "span_s": [2, 1]}]}, "span_s"),
        (["m"], "no JSON object"),
    ],
)
def test_a_medium_without_usable_texts_is_an_error(tmp_path: Path, content: object, said: str) -> None:
    path = tmp_path / "texts.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ModalityError, match=rf"m: .*{said}"):
        CaptionsLoader().load(path, media_id="m")
    with pytest.raises(ModalityError, match="does not exist"):
        CaptionsLoader().load(tmp_path / "absent.json", media_id="m")


def test_a_line_for_each_clip_of_8_s(tmp_path: Path) -> None:
    """MEXA's ``<id>.txt``; truth: the empty line is the clip from 8 s to 16 s."""
    (tmp_path / "v1.txt").write_text("A man speaks.\n\nA diagram.\n", encoding="utf-8-sig")
    path = CaptionsLoader.locate(tmp_path, "v1", annotation="r")

    assert CaptionsLoader().load(path, media_id="v1") == (
        Caption("A man speaks.", span_s=(0.0, 8.0)),
        Caption("A diagram.", span_s=(16.0, 24.0)),
    )
    assert CaptionsLoader(step_s=2).load(path, media_id="v1")[1].span_s == (4.0, 6.0)


def test_what_skills_said_of_each_frame(tmp_path: Path) -> None:
    """MEXA's ``<vpath>/<frame>.json``; truth: frame 10 comes after frame 9, and B3 said nothing of it."""
    folder = tmp_path / "v1"
    folder.mkdir()
    (folder / "9.json").write_text(json.dumps({"v1/9": {"A2": "a cat", "E1": "STOP"}}))
    (folder / "10.json").write_text(json.dumps({"v1/10": {"A2": "a dog", "B3": " "}}))
    path = CaptionsLoader.locate(tmp_path, "v1", annotation="r")

    assert CaptionsLoader().load(path, media_id="v1") == (
        Caption("a cat", "A2"),
        Caption("STOP", "E1"),
        Caption("a dog", "A2"),
    )
    assert CaptionsLoader(rate_hz=2).load(path, media_id="v1")[2] == Caption("a dog", "A2", (5.0, 5.5))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("3", "{", "3.json: "),
        ("3", '{"v1/4": {"A2": "x"}}', "speaks of 'v1/4'"),
        ("3", '{"v1/3": "x"}', "3.json: it is not"),
        ("3", '{"v1/3": {"A2": 5}}', "skill 'A2' of 'v1/3'"),
        ("first", '{"v1/first": {"A2": "x"}}', "ends with no number"),
    ],
)
def test_a_broken_frame_is_named(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / f"{name}.json").write_text(content)
    with pytest.raises(ModalityError, match=rf"v1: captions folder .*{said}"):
        CaptionsLoader(rate_hz=1).load(tmp_path / "v1", media_id="v1")


def test_one_file_with_the_clips_of_all_media(tmp_path: Path) -> None:
    """LLoVi's file: a list for each video, or one text; media named by numbers are not taken for numbered texts."""
    path = tmp_path / "all.json"
    path.write_text(json.dumps({"0": "one long text\nof two lines", "1": ["a", "b"], "2": {"0": "c", "1": "d"}}))

    def spans(media_id: str, **options: float) -> list[tuple[str, object]]:
        return [(one.text, one.span_s) for one in CaptionsLoader(**options).load(path, media_id=media_id)]

    assert spans("0") == [("one long text", None), ("of two lines", None)]
    assert spans("1") == [("a", None), ("b", None)]
    assert spans("1", step_s=2) == [("a", (0.0, 2.0)), ("b", (2.0, 4.0))]
    assert spans("2") == [("c", (0.0, 1.0)), ("d", (1.0, 2.0))]
    with pytest.raises(ModalityError, match="no texts on it"):
        spans("3")


def test_a_file_called_captions_belongs_to_the_medium_of_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "captions.json"
    for content in (["a", "b"], {"0": "a", "1": "b"}, {"m": ["a", "b"]}):
        path.write_text(json.dumps(content))
        assert [one.text for one in CaptionsLoader().load(path, media_id="m")] == ["a", "b"]
        path.unlink()


def test_texts_of_a_zip_and_subtitles(tmp_path: Path) -> None:
    """Truth: the subtitle's times are those that its line says."""
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("all/v1.txt", "first\nsecond\n")
        archive.writestr("all/v2_cap.json", '{"0": "third"}')
    assert [one.text for one in CaptionsLoader().load(tmp_path / "all.zip", media_id="v1")] == ["first", "second"]
    assert CaptionsLoader().load(tmp_path / "all.zip", media_id="v2") == (Caption("third", span_s=(0.0, 1.0)),)

    (tmp_path / "v3.srt").write_text("1\n00:00:01,500 --> 00:00:02,000\nHello.\n")
    path = CaptionsLoader.locate(tmp_path, "v3", annotation="r")
    assert CaptionsLoader().load(path, media_id="v3") == (Caption("Hello.", span_s=(1.5, 2.0)),)


@pytest.mark.parametrize("option", ["step_s", "rate_hz"])
def test_options_without_sense_are_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=f"captions: {option} must be above 0"):
        CaptionsLoader(**{option: 0.0})
