"""The answer journal: one line per finished question, safe from the moment it is written.

A record is a JSON object that begins with ``key`` (``<split>:<question id>``), ``status``, ``tokens``
and ``usd``, in this order, so that a start that resumes a run reads the beginning of each line alone.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any

from lavis.common.errors import JournalError
from lavis.common.secrets import redact

HEAD_FIELDS = ("key", "status", "tokens", "usd")
# Lines that are written together where several questions finish while the disk is busy.
BATCH = 1000

_Entry = tuple[dict[str, Any], "Future[None]"]


class Journal:
    """Appends one rank's finished questions to ``rank<r>.jsonl``; a line is on disk before it counts.

    Lines that come while the disk is busy are written together and synced once. A line that a killed
    process left unfinished is cut off when the journal is opened again. Secrets are taken out here.
    """

    def __init__(self, folder: Path, rank: int) -> None:
        self.path = folder / f"rank{rank}.jsonl"
        self._broken: str | None = None
        folder.mkdir(parents=True, exist_ok=True)
        _cut_torn_tail(self.path)
        self._file: IO[bytes] = open(self.path, "ab", buffering=0)
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="journal", daemon=True)
        self._writer.start()

    def submit(self, record: dict[str, Any]) -> Future[None]:
        """Hand over one finished question; the future is done when its line is on disk.

        The future's error is a JournalError: the line could not be written (no space left, read-only …);
        earlier lines are safe.
        """
        done: Future[None] = Future()
        self._queue.put((record, done))
        return done

    def append(self, record: dict[str, Any]) -> None:
        """Write one finished question and wait for it.

        Raises:
            JournalError: see :meth:`submit`.
        """
        self.submit(record).result()

    def close(self) -> None:
        """Write what was handed over and close the file."""
        if self._writer.is_alive():
            self._queue.put(None)
            self._writer.join()
        self._file.close()

    def _write_all(self) -> None:
        while True:
            entries = [self._queue.get()]
            while len(entries) < BATCH and not self._queue.empty():
                entries.append(self._queue.get())
            batch = [entry for entry in entries if entry is not None]
            for _, done in batch:
                done.set_running_or_notify_cancel()  # an answer is written even if nobody waits for it any more
            if batch:
                self._write(batch)
            if None in entries:
                return

    def _write(self, batch: list[_Entry]) -> None:
        try:
            if self._broken:
                raise JournalError(self._broken)
            lines = b"".join(_line(record) for record, _ in batch)
            written = self._file.write(lines)
            if written != len(lines):
                raise OSError(f"{written} of {len(lines)} bytes were written")
            os.fsync(self._file.fileno())
        except Exception as error:  # whatever it is, those who wait must hear of it
            # A second line behind half a line would make both unreadable: nothing more is written.
            self._broken = self._broken or (
                f"{self.path}: question {batch[0][0].get('key')} could not be journaled ({error}). "
                "What was finished before is safe; free some space and start again with the same run.run_id."
            )
            for _, done in batch:
                if not done.cancelled():
                    done.set_exception(JournalError(self._broken))
        else:
            for _, done in batch:
                if not done.cancelled():
                    done.set_result(None)


def _line(record: dict[str, Any]) -> bytes:
    head = {name: record[name] for name in HEAD_FIELDS if name in record}
    clean = redact({**head, **record})
    return json.dumps(clean, ensure_ascii=False).encode() + b"\n"


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
