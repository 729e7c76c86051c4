"""Where a run of a LAVIS runner leaves its files; needs no torch."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from lavis.common.dist_utils import barrier, broadcast_object, is_main_process
from lavis.common.paths import LIBRARY_ROOT, REPO_ROOT
from lavis.common.registry import registry
from lavis.tasks.results import dump_json


@dataclasses.dataclass(frozen=True)
class OutputFolder:
    """The folder of one run."""

    root: Path

    @property
    def result(self) -> Path:
        """Where tasks keep result rows."""
        return self.root / "result"

    @property
    def log(self) -> Path:
        """The configuration, then one JSON line per epoch and split."""
        return self.root / "log.txt"

    @property
    def evaluation(self) -> Path:
        """One JSON line per evaluated split."""
        return self.root / "evaluate.txt"

    def checkpoint(self, name: object) -> Path:
        """Where the checkpoint of an epoch, of a number of iterations or ``best`` lies."""
        return self.root / f"checkpoint_{name}.pth"


def project_root() -> Path:
    """Return what relative output paths start from: the checkout that one works in, else the working folder."""
    repo_root = Path(registry.get_path("repo_root") or REPO_ROOT)
    here = Path.cwd()
    return repo_root if (repo_root / "pyproject.toml").is_file() and here.is_relative_to(repo_root) else here


def open_output(output_dir: str | os.PathLike[str], job_id: str | None) -> OutputFolder:
    """Make the folder ``output_dir/job_id``, the same one on every rank, and register its paths.

    Args:
        output_dir: absolute, or relative to :func:`project_root`.
        job_id: rank 0's counts; None or empty for no folder of its own.
    """
    base = Path(os.path.normpath(project_root() / Path(output_dir).expanduser()))
    if base.is_relative_to(LIBRARY_ROOT):  # started inside the package: its files are no place for output
        base = Path(os.path.normpath(LIBRARY_ROOT.parent / base.relative_to(LIBRARY_ROOT)))
    folder = OutputFolder(broadcast_object(base / job_id if job_id else base))
    if is_main_process():
        folder.result.mkdir(parents=True, exist_ok=True)
    barrier()
    registry.register_path("output_dir", str(folder.root), overwrite=True)
    registry.register_path("result_dir", str(folder.result), overwrite=True)
    return folder


def append_line(path: Path, value: Any) -> None:
    """Append one line of valid JSON to a file, on rank 0 alone."""
    if is_main_process():
        with path.open("a", encoding="utf-8") as stream:
            stream.write(dump_json(value) + "\n")
