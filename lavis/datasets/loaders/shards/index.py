"""Where every member of a shard lies: a sorted table beside the cache, mapped into memory, made once per shard."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import hashlib
import itertools
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lavis.common.arrays import load_array
from lavis.common.errors import ModalityError
from lavis.common.paths import cache_root
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.shards.tar import Member, read_members

VERSION = 1
OPEN_INDICES = 4096

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class ShardIndex:
    """The members of one shard by name.

    Attributes:
        path: the shard.
        size_bytes: of the shard when it was indexed.
        modified_ns: of the shard when it was indexed.
        rows: name (UTF-8), offset, size, mtime; sorted by name.
    """

    path: Path
    size_bytes: int
    modified_ns: int
    rows: Array

    @property
    def first(self) -> str:
        """The first name in order."""
        return self._member(0).name

    @property
    def last(self) -> str:
        """The last name in order."""
        return self._member(len(self.rows) - 1).name

    def find(self, name: str) -> Member | None:
        """Return a member, None where the shard has no such file."""
        at = self._position(_encoded(name))
        return self._member(at) if at < len(self.rows) and self._name(at) == _encoded(name) else None

    def has_folder(self, folder: str) -> bool:
        """Tell whether any member lies under a folder; the empty name is the shard itself."""
        return not folder or self._range(folder)[0] < self._range(folder)[1]

    def under(self, folder: str) -> Iterator[str]:
        """Yield the names of the members under a folder, relative to it, sorted."""
        first, last = self._range(folder)
        skip = len(_encoded(folder)) + 1 if folder else 0
        for name in self.rows["name"][first:last].tolist():
            yield name[skip:].decode("utf-8", "surrogateescape")

    def _range(self, folder: str) -> tuple[int, int]:
        if not folder:
            return 0, len(self.rows)
        prefix = _encoded(folder)
        return self._position(prefix + b"/"), self._position(prefix + b"0")  # "0" comes right after "/"

    def _position(self, name: bytes) -> int:
        return bisect.bisect_left(_Names(self.rows), name)

    def _name(self, at: int) -> bytes:
        name: bytes = self.rows[at]["name"].item()
        return name

    def _member(self, at: int) -> Member:
        name, offset, size_bytes, modified_ns = self.rows[at].item()
        return Member(name.decode("utf-8", "surrogateescape"), offset, size_bytes, modified_ns)


class _Names:
    """The names as a sequence for bisect: NumPy's own search would copy the column out of the map."""

    def __init__(self, rows: Array) -> None:
        self.column = rows["name"]

    def __len__(self) -> int:
        return len(self.column)

    def __getitem__(self, at: int) -> bytes:
        name: bytes = self.column[at]
        return name


def shard_index(path: Path) -> ShardIndex:
    """Return the index of a shard, made anew where the shard has changed.

    Raises:
        ModalityError: the shard is missing, damaged, or has one name twice.
    """
    try:
        stat = os.stat(path)
    except OSError as error:
        raise ModalityError(f"shard {path} cannot be opened ({error.strerror}); check the storage.") from error
    return _shard_index(str(path), stat.st_size, stat.st_mtime_ns)


# Threads that ask at once may make one index twice, which is harmless.
@functools.lru_cache(maxsize=OPEN_INDICES)
def _shard_index(path: str, size_bytes: int, modified_ns: int) -> ShardIndex:
    key = f"{VERSION}\0{os.path.abspath(path)}\0{size_bytes}\0{modified_ns}"
    stored = cache_root() / "shards" / "index" / f"{hashlib.sha256(key.encode('utf-8', 'surrogateescape')).hexdigest()}"
    stored = stored.with_suffix(".npy")
    rows = _stored_rows(stored, size_bytes)
    if rows is None:
        rows = _table(Path(path))
        rows = _store(rows, stored)
    return ShardIndex(Path(path), size_bytes, modified_ns, rows)


def _table(path: Path) -> Array:
    rows = [
        (_encoded(member.name), member.offset, member.size_bytes, member.modified_ns) for member in read_members(path)
    ]
    if not rows:
        raise ModalityError(f"shard {path} is not used: it holds no files; fetch it again.")
    rows.sort()
    for before, after in itertools.pairwise(rows):
        if before[0] == after[0]:
            raise ModalityError(
                f"shard {path} is not used: it holds {before[0].decode('utf-8', 'replace')!r} twice; write it again "
                f"with each file once."
            )
    width = max(len(row[0]) for row in rows)
    return np.array(rows, dtype=[("name", f"S{width}"), ("offset", "<i8"), ("size", "<i8"), ("mtime", "<i8")])


def _stored_rows(stored: Path, size_bytes: int) -> Array | None:
    """Return a table from the cache, None where it is not there or not whole."""
    try:
        rows: Any = load_array(stored, "r")
    except (OSError, ValueError, EOFError):
        return None
    fits = rows.ndim == 1 and rows.dtype.names == ("name", "offset", "size", "mtime") and len(rows)
    return rows if fits and int((rows["offset"] + rows["size"]).max()) <= size_bytes else None


def _store(rows: Array, stored: Path) -> Array:
    """Write a table for later processes and return it mapped; in memory where the cache cannot be written."""
    try:
        stored.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=stored.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, rows, allow_pickle=False)
            os.replace(partial, stored)
        finally:
            Path(partial).unlink(missing_ok=True)
        mapped: Array = load_array(stored, "r")
        return mapped
    except OSError as error:
        logger.warning("The index %s is not kept (%s); set LAVIS_CACHE to a folder with room.", stored, error)
        return rows


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
