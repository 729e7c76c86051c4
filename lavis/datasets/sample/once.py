"""Making a sample on disk: once, whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from lavis.common.errors import LavisError

VERSION_FILE = "version.json"


def build_once(root: Path, version: str, make: Callable[[Path, str], None]) -> Path:
    """Make a sample under ``root`` unless this version of it is there, and return ``root``.

    Processes that ask at once wait for the first; an old version is replaced; a build that is killed
    leaves nothing under ``root``.

    Args:
        root: the folder to make.
        version: digest of everything that the sample is made from.
        make: (folder that does not exist yet, version) → makes it, with :func:`write_version` at its end.

    Raises:
        LavisError: another folder lies at ``root``.
    """
    root = root.expanduser().absolute()
    if _held_version(root) == version:
        return root
    root.parent.mkdir(parents=True, exist_ok=True)
    with _locked(root.with_name(f".{root.name}.lock")):
        if _held_version(root) == version:
            return root
        if root.exists() and _held_version(root) is None and any(root.iterdir()):
            raise LavisError(f"{root} holds something that is not the sample; name another folder or empty it.")
        for stale in root.parent.glob(f".{root.name}.build-*"):
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f".{root.name}.build-", dir=root.parent) as temporary:
            made = Path(temporary) / "sample"
            make(made, version)
            if root.exists():
                root.rename(Path(temporary) / "before")
            made.rename(root)
    return root


def write_version(root: Path, version: str, **counts: int) -> None:
    """Write the file by which a finished sample is known."""
    text = json.dumps({"version": version, **counts}, indent=1) + "\n"
    (root / VERSION_FILE).write_text(text, encoding="utf-8")


def _held_version(root: Path) -> str | None:
    try:
        held = json.loads((root / VERSION_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(held.get("version")) if isinstance(held, dict) else None


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
