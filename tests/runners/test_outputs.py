"""Where output goes: never into the package."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from lavis.common.paths import LIBRARY_ROOT
from lavis.common.registry import registry
from lavis.runners import outputs


def test_relative_output_is_under_the_working_folder_outside_of_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = outputs.open_output("output/x", "job")
    assert folder.root == tmp_path / "output" / "x" / "job"
    assert registry.get_path("result_dir") == str(tmp_path / "output" / "x" / "job" / "result")
    assert folder.checkpoint("best") == folder.root / "checkpoint_best.pth"


def test_relative_output_is_under_the_checkout_from_anywhere_in_it(
    repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo_root / "lavis" / "runners")
    assert outputs.project_root() == repo_root


@pytest.mark.parametrize("given", ["lavis/output", str(LIBRARY_ROOT / "output")])
def test_output_never_lands_in_the_package(given: str, repo_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []
    monkeypatch.chdir(repo_root)
    monkeypatch.setattr(Path, "mkdir", lambda self, **_: made.append(self))

    outputs.open_output(given, "job")

    assert made == [repo_root / "output" / "job" / "result"]


def test_an_absolute_folder_is_taken_as_it_is_and_a_job_id_may_be_left_out(tmp_path: Path) -> None:
    assert outputs.open_output(tmp_path / "out", None).root == tmp_path / "out"


def test_lines_are_valid_json(tmp_path: Path) -> None:
    outputs.append_line(tmp_path / "log.txt", {"a": math.nan, "b": (1, math.inf)})
    outputs.append_line(tmp_path / "log.txt", {"c": "é"})
    first, second = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert json.loads(first) == {"a": None, "b": [1, None]}
    assert second == '{"c": "é"}'
