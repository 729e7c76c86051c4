"""A folder of small JSON entries: one file each, written whole or not at all, checked when read."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


def digest(value: Any) -> str:
    """Return the sha256 of a JSON value in its canonical form."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def write_atomically(path: str | Path, text: str, *, sync: bool = True) -> None:
    """Write a file so that a reader sees the old one or the new one, on a shared file system too.

    Args:
        path: the file.
        text: all of it.
        sync: wait until it is on disk; without, a crash of the machine may leave it damaged.
    """
    write_lines_atomically(path, [text], sync=sync)


def write_lines_atomically(path: str | Path, pieces: Iterable[str], *, sync: bool = True) -> None:
    """Do the same with a text that comes in pieces, one held at a time."""
    folder, name = os.path.split(path)
    os.makedirs(folder or ".", exist_ok=True)
    temporary = os.path.join(folder, f".{name}.{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines(pieces)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


class EntryFiles:
    """Entries by key under ``root/ab/abcdef….json``. Two processes that write one key are harmless.

    An entry is checked when it is read, so nothing waits for a disk when it is written; one that can't
    be written (no space left) is computed again another time, which is logged once.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._complaint = threading.Lock()  # taken for good by the first of many threads that has to complain

    def path(self, key: str) -> str:
        """Return where the entry of a key lies; a text, since a Path keeps every name it ever had in memory."""
        return os.path.join(self.root, key[:2], f"{key}.json")

    def get(self, key: str) -> Any | None:
        """Return an entry, or None if there is none or it is damaged (which is logged)."""
        path = self.path(key)
        try:
            with open(path, encoding="utf-8") as file:
                wrapped = json.load(file)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            logger.warning("Entry %s cannot be read (%s) and will be computed again.", path, error)
            return None
        except (json.JSONDecodeError, UnicodeDecodeError):
            wrapped = None
        if not isinstance(wrapped, dict) or wrapped.get("sha256") != digest(wrapped.get("entry")):
            logger.warning("Damaged entry %s is ignored and will be computed again.", path)
            return None
        return wrapped["entry"]

    def put(self, key: str, entry: Any) -> None:
        """Keep an entry under its key."""
        text = json.dumps({"sha256": digest(entry), "entry": entry}, ensure_ascii=False, sort_keys=True)
        try:
            write_atomically(self.path(key), text, sync=False)
        except OSError as error:
            if self._complaint.acquire(blocking=False):
                logger.warning("%s cannot be written (%s): nothing more is kept there.", self.root, error)
