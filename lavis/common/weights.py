"""Weights files: listed once, fetched from the first source that has the right bytes, verified before use."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from lavis.common.errors import ConfigError, WeightsError, nearest, unknown_name
from lavis.common.paths import LIBRARY_ROOT, cache_root
from lavis.common.weight_sources import CHUNK_BYTES, NO_SPACE, PathSource, Source, SourceError, build_source

LISTING = LIBRARY_ROOT / "weights.yaml"
STAMP_SUFFIX = ".sha256-verified"
TEMPORARY_PREFIX = ".fetch-"
STALE_AFTER_S = 86_400.0
PROGRESS_EVERY_S = 5.0

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class WeightsEntry:
    """One file of the listing.

    Attributes:
        name: how it is asked for.
        file: its file name in the cache.
        bytes: its size.
        sha256: of the whole file, 64 lower-case hexadecimal digits.
        licence: of the file.
        sources: who is asked for it, in order.
        about: one line on what it is.
    """

    name: str
    file: str
    bytes: int
    sha256: str
    licence: str
    sources: tuple[Source, ...]
    about: str = ""

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise ConfigError(f"weights {self.name!r}: sha256 {self.sha256!r} is not 64 lower-case hexadecimal digits.")
        if Path(self.file).name != self.file or Path(self.name).name != self.name:
            raise ConfigError(f"weights {self.name!r}: name and file must be plain names; file is {self.file!r}.")
        if self.bytes <= 0:
            raise ConfigError(f"weights {self.name!r}: bytes is {self.bytes}.")

    @property
    def path(self) -> Path:
        """Where the file lies once it is fetched."""
        return cache_root() / "weights" / self.name / self.file

    @property
    def fetch_command(self) -> str:
        """What to type to have it."""
        return f"lavis weights fetch {self.name}"


Status = Literal["verified", "unverified", "absent"]


def entries(listing: Path = LISTING) -> dict[str, WeightsEntry]:
    """Return every entry of a listing by name, in the listing's order.

    Raises:
        ConfigError: the listing is not as it should be; names the file and the entry.
    """
    with listing.open(encoding="utf-8") as stream:
        data = yaml.safe_load(stream)
    if not isinstance(data, dict):
        raise ConfigError(f"{listing} must be a mapping of names.")
    return {name: _entry(name, record, f"{listing}: {name}") for name, record in data.items()}


def find(name: str, *, listing: Path = LISTING) -> WeightsEntry:
    """Return one entry.

    Raises:
        UnknownNameError: nothing is listed under the name; the nearest one is named.
    """
    listed = entries(listing)
    if name not in listed:
        raise unknown_name("weights", name, listed)
    return listed[name]


def weights_path(name: str, *, listing: Path = LISTING) -> Path:
    """Return the verified file of ``name``; never downloads.

    Raises:
        WeightsError: the file is absent or not the listed one; gives the command that fetches it.
        UnknownNameError: nothing is listed under the name.
    """
    entry = find(name, listing=listing)
    if not entry.path.is_file():
        raise WeightsError(
            f"Weights {name!r} ({entry.bytes / 1e6:.1f} MB) are not at {entry.path}. Fetch them: {entry.fetch_command}"
        )
    if not _is_stamped(entry):
        _hash_and_stamp(entry)
    return entry.path


def verify(name: str, *, listing: Path = LISTING) -> Path:
    """Hash the file of ``name`` anew, whatever was verified before, and return its path.

    Raises:
        WeightsError: the file is absent or not the listed one.
    """
    entry = find(name, listing=listing)
    if not entry.path.is_file():
        raise WeightsError(f"Weights {name!r} are not at {entry.path}. Fetch them: {entry.fetch_command}")
    _hash_and_stamp(entry)
    return entry.path


def status(entry: WeightsEntry) -> Status:
    """Return whether a file is there and was verified as it lies there; hashes nothing."""
    if not entry.path.is_file():
        return "absent"
    return "verified" if _is_stamped(entry) else "unverified"


def fetch(name: str, *, listing: Path = LISTING) -> Path:
    """Return the verified file of ``name``, fetching it from the first source that has the right bytes.

    The file appears under its name whole or not at all. Processes may fetch the same file at once.

    Raises:
        WeightsError: no source has it (says what each one answered), or the disk is full.
        UnknownNameError: nothing is listed under the name.
    """
    entry = find(name, listing=listing)
    try:
        return weights_path(name, listing=listing)
    except WeightsError as error:
        log.info("%s", error)
    answers = []
    try:
        entry.path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(entry.path.parent)
        _check_space(entry)
        for source in (*_folder_sources(entry), *entry.sources):
            try:
                _receive(entry, source)
            except SourceError as error:
                log.warning("%s: %s: %s", name, source, error)
                answers.append(f"  {source}: {error}")
            else:
                return entry.path
    except OSError as error:
        raise _disk_error(entry, error) from error
    raise WeightsError(
        f"No source has weights {name!r} ({entry.file}, {entry.bytes} bytes, sha256 {entry.sha256}):\n"
        + "\n".join(answers)
        + f"\nPut the file into a folder, name the folder in LAVIS_WEIGHTS_DIR, and run: {entry.fetch_command}"
    )


def _entry(name: Any, record: Any, where: str) -> WeightsEntry:
    known = [field.name for field in dataclasses.fields(WeightsEntry) if field.name != "name"]
    if not isinstance(name, str) or not isinstance(record, Mapping):
        raise ConfigError(f"{where}: an entry is a name with {', '.join(known)}.")
    for key in record:
        if key not in known:
            raise ConfigError(f"{where}: no such key {key!r}.{nearest(str(key), known)}")
    for key in known:
        if key not in record and key != "about":
            raise ConfigError(f"{where}: {key!r} is missing.")
    sources = tuple(build_source(source, where=where) for source in record["sources"])
    return WeightsEntry(**{**record, "name": name, "sources": sources})


def _folder_sources(entry: WeightsEntry) -> tuple[PathSource, ...]:
    """Return the places in LAVIS_WEIGHTS_DIR: a flat folder of files, or a copy of another cache's folder."""
    folder = os.environ.get("LAVIS_WEIGHTS_DIR")
    if not folder:
        return ()
    return (PathSource(str(Path(folder) / entry.file)), PathSource(str(Path(folder) / entry.name / entry.file)))


