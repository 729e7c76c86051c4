"""The `lavis` command, run as a person runs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lavis.cli.main import SUBCOMMANDS, main
from lavis.common.registry import import_place, registry


def lavis(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lavis.cli", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)


def test_help_names_every_subcommand(repo_root: Path) -> None:
    done = lavis(repo_root, "--help")

    assert done.returncode == 0
    for name, command in SUBCOMMANDS.items():
        assert f"  {name}" in done.stdout
        assert command.summary in done.stdout


def test_every_subcommand_is_where_the_table_says() -> None:
    assert all(callable(import_place(command.place)) for command in SUBCOMMANDS.values())


def test_an_unknown_subcommand_names_the_nearest(repo_root: Path) -> None:
    done = lavis(repo_root, "wieghts")

    assert done.returncode == 2
    assert "Did you mean 'weights'?" in done.stderr


def test_list_prints_the_registered_names_without_importing_them(repo_root: Path) -> None:
    """Truth: importing an expert or a model would bring in cv2 or torch."""
    code = (
        "import sys; from lavis.cli.main import main; status = main(['list', 'expert']); "
        "sys.exit(9 if {'torch', 'cv2', 'transformers', 'xllamacpp'} & set(sys.modules) else status)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=repo_root, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0
    assert done.stdout.splitlines() == registry.list_names("expert")


def test_list_without_a_kind_shows_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert sorted(line.partition(":")[0] for line in lines) == sorted(registry.kinds())
    assert any(line.startswith("reasoner: embedded, ") for line in lines)


def test_an_error_of_the_package_is_one_line_and_status_1(repo_root: Path) -> None:
    done = lavis(repo_root, "list", "modle")

    assert done.returncode == 1
    assert "Did you mean 'model'?" in done.stderr
    assert "Traceback" not in done.stderr
