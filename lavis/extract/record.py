"""What an output folder says about itself: the settings of its files, and the media that failed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lavis.common.errors import ConfigError
from lavis.store.entry_files import write_atomically, write_lines_atomically

SETTINGS_NAME = "extraction.json"
PARTIAL_NAME = ".partial"
FAILURES_STEM = "failures"
OWN_PREFIXES = (".", "failures.", SETTINGS_NAME)


def keep_settings(
    out: Path,
    made: Mapping[str, Any],
    more: Mapping[str, Any],
    *,
    name: str = SETTINGS_NAME,
    owned: Sequence[str] | None = None,
) -> None:
    """Write the settings of a folder, or see that they are those of what lies there.

    Args:
        out: the folder; made where it is missing.
        made: what decides the files' content, as JSON values; compared.
        more: what a reader needs beside; not compared.
        name: of the file.
        owned: the entries that are made here, where the folder also holds others; None if all are.

    Raises:
        ConfigError: the folder was made with other settings, or holds files that nothing says the settings of.
    """
    path = out / name
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file; name a folder for what is extracted.")
    out.mkdir(parents=True, exist_ok=True)
    made = json.loads(json.dumps(made))
    if not path.exists():
        names = [entry.name for entry in out.iterdir() if not entry.name.startswith(OWN_PREFIXES)]
        strangers = [entry for entry in names if owned is None or entry in owned]
        # Another rank of this start may have been quicker: then the settings are there by now.
        if strangers and not path.exists():
            raise ConfigError(
                f"{out} holds {sorted(strangers)[0]!r} and no {name}, so the settings it was made with are not "
                f"known; move it away, or name an empty folder."
            )
        write_atomically(path, json.dumps({"made": made, **more}, indent=2, ensure_ascii=False) + "\n")
    there = read_settings(path)
    if there != made:
        keys = sorted(key for key in {*there, *made} if there.get(key) != made.get(key))
        changes = ", ".join(f"{key} {there.get(key)!r}, not {made.get(key)!r}" for key in keys)
        raise ConfigError(
            f"{out} was made with {changes}. Give the settings that {path} names to go on, or name another folder; "
            f"to make it anew, remove what was made and {path} first."
        )


def read_settings(path: Path) -> dict[str, Any]:
    """Return the settings that a folder was made with.

    Raises:
        ConfigError: the file is damaged.
    """
    try:
        made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["made"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is damaged ({error}); remove the folder and extract it again.") from error
    return made


@contextlib.contextmanager
def written_whole(target: Path, partials: Path) -> Iterator[Path]:
    """Give a temporary place to make a file or folder at, and rename it to ``target`` where no error comes.

    What killed starts left of the same target is removed first.

    Args:
        target: the file or folder to make.
        partials: the folder of temporary names, on the same file system.
    """
    # A digest, since an id may be longer than a file name can be once it is quoted.
    stem = hashlib.sha256(str(target.relative_to(partials.parent)).encode()).hexdigest()[:24]
    for stale in partials.glob(f"{stem}.*"):
        shutil.rmtree(stale, ignore_errors=True)
    room = partials / f"{stem}.{secrets.token_hex(4)}"
    room.mkdir(parents=True)
    try:
        yield room / target.name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(room / target.name, target)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def tidy(partials: Path) -> None:
    """Remove the folder of temporary names, if no other process is using it."""
    with contextlib.suppress(OSError):
        partials.rmdir()


class Failures:
    """The failed media of one start, one JSON line each; a start begins with none.

    Args:
        out: the folder.
        rank, world_size: a rank of several has a file of its own, ``failures.rank1of4.jsonl``.
    """

    def __init__(self, out: Path, *, rank: int = 0, world_size: int = 1) -> None:
        of_rank = f".rank{rank}of{world_size}" if world_size > 1 else ""
        self.path = out / f"{FAILURES_STEM}{of_rank}.jsonl"
        self._lines: list[str] = []
        if rank == 0:  # what starts with other numbers of ranks left
            ours = f".rank*of{world_size}.jsonl" if world_size > 1 else ".jsonl"
            for old in out.glob(f"{FAILURES_STEM}*.jsonl"):
                if not old.match(FAILURES_STEM + ours):
                    old.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, failure: Mapping[str, Any]) -> None:
        """Write one more failure."""
        self._lines.append(json.dumps(failure, ensure_ascii=False) + "\n")
        write_lines_atomically(self.path, self._lines, sync=False)
