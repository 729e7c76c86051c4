"""Paths into shards: ``frames-000002.tar!/scene0050_00/00001.jpg`` behaves like a file that lies unpacked."""

from __future__ import annotations

import errno
import functools
import hashlib
import io
import os
import re
import stat as stat_bits
import tempfile
from collections.abc import Iterator
from pathlib import Path, PosixPath
from typing import IO, Any

from lavis.common.errors import ModalityError
from lavis.common.paths import cache_root
from lavis.datasets.loaders.shards.index import ShardIndex, shard_index
from lavis.datasets.loaders.shards.patterns import expanded
from lavis.datasets.loaders.shards.tar import Member

INTO = "!/"
# Several shards of one folder stand side by side before the mark, or as the pattern that names them.
BESIDE = "|"
SPLIT = re.compile(r"^(?P<shards>.*?\.tar(?:\|.*?\.tar)*)!(?:/(?P<member>.*))?$", re.DOTALL)
BUFFER_BYTES = 1 << 17
CHUNK_BYTES = 1 << 20


class ShardPath(PosixPath):
    """A file or folder inside one or several shards.

    It holds nothing but its text, so it can be joined, compared, pickled and sent to workers like any path. What
    reads goes by the shards' indices: :meth:`exists`, :meth:`is_file`, :meth:`is_dir`, :meth:`iterdir`,
    :meth:`open`, :meth:`read_bytes`, :meth:`stat`. A library that opens names itself finds nothing under it;
    :func:`local_copy` gives it a file. Safe in threads and after a fork: every file that is open has its own
    descriptor and position.
    """

    __slots__ = ()

    def _split(self) -> tuple[list[ShardIndex], str]:
        found = SPLIT.match(str(self))
        if found is None:
            return [], ""
        shards = [Path(one) for text in found["shards"].split(BESIDE) for one in expanded(text)]
        return [shard_index(shard) for shard in shards if shard.is_file()], found["member"] or ""

    def _found(self) -> tuple[ShardIndex, Member] | None:
        indices, name = self._split()
        for index in indices:
            member = index.find(name)
            if member is not None:
                return index, member
        return None

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether a file or folder of this name is in the shards."""
        return self._found() is not None or self.is_dir()

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a file."""
        return self._found() is not None

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether any file lies under it."""
        indices, name = self._split()
        return any(index.has_folder(name) for index in indices)

    def is_symlink(self) -> bool:
        """Return False: shards with links are refused."""
        return False

    def iterdir(self) -> Iterator[ShardPath]:  # type: ignore[override]
        """Yield what lies directly in the folder, sorted by name within each shard.

        Raises:
            NotADirectoryError: it is no folder of the shards.
            ModalityError: two shards hold a file of one name.
        """
        indices, name = self._split()
        holding = [index for index in indices if index.has_folder(name)]
        if not holding:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self))
        folders: dict[str, None] = {}
        files: dict[str, ShardIndex] = {}
        for index in holding:
            for inner in index.under(name):
                first, _, deeper = inner.partition("/")
                if deeper:
                    folders[first] = None
                elif first in files:
                    raise ModalityError(
                        f"{self}: {first!r} is both in shard {files[first].path} and in {index.path}; keep one of them."
                    )
                else:
                    files[first] = index
        yield from (self / folder for folder in folders)
        for file, index in files.items():
            yield ShardPath(f"{index.path}{INTO}{name}/{file}" if name else f"{index.path}{INTO}{file}")

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return size, mode and time as the tar has them; a folder has the time of its newest shard.

        Raises:
            FileNotFoundError: the shards have no such name.
        """
        found = self._found()
        if found is not None:
            return _stat(stat_bits.S_IFREG | 0o444, found[1].size_bytes, found[1].modified_ns)
        indices, name = self._split()
        times = [index.modified_ns for index in indices if index.has_folder(name)]
        if not times:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        return _stat(stat_bits.S_IFDIR | 0o555, 0, max(times))

    def lstat(self) -> os.stat_result:
        """Return the same as :meth:`stat`."""
        return self.stat()

    def listing(self) -> list[tuple[str, int, int]]:
        """Return (name relative to this path, bytes, mtime in ns) of every file at or under it."""
        found = self._found()
        if found is not None:
            return [(self.name, found[1].size_bytes, found[1].modified_ns)]
        indices, name = self._split()
        listed = []
        for index in indices:
            for inner in index.under(name):
                member = index.find(f"{name}/{inner}" if name else inner)
                if member is not None:
                    listed.append((inner, member.size_bytes, member.modified_ns))
        return listed

    def open(  # type: ignore[override]
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """Open for reading, as bytes ("rb") or text ("r").

        Raises:
            FileNotFoundError, IsADirectoryError: no such file.
            OSError: another mode, or the shard has changed since it was indexed.
        """
        if set(mode) - set("rbt") or "r" not in mode:
            raise io.UnsupportedOperation(f"{self}: files in shards can only be read, not opened with mode {mode!r}.")
        found = self._found()
        if found is None:
            code = errno.EISDIR if self.is_dir() else errno.ENOENT
            raise OSError(code, os.strerror(code), str(self))
        stream = io.BufferedReader(_MemberFile(*found), BUFFER_BYTES if buffering < 2 else buffering)
        return stream if "b" in mode else io.TextIOWrapper(stream, encoding, errors, newline)

    def read_bytes(self) -> bytes:
        """Return the whole content."""
        with self.open("rb") as stream:
            content: bytes = stream.read()
            return content

    def _unsupported(self, *args: Any, **kwargs: Any) -> Any:
        raise io.UnsupportedOperation(f"{self}: this cannot be done inside a shard; use iterdir, open or local_copy.")

    # On names that are no files of the system these would answer "nothing there" instead of failing.
    glob = rglob = walk = resolve = absolute = samefile = _unsupported  # type: ignore[assignment]
    mkdir = touch = unlink = rename = replace = rmdir = chmod = _unsupported  # type: ignore[assignment]


class _MemberFile(io.RawIOBase):
    """The bytes of one member, read by position; without a file number, which would stand for the whole tar."""

    def __init__(self, index: ShardIndex, member: Member) -> None:
        super().__init__()
        self.member = member
        self.position = 0
        self.shard = index.path
        self.descriptor = os.open(index.path, os.O_RDONLY | os.O_CLOEXEC)
        stat = os.fstat(self.descriptor)
        if (stat.st_size, stat.st_mtime_ns) != (index.size_bytes, index.modified_ns):
            self.close()
            raise OSError(errno.ESTALE, f"shard {index.path} was changed while it was read")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.member.size_bytes}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self.position = base + offset
        return self.position

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        left = max(0, self.member.size_bytes - self.position)
        n_bytes = os.preadv(self.descriptor, [view[:left]], self.member.offset + self.position) if left else 0
        if left and len(view) and not n_bytes:
            raise OSError(errno.EIO, f"shard {self.shard} ends inside {self.member.name!r}")
        self.position += n_bytes
        return n_bytes

    def close(self) -> None:
        if not self.closed and hasattr(self, "descriptor"):
            os.close(self.descriptor)
        super().close()


