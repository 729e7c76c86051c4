"""What a tar file holds, and where: its headers read one by one, every one checked, no content read.

``tarfile`` takes a damaged header for the end of the archive and reads headers of any length into memory;
an index that later reads trust needs to know whether the archive is whole. Source: POSIX.1-2001 (ustar and
pax) and the long names of GNU tar.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

from lavis.common.errors import ModalityError

BLOCK = 512
CHUNK_BYTES = 1 << 20
# Longer names and pax headers than these are taken for damage, or for an attack on memory.
MAX_NAME_BYTES = 1024
MAX_EXTENSION_BYTES = 1 << 16
REGULAR, FOLDER, GNU_NAME, GNU_LINK, PAX, PAX_GLOBAL = b"0\0007", b"5", b"L", b"K", b"x", b"g"
KINDS = {b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"6": "a pipe"}
MAGIC = {b"\x1f\x8b": "gzip -dc", b"BZh": "bzip2 -dc", b"\xfd7zXZ": "xz -dc", b"\x28\xb5\x2f\xfd": "zstd -dc"}


@dataclasses.dataclass(frozen=True)
class Member:
    """One file of a tar: ``size_bytes`` from ``offset`` on, last changed at ``modified_ns``."""

    name: str
    offset: int
    size_bytes: int
    modified_ns: int


def read_members(path: Path) -> Iterator[Member]:
    """Yield the files of a tar in its order; folders are passed over.

    Raises:
        ModalityError: missing, compressed, damaged, truncated, or a member that is no plain file or whose name
            would leave the archive; names the shard and the member.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ModalityError(f"shard {path} cannot be opened ({error.strerror}); check the storage.") from error
    try:
        yield from _Reader(path, descriptor).members()
    finally:
        os.close(descriptor)


