"""The answer journal: one line per finished question, safe from the moment it is written.

A record is a JSON object whose ``key`` names the question: ``<split>:<question id>``.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from lavis.common.errors import JournalError


class Journal:
    """Appends one rank's finished questions to ``rank<r>.jsonl``, each line fsynced.

    A line that a killed process left unfinished is cut off when the journal is opened again.
    """

    def __init__(self, folder: Path, rank: int) -> None:
        self.path = folder / f"rank{rank}.jsonl"
        self._lock = threading.Lock()
        self._broken: str | None = None
        folder.mkdir(parents=True, exist_ok=True)
        _cut_torn_tail(self.path)
        self._file: IO[bytes] = open(self.path, "ab", buffering=0)

    def append(self, record: dict[str, Any]) -> None:
        """Write one finished question.

        Raises:
            JournalError: the line could not be written (no space left, read-only …); earlier lines are safe.
        """
        line = json.dumps(record, ensure_ascii=False, sort_keys=True).encode() + b"\n"
        with self._lock:
            if self._broken:
                raise JournalError(self._broken)
            try:
                written = self._file.write(line)
                if written != len(line):
                    raise OSError(f"{written} of {len(line)} bytes were written")
                os.fsync(self._file.fileno())
            except OSError as error:
                # A second line behind half a line would make both unreadable: nothing more is written.
                self._broken = (
                    f"{self.path}: question {record.get('key')} could not be journaled ({error}). "
                    "What was finished before is safe; free some space and start again with the same run.run_id."
                )
                raise JournalError(self._broken) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _cut_torn_tail(path: Path) -> None:
    if not path.exists():
        return
    with open(path, "rb+") as file:
        size = file.seek(0, os.SEEK_END)
        end = size
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)


class JournalReader:
    """Finds finished questions in all ranks' journals by key; holds their places, not their contents.

    The first line of a question counts if two ranks finished it.
    """

    def __init__(self, folder: Path) -> None:
        self.places: dict[str, tuple[Path, int]] = {}
        for path in sorted(folder.glob("rank*.jsonl"), key=lambda path: (len(path.name), path.name)):
            self._index(path)

    def _index(self, path: Path) -> None:
        with open(path, "rb") as file:
            offset = 0
            for number, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    self.places.setdefault(_parse(line, path, number)["key"], (path, offset))
                offset += len(line)

    def __contains__(self, key: object) -> bool:
        return key in self.places

    def __len__(self) -> int:
        return len(self.places)

    def records(self, keys: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield records by key, in the order asked for.

        Raises:
            JournalError: a key is in no journal.
        """
        files: dict[Path, IO[bytes]] = {}
        try:
            for key in keys:
                if key not in self.places:
                    raise JournalError(f"Question {key} is in no journal; start again with the same run.run_id.")
                path, offset = self.places[key]
                file = files.get(path) or files.setdefault(path, open(path, "rb"))
                file.seek(offset)
                yield _parse(file.readline(), path, offset)
        finally:
            for file in files.values():
                file.close()


def _parse(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(line)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise JournalError(
            f"{path}, line {number}: whole but not JSON, so the file was changed from outside ({error}). "
            "Remove that line and start again with the same run.run_id; its question is asked again."
        ) from error
    return record