def local_copy(path: Path) -> Path:
    """Return a path that any library can open by name: the path itself, or a copy of a shard's member.

    The copy lies in the cache (``shards/members``), is made once and made anew where the shard has changed.

    Raises:
        OSError: no such member, or the cache cannot be written.
    """
    if not isinstance(path, ShardPath):
        return path
    found = path._found()
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    index, member = found
    key = f"{os.path.abspath(index.path)}\0{index.size_bytes}\0{index.modified_ns}\0{member.name}"
    folder = cache_root() / "shards" / "members" / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
    copy = folder / path.name
    if copy.is_file() and copy.stat().st_size == member.size_bytes:
        return copy
    folder.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=folder, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file, path.open("rb") as stream:
            for chunk in iter(functools.partial(stream.read, CHUNK_BYTES), b""):
                file.write(chunk)
        os.replace(partial, copy)
    finally:
        Path(partial).unlink(missing_ok=True)
    return copy


def _stat(mode: int, size_bytes: int, modified_ns: int) -> os.stat_result:
    modified_s = modified_ns // 1_000_000_000
    times: dict[str, float] = {f"st_{kind}time_ns": modified_ns for kind in "amc"}
    times |= {f"st_{kind}time": modified_ns / 1e9 for kind in "amc"}
    return os.stat_result((mode, 0, 0, 1, 0, 0, size_bytes, modified_s, modified_s, modified_s), times)
