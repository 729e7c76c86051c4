"""Annotation files of a split: where they lie, fetched or refreshed from where they come."""

from __future__ import annotations

import filecmp
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lavis.common.errors import ConfigError
from lavis.common.paths import cache_root
from lavis.common.registry import registry
from lavis.common.utils import download_url, is_url

DIGESTS = ("md5", "sha256")

logger = logging.getLogger(__name__)


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return a storage path as it is when absolute, else under the cache root."""
    expanded = Path(path).expanduser()
    return expanded if expanded.is_absolute() else Path(registry.get_path("cache_root") or cache_root()) / expanded


class AnnotationFiles:
    """The files of one split of one data set.

    Args:
        info: the node ``build_info.annotations.<split>``: ``storage`` and / or ``url``, each a str or
            lists of equal length; ``md5`` or ``sha256`` likewise, checked where given.
        where: the node's path in the configuration, for errors.

    Raises:
        ConfigError: neither storage nor url, or lists of different length.
    """

    def __init__(self, info: Mapping[str, Any] | None, where: str) -> None:
        node = info or {}
        self.where = where
        self.urls = _listed(node.get("url"))
        storages = _listed(node.get("storage")) or [url for url in self.urls if not is_url(url)]
        if not storages:
            way_out = "a url needs a storage to be kept at" if self.urls else "write the path of its annotations there"
            raise ConfigError(f"{where}.storage is missing: {way_out}.")
        self._check_length("url", len(self.urls), len(storages))
        self.paths = [self._resolve(storage, number) for number, storage in enumerate(storages)]
        self.digests = {kind: _listed(node.get(kind)) for kind in DIGESTS}
        for kind, values in self.digests.items():
            self._check_length(kind, len(values), len(self.paths))

    def _check_length(self, key: str, length: int, expected: int) -> None:
        if length not in (0, expected):
            raise ConfigError(f"{self.where}: {expected} storage paths but {length} {key} entries; give one for each.")

    def _resolve(self, storage: str, number: int) -> Path:
        if self.urls and self.urls[number] == storage:  # the source itself, as the configuration writes it
            return Path(storage).expanduser().absolute()
        path = absolute(storage)
        if path.is_dir():
            raise ConfigError(f"{self.where}.storage: {path} is a folder; write the path of a file.")
        return path

    def fetch(self) -> None:
        """Bring every file to where it is read, and never leave an older copy of a local source there.

        Raises:
            ConfigError: a file is nowhere, or is not the one whose digest is given.
        """
        for number, path in enumerate(self.paths):
            if self.urls:
                self._fetch_one(self.urls[number], path, number)
            if not path.is_file():
                raise ConfigError(
                    f"{self.where}.storage: {path} does not exist and there is no url to fetch it from."
                    " Relative paths are under the cache root (LAVIS_CACHE); write an absolute one for other places."
                )
            self._check_digests(path, number)

    def _fetch_one(self, url: str, path: Path, number: int) -> None:
        if is_url(url):
            if not path.is_file() or self._wrong_digest(path, number):
                _download(url, path)
            return
        source = Path(url).expanduser().absolute()
        if source.is_file():
            if source != path and not _same(source, path):
                _copy(source, path)
        elif path.is_file():
            logger.warning("%s.url: %s does not exist any more; its copy %s is used.", self.where, source, path)
        else:
            raise ConfigError(f"{self.where}.url: {source} does not exist, nor does a copy at {path}.")

    def _wrong_digest(self, path: Path, number: int) -> str:
        for kind, expected in self.digests.items():
            if expected and (found := _digest(path, kind)) != str(expected[number]).lower():
                return f"{kind} is {found}, not {expected[number]}"
        return ""

    def _check_digests(self, path: Path, number: int) -> None:
        if wrong := self._wrong_digest(path, number):
            raise ConfigError(f"{path}: {wrong} as {self.where} says; correct the file or the configuration.")


def _listed(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return [str(value)] if isinstance(value, str | os.PathLike) else [str(item) for item in value]


def _same(source: Path, copy: Path) -> bool:
    if not copy.is_file():
        return False
    a, b = source.stat(), copy.stat()
    if (a.st_size, a.st_mtime_ns) == (b.st_size, b.st_mtime_ns):
        return True
    return a.st_size == b.st_size and filecmp.cmp(source, copy, shallow=False)


def _copy(source: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    os.close(handle)
    try:
        shutil.copy2(source, name)
        os.replace(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
    logger.info("Annotations copied from %s to %s.", source, path)


def _download(url: str, path: Path) -> None:
    path.unlink(missing_ok=True)  # what is there has the wrong digest; download_url would keep it
    download_url(url, root=str(path.parent), filename=path.name)


def _digest(path: Path, kind: str) -> str:
    digest = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
