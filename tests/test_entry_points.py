"""train.py and evaluate.py: what they take, and how they end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lavis.cli.launch import parse_arguments


def start(script: str, *words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, script, *words],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_options_come_in_one_group_or_several() -> None:
    parsed = parse_arguments(
        ["--cfg-path", "a.yaml", "--options", "run.a=1", "model.b", "2", "--options", "run.c=3"], "x"
    )
    assert parsed.cfg_path == "a.yaml"
    assert parsed.options == ["run.a=1", "model.b", "2", "run.c=3"]
    assert parse_arguments(["--cfg-path", "a.yaml"], "x").options == []


@pytest.mark.parametrize("words", [[], ["--options", "run.a=1"], ["--cfg-path", "a", "--cfg-path", "b"]])
def test_a_command_line_without_one_configuration_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(words, "x")
    assert ended.value.code == 2


@pytest.mark.parametrize("script", ["train.py", "evaluate.py"])
def test_what_is_not_possible_ends_with_one_line_and_status_2(script: str, repo_root: Path, tmp_path: Path) -> None:
    missing = start(script, "--cfg-path", str(tmp_path / "gone.yaml"), cwd=repo_root)
    assert missing.returncode == 2
    assert missing.stderr.strip().splitlines()[-1].startswith("ConfigError: ")
    assert "gone.yaml" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_a_misspelt_key_names_its_neighbour(repo_root: Path) -> None:
    words = ["--cfg-path", "projects/mexa/eval/sqa3d_sample.yaml", "--options", "run.limt=3"]
    ran = start("evaluate.py", *words, cwd=repo_root)
    assert ran.returncode == 2
    assert "run.limt: nothing reads this key. Did you mean 'limit'?" in ran.stderr


def test_a_root_without_annotations_names_the_file_that_is_missing(repo_root: Path, tmp_path: Path) -> None:
    words = [
        *("--cfg-path", "projects/mexa/eval/sqa3d.yaml", "--options"),
        *("model.reasoner.type=scripted", f"run.output_dir={tmp_path}"),
    ]
    root = tmp_path / "root"
    root.mkdir()
    ran = start("train.py", *words, cwd=repo_root, SQA3D_ROOT=str(root))
    assert ran.returncode == 2
    assert "v1_balanced_questions_test_scannetv2.json" in ran.stderr


def test_a_missing_key_of_an_api_is_named(repo_root: Path, shared_data: Path, tmp_path: Path) -> None:
    words = [
        *("--cfg-path", "projects/mexa/eval/sqa3d.yaml", "--options", "model.experts=[captions]"),
        *("model.reasoner.type=openai", "model.reasoner.model=m", "model.reasoner.api_key_env=MY_LRM_KEY"),
        *("model.reasoner.base_url=https://lrm.invalid/v1", f"run.output_dir={tmp_path}"),
    ]
    ran = start("evaluate.py", *words, cwd=repo_root, SQA3D_ROOT=str(shared_data / "sqa3d"))
    assert ran.returncode == 2
    assert "MY_LRM_KEY" in ran.stderr
    assert "Traceback" not in ran.stderr
