"""What an output folder says about itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lavis.common.errors import ConfigError
from lavis.extract.record import Failures, keep_settings, written_whole

MADE = {"modality": "flow", "size_px": (48, 64)}


def test_equal_settings_go_on_and_others_name_the_way_out(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        keep_settings(out, MADE, {"loader": {}})
    (out / "m").mkdir()
    keep_settings(out, MADE, {"loader": {}})
    with pytest.raises(ConfigError, match=r"size_px \[48, 64\], not None.*another folder.*remove"):
        keep_settings(out, {**MADE, "size_px": None}, {})
    assert json.loads((out / "extraction.json").read_text())["made"]["size_px"] == [48, 64]


def test_a_folder_of_unknown_origin_is_not_filled(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    with pytest.raises(ConfigError, match=r"'m' and no extraction\.json"):
        keep_settings(tmp_path, MADE, {})
    keep_settings(tmp_path, MADE, {}, owned=["clips"])
    (tmp_path / "extraction.json").write_text("{")
    with pytest.raises(ConfigError, match="damaged"):
        keep_settings(tmp_path, MADE, {})


def test_whole_or_not_at_all(tmp_path: Path) -> None:
    partials, target = tmp_path / ".partial", tmp_path / "a" / "m"
    with pytest.raises(ValueError, match="half-way"):
        with written_whole(target, partials) as partial:
            partial.mkdir()
            raise ValueError("half-way")
    assert not target.exists() and not list(partials.iterdir())
    left = written_whole(target, partials)
    (left.__enter__() / "of a killed start").mkdir(parents=True)
    with written_whole(target, partials) as partial:
        assert len(list(partials.iterdir())) == 1
        partial.write_text("whole")
    assert target.read_text() == "whole"


def test_a_start_begins_without_failures(tmp_path: Path) -> None:
    failures = Failures(tmp_path)
    failures.add({"id": "é", "reason": "why"})
    assert (tmp_path / "failures.jsonl").read_text(encoding="utf-8") == '{"id": "é", "reason": "why"}\n'
    other = Failures(tmp_path, rank=1, world_size=2)
    other.add({"id": "b"})
    first = Failures(tmp_path, rank=0, world_size=2)
    assert len(first) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["failures.rank1of2.jsonl"]
    Failures(tmp_path)
    assert not list(tmp_path.iterdir())