def _receive(entry: WeightsEntry, source: Source) -> None:
    log.info("%s: asking %s for %.1f MB", entry.name, source, entry.bytes / 1e6)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=entry.path.parent) as temporary:
        arriving = Path(temporary) / "arriving"
        digest = hashlib.sha256()
        n_bytes, next_report_s = 0, time.monotonic() + PROGRESS_EVERY_S
        with arriving.open("wb") as stream, contextlib.closing(source.chunks(Path(temporary))) as chunks:
            for chunk in chunks:
                stream.write(chunk)
                digest.update(chunk)
                n_bytes += len(chunk)
                if n_bytes > entry.bytes:
                    raise SourceError(f"gives more than the {entry.bytes} bytes that the file has")
                if time.monotonic() >= next_report_s:
                    next_report_s = time.monotonic() + PROGRESS_EVERY_S
                    log.info("%s: %.0f of %.0f MB", entry.name, n_bytes / 1e6, entry.bytes / 1e6)
            stream.flush()
            os.fsync(stream.fileno())
        if n_bytes < entry.bytes:
            raise SourceError(f"truncated: gave {n_bytes} of {entry.bytes} bytes")
        if digest.hexdigest() != entry.sha256:
            raise SourceError(f"gives another file: sha256 {digest.hexdigest()}")
        stamp = _stamp(entry, arriving)
        os.replace(arriving, entry.path)
    _write_stamp(entry, stamp)
    log.info("%s: verified, at %s", entry.name, entry.path)


def _hash_and_stamp(entry: WeightsEntry) -> None:
    stamp = _stamp(entry, entry.path)
    n_bytes = entry.path.stat().st_size
    if n_bytes != entry.bytes:
        raise WeightsError(
            f"{entry.path} has {n_bytes} bytes, weights {entry.name!r} have {entry.bytes}. "
            f"Fetch them again: {entry.fetch_command}"
        )
    digest = hashlib.sha256()
    with entry.path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    if digest.hexdigest() != entry.sha256:
        raise WeightsError(
            f"{entry.path} is not weights {entry.name!r}: its sha256 is {digest.hexdigest()}, not {entry.sha256}. "
            f"Fetch them again: {entry.fetch_command}"
        )
    _write_stamp(entry, stamp)


def _stamp_path(entry: WeightsEntry) -> Path:
    return entry.path.with_name(entry.path.name + STAMP_SUFFIX)


def _stamp(entry: WeightsEntry, path: Path) -> str:
    """Return what a verified file's stamp says: the hash, and the size and time the file had then."""
    state = path.stat()
    return json.dumps({"sha256": entry.sha256, "bytes": state.st_size, "mtime_ns": state.st_mtime_ns})


def _is_stamped(entry: WeightsEntry) -> bool:
    try:
        return _stamp_path(entry).read_text(encoding="utf-8") == _stamp(entry, entry.path)
    except (OSError, UnicodeDecodeError):
        return False


def _write_stamp(entry: WeightsEntry, text: str) -> None:
    """Write the stamp; in a read-only cache the file is hashed at every start instead."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix=TEMPORARY_PREFIX, dir=entry.path.parent, delete=False
        ) as stream:
            stream.write(text)
        os.replace(stream.name, _stamp_path(entry))
    except OSError as error:
        log.warning("%s: verified, but its stamp could not be written: %s", entry.name, error)


def _remove_stale(folder: Path) -> None:
    """Remove what fetches that were killed left behind."""
    for left in folder.glob(TEMPORARY_PREFIX + "*"):
        if time.time() - left.stat().st_mtime > STALE_AFTER_S:
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _check_space(entry: WeightsEntry) -> None:
    free_bytes = shutil.disk_usage(entry.path.parent).free
    if free_bytes < entry.bytes:
        raise WeightsError(
            f"No space for weights {entry.name!r}: {entry.path.parent} has {free_bytes / 1e6:.1f} MB free, "
            f"they need {entry.bytes / 1e6:.1f} MB. Free some, or name another disk in LAVIS_CACHE."
        )


def _disk_error(entry: WeightsEntry, error: OSError) -> WeightsError:
    reason = "No space" if error.errno in NO_SPACE else "Cannot write"
    return WeightsError(
        f"{reason} for weights {entry.name!r} ({entry.bytes / 1e6:.1f} MB) under {entry.path.parent}: "
        f"{error.strerror or error}. Make room there, or name another folder in LAVIS_CACHE."
    )
