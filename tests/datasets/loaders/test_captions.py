"""Captions: one file for all media, with Nr3D's real texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lavis.common.errors import ModalityError
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
