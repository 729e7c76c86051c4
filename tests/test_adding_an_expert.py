"""docs/adding-an-expert.md: its example and its commands, run as a reader would run them."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lavis.experts import ExpertCard
from lavis.experts.base import Expert

DOC = "docs/adding-an-expert.md"
INSTANCES = [
    {"instance_id": n, "label": label, "center_m": [n, 0, 0], "size_m": [1, 1, 1]}
    for n, label in enumerate(["chair", "table", "chair", "chair"])
]


@pytest.fixture(scope="module")
def doc(repo_root: Path) -> str:
    return (repo_root / DOC).read_text(encoding="utf-8")


@pytest.fixture
def folder(doc: str, tmp_path: Path) -> Path:
    """What a reader has: the example in its file, and a room."""
    code = re.search(r"```python\n# (\S+\.py)\n(.*?)```", doc, re.DOTALL)
    assert code is not None
    (tmp_path / code[1]).write_text(code[2], encoding="utf-8")
    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "instances.json").write_text(json.dumps(INSTANCES))
    return tmp_path


def command(doc: str, beginning: str) -> list[str]:
    """Return the words after ``lavis`` of the first command in the page that begins so."""
    line = next(line for line in doc.splitlines() if line.startswith(f"lavis {beginning}"))
    return shlex.split(line)[1:]


def lavis(cwd: Path, repo_root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lavis.cli", *words],
        cwd=cwd,
        env={**os.environ, "LAVIS_CACHE": str(cwd / "cache"), "PYTHONPATH": str(repo_root)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_example_is_asked_about_a_medium(doc: str, folder: Path, repo_root: Path) -> None:
    """Truth: the room has three chairs and one table."""
    reasoner = ["--reasoner", "scripted", "--options", "model.reasoner.default=three"]
    done = lavis(folder, repo_root, *command(doc, 'ask "How many chairs are there?" --media room'), *reasoner)

    assert done.returncode == 0, done.stderr
    assert "[counting]" in done.stdout
    assert "3 chair, 1 table" in done.stdout
    assert "Answer      three" in done.stdout


def test_the_example_is_listed(doc: str, folder: Path, repo_root: Path) -> None:
    done = lavis(folder, repo_root, *command(doc, "list experts"))

    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if " counting " in line)
    assert row.split()[-1] == "available"


def test_the_example_in_a_package_needs_no_plugin(doc: str, folder: Path, repo_root: Path) -> None:
    """The entry point of the page, written as an installer writes it from the project file."""
    entry = re.search(r'\[project\.entry-points\."(\S+)"\]\n(\w+) = "(\S+)"', doc)
    assert entry is not None
    (folder / "my_package").mkdir()
    (folder / "my_package" / "__init__.py").touch()
    (folder / "counting.py").rename(folder / "my_package" / "counting.py")
    info = folder / "my_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my_package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{entry[1]}]\n{entry[2]} = {entry[3]}\n")

    words = ["--experts", "counting", "--json", "--reasoner", "scripted", "--options", "model.reasoner.default=three"]
    done = lavis(folder, repo_root, "ask", "How many chairs?", "--media", "room", *words)

    assert done.returncode == 0, done.stderr
    evidence = json.loads(done.stdout)["answer"]["evidence"]
    assert [(item["expert"], item["text"]) for item in evidence] == [("counting", "3 chair, 1 table")]


def test_the_page_names_every_field_of_a_card_and_class_attribute(doc: str) -> None:
    for field in dataclasses.fields(ExpertCard):
        assert f"| `{field.name}` |" in doc
    for name in ("weights", "packages"):
        assert hasattr(Expert, name)
        assert f"`{name} = (" in doc