class _Reader:
    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self.descriptor = path, descriptor
        self.size_bytes = os.fstat(descriptor).st_size
        self.at = 0

    def members(self) -> Iterator[Member]:
        self._refuse_compressed()
        extension: dict[str, bytes] = {}
        while (header := self._header()) is not None:
            kind, size_bytes = header[156:157], self._number(header[124:136])
            if kind in (GNU_NAME, GNU_LINK, PAX, PAX_GLOBAL):
                extension |= self._extension(kind, size_bytes)
                continue
            member = self._member(header, extension)
            extension = {}
            if kind == FOLDER:
                continue
            if kind not in [REGULAR[i : i + 1] for i in range(len(REGULAR))]:
                raise self._error(f"{member.name!r} is {KINDS.get(kind, f'of kind {kind!r}')}, not a plain file")
            self.at += -(-member.size_bytes // BLOCK) * BLOCK
            if member.offset + member.size_bytes > self.size_bytes:
                raise self._error(f"it is truncated inside {member.name!r}", "fetch it again")
            yield member
        self._refuse_rest()

    def _header(self) -> bytes | None:
        """Return the next header, None at the end mark."""
        block = os.pread(self.descriptor, BLOCK, self.at)
        if len(block) < BLOCK:
            raise self._error(f"it is truncated after {self.at} bytes: there is no end mark", "fetch it again")
        self.at += BLOCK
        if not block.strip(b"\0"):
            return None
        if sum(block[:148]) + 8 * ord(" ") + sum(block[156:]) != self._number(block[148:156]):
            raise self._error(f"the header at byte {self.at - BLOCK} is damaged", "fetch it again")
        return block

    def _extension(self, kind: bytes, size_bytes: int) -> dict[str, bytes]:
        """Read what a pax or GNU header says about the member after it."""
        if not 0 <= size_bytes <= MAX_EXTENSION_BYTES:
            raise self._error(f"the header at byte {self.at - BLOCK} claims {size_bytes} bytes")
        content = os.pread(self.descriptor, size_bytes, self.at)
        if len(content) < size_bytes:
            raise self._error(f"it is truncated after {self.size_bytes} bytes", "fetch it again")
        self.at += -(-size_bytes // BLOCK) * BLOCK
        if kind == GNU_NAME:
            return {"path": content.rstrip(b"\0")}
        if kind == GNU_LINK:
            return {}
        records = self._pax_records(content)
        # A global header that changes names or sizes is never written by tools for data sets.
        if any(key.startswith("GNU.sparse") for key in records) or (
            kind == PAX_GLOBAL and {"path", "size"} & records.keys()
        ):
            raise self._error("it holds sparse files or global names", "write it with tar's plain options")
        return {} if kind == PAX_GLOBAL else records

    def _pax_records(self, content: bytes) -> dict[str, bytes]:
        records, at = {}, 0
        while at < len(content):
            length, _, _ = content[at:].partition(b" ")
            n_bytes = int(length) if length.isdigit() and len(length) < 10 else 0
            record = content[at : at + n_bytes]
            key, is_pair, value = record[len(length) + 1 : -1].partition(b"=")
            if not is_pair or len(record) < n_bytes or not record.endswith(b"\n"):
                raise self._error(f"the pax header before byte {self.at} is damaged", "fetch it again")
            records[key.decode("utf-8", "surrogateescape")] = value
            at += n_bytes
        return records

    def _member(self, header: bytes, extension: dict[str, bytes]) -> Member:
        name = extension.get("path")
        if name is None:
            prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
            name = (prefix + b"/" if prefix else b"") + header[:100].partition(b"\0")[0]
        try:
            size_bytes = int(extension["size"]) if "size" in extension else self._number(header[124:136])
            modified_s = float(extension["mtime"]) if "mtime" in extension else self._number(header[136:148])
            modified_ns = int(modified_s * 1_000_000_000)
        except (ValueError, OverflowError) as error:
            raise self._error(f"the header at byte {self.at - BLOCK} is damaged", "fetch it again") from error
        text = name.decode("utf-8", "surrogateescape")
        if size_bytes < 0 or not -(1 << 62) < modified_ns < 1 << 62:
            raise self._error(f"the header of {text!r} gives it {size_bytes} bytes", "fetch it again")
        return Member(self._inside(text, header[156:157] == FOLDER), self.at, size_bytes, modified_ns)

    def _inside(self, name: str, is_folder: bool) -> str:
        """Return a member's name without ``./`` before it."""
        plain = name.removesuffix("/") if is_folder else name
        while plain.startswith("./"):
            plain = plain[2:]
        if is_folder and plain in ("", "."):
            return ""
        if (
            "\0" in plain
            or any(part in ("", ".", "..") for part in plain.split("/"))
            or len(plain.encode("utf-8", "surrogateescape")) > MAX_NAME_BYTES
        ):
            raise self._error(f"member {name[:80]!r} does not stay inside it, or has no usable name")
        return plain

    def _number(self, field: bytes) -> int:
        """Read octal digits, or GNU's base 256 for numbers that are too long for them."""
        if field[0] & 0x80:
            value = int.from_bytes(field, "big") - (1 << (8 * len(field) - 1))
            return value if field[0] & 0x40 == 0 else -1
        digits = field.split(b"\0")[0].strip()
        if digits.strip(b"01234567"):
            raise self._error(f"the header at byte {self.at - BLOCK} is damaged", "fetch it again")
        return int(digits or b"0", 8)

    def _refuse_compressed(self) -> None:
        head = os.pread(self.descriptor, 8, 0)
        for magic, command in MAGIC.items():
            if head.startswith(magic):
                raise self._error(
                    "it is compressed and cannot be read at any place", f"unpack it, or use pipe:{command} {self.path}"
                )

    def _refuse_rest(self) -> None:
        while chunk := os.pread(self.descriptor, CHUNK_BYTES, self.at):
            if chunk.strip(b"\0"):
                raise self._error("it goes on after its end mark", "keep archives apart instead of joining them")
            self.at += len(chunk)

    def _error(self, what: str, way_out: str = "write the shard again with plain files only") -> ModalityError:
        return ModalityError(f"shard {self.path} is not used: {what}; {way_out}.")
