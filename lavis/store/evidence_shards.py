"""Evidence packed into webdataset shards: tar files whose members are ``<key>.json``, one piece of evidence each."""

from __future__ import annotations

import json
import logging
import tarfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from lavis.common.errors import ConfigError
from lavis.store.entry_files import digest

logger = logging.getLogger(__name__)

SHARD_BYTES = 256 * 2**20


class EvidenceShards:
    """Finds evidence in shards by its portable key; holds its places, not its contents.

    Args:
        folder: holds ``*.tar``.

    Raises:
        ConfigError: there is no shard, or one is no tar file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.paths = sorted(folder.glob("*.tar"))
        if not self.paths:
            raise ConfigError(
                f"run.evidence_shards: {folder} holds no .tar file; lavis precompute --shards makes them."
            )
        self._lock = threading.Lock()
        self._files: dict[int, IO[bytes]] = {}
        self._places: dict[str, tuple[int, int, int]] = {}
        for number, path in enumerate(self.paths):
            try:
                with tarfile.open(path) as shard:
                    for member in shard:
                        if member.isfile() and member.name.endswith(".json"):
                            place = (number, member.offset_data, member.size)
                            self._places[member.name.removesuffix(".json")] = place
            except tarfile.TarError as error:
                raise ConfigError(f"run.evidence_shards: {path} is no whole tar file ({error}).") from error

    def __len__(self) -> int:
        return len(self._places)

    def get(self, key: str) -> dict[str, Any] | None:
        """Return an entry; None where there is none or it is damaged (which is logged)."""
        place = self._places.get(key)
        if place is None:
            return None
        number, offset, size = place
        try:
            with self._lock:
                if number not in self._files:
                    self._files[number] = open(self.paths[number], "rb")
                self._files[number].seek(offset)
                wrapped = json.loads(self._files[number].read(size))
        except (OSError, ValueError):
            wrapped = None
        if not isinstance(wrapped, dict) or wrapped.get("sha256") != digest(wrapped.get("entry")):
            logger.warning("Damaged entry %s in %s is ignored and will be computed again.", key, self.paths[number])
            return None
        entry: dict[str, Any] = wrapped["entry"]
        return entry

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()
        self._files.clear()


def write_shards(folder: Path, prefix: str, entries: Iterable[tuple[str, dict[str, Any]]]) -> list[Path]:
    """Pack (portable key, entry) pairs into ``<prefix>-<number>.tar`` and return the files.

    A shard is written under another name and renamed when it is whole.
    """
    import webdataset

    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{prefix}-*.tar"):  # of an earlier time, which may have filled more of them
        old.unlink()
    pattern = str(folder / f".{prefix}-%06d.tar.part")
    written = sorted(folder.glob(f".{prefix}-*.tar.part"))
    for left in written:  # of a start that was killed
        left.unlink()
    with webdataset.ShardWriter(pattern, maxsize=SHARD_BYTES, verbose=0) as sink:
        for key, entry in entries:
            wrapped = {"sha256": digest(entry), "entry": entry}
            data = json.dumps(wrapped, ensure_ascii=False, sort_keys=True).encode()
            sink.write({"__key__": key, "json": data})
    return list(_rename(folder, prefix))


def _rename(folder: Path, prefix: str) -> Iterator[Path]:
    for part in sorted(folder.glob(f".{prefix}-*.tar.part")):
        whole = folder / part.name.removeprefix(".").removesuffix(".part")
        part.replace(whole)
        yield whole
