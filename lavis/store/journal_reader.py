"""Reads the journals of all ranks: which questions are finished, and where their lines are."""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from lavis.common.errors import JournalError

HEAD = re.compile(rb'\{"key": ("(?:[^"\\]|\\.)*"), "status": "(\w+)", "tokens": (\d+), "usd": (null|[-+.0-9eE]+)[,}]')


class JournalReader:
    """Finds finished questions by key; holds 19 bytes a line, not its content.

    Where a question has several lines (two ranks finished it, or it failed and was asked again), the
    first that did not fail counts, or else the last.

    Attributes:
        tokens: in and out, over all lines.
        usd: over all lines, as far as prices were known.

    Raises:
        JournalError: a whole line is no record: the file was changed from outside.
    """

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.glob("rank*.jsonl"), key=lambda path: (len(path.name), path.name))
        self.tokens = 0
        self.usd = 0.0
        self._hashes, self._files, self._offsets, self._failed = array("Q"), array("H"), array("q"), array("B")
        for number, path in enumerate(self.paths):
            self._index(number, path)
        self._order = self._chosen()

    def _index(self, number: int, path: Path) -> None:
        with open(path, "rb") as file:
            offset = 0
            for count, line in enumerate(file, start=1):
                if line.endswith(b"\n"):
                    key, status, tokens, usd = _head(line, path, count)
                    self._hashes.append(_hash(key))
                    self._files.append(number)
                    self._offsets.append(offset)
                    self._failed.append(status == "failed")
                    self.tokens += tokens
                    self.usd += usd
                offset += len(line)

    def _chosen(self) -> npt.NDArray[np.int64]:
        """Return the positions of the lines that count, by ascending hash."""
        hashes = np.frombuffer(self._hashes, dtype=np.uint64)
        failed = np.frombuffer(self._failed, dtype=np.uint8).astype(bool)
        positions = np.arange(len(hashes))
        preference = np.where(failed, 2 * len(hashes) - positions, positions)
        order = np.lexsort((preference, hashes))
        first = np.ones(len(order), dtype=bool)
        first[1:] = hashes[order][1:] != hashes[order][:-1]
        self._sorted: npt.NDArray[np.uint64] = hashes[order[first]]
        return order[first].astype(np.int64)

    def _position(self, key: str) -> int | None:
        wanted = _hash(key.encode())
        at = int(np.searchsorted(self._sorted, np.uint64(wanted)))
        return int(self._order[at]) if at < len(self._sorted) and int(self._sorted[at]) == wanted else None

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._position(key) is not None

    def __len__(self) -> int:
        return len(self._order)

    def failed(self, key: str) -> bool:
        """Return whether a question has lines, and all of them say that it failed."""
        position = self._position(key)
        return position is not None and bool(self._failed[position])

    def unfinished(self, keys: Iterable[str], *, failed_too: bool) -> npt.NDArray[np.bool_]:
        """Return for each key whether its question is left to be asked.

        Args:
            keys: in any order; there may be many.
            failed_too: whether a question that failed is asked again.
        """
        hashes = np.fromiter((_hash(key.encode()) for key in keys), dtype=np.uint64)
        if not len(self._sorted):
            return np.ones(len(hashes), dtype=np.bool_)
        at = np.minimum(np.searchsorted(self._sorted, hashes), len(self._sorted) - 1)
        left: npt.NDArray[np.bool_] = self._sorted[at] != hashes
        if failed_too:
            left |= np.frombuffer(self._failed, dtype=np.uint8)[self._order[at]].astype(np.bool_)
        return left

    def records(self, keys: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield records by key, in the order asked for.

        Raises:
            JournalError: a key is in no journal, or its line is damaged.
        """
        files: dict[int, IO[bytes]] = {}
        try:
            for key in keys:
                position = self._position(key)
                if position is None:
                    raise JournalError(f"Question {key} is in no journal; start again with the same run.run_id.")
                number = self._files[position]
                if number not in files:
                    files[number] = open(self.paths[number], "rb")
                files[number].seek(self._offsets[position])
                record = _parse(files[number].readline(), self.paths[number], f"byte {self._offsets[position]}")
                if record["key"] != key:
                    raise JournalError(f"{self.paths[number]}: {record['key']!r} stands where {key!r} was expected.")
                yield record
        finally:
            for file in files.values():
                file.close()


def _hash(key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little")


def _head(line: bytes, path: Path, number: int) -> tuple[bytes, str, int, float]:
    match = HEAD.match(line)
    if match is None or not line.endswith(b"}\n"):
        record = _parse(line, path, f"line {number}")
        return record["key"].encode(), str(record.get("status", "")), 0, 0.0
    usd = 0.0 if match[4] == b"null" else float(match[4])
    key = json.loads(match[1]).encode() if b"\\" in match[1] else match[1][1:-1]
    return key, match[2].decode(), int(match[3]), usd


def _parse(line: bytes, path: Path, place: str) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads(line)
        if "key" not in record:
            raise ValueError("it has no key")
    except (ValueError, TypeError) as error:
        raise JournalError(
            f"{path}, {place}: whole but no record, so the file was changed from outside ({error}). "
            "Remove that line and start again with the same run.run_id; its question is asked again."
        ) from error
    return record
