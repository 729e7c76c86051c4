"""Files from an http(s) address: whole or not at all, and checked where a hash is known."""

from __future__ import annotations

import hashlib
import http.client
import logging
import os
import re
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lavis.common.errors import ConfigError
from lavis.common.paths import cache_root

CHUNK_BYTES = 1 << 20
TIMEOUT_S = 60.0
PROGRESS_BYTES = 100 << 20
URL_KEY_DIGITS = 16
# torch.hub's convention: the first digits of the sha256 before the suffix, "weights-1a2b3c4d.pth".
HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})(?:\.|$)")

logger = logging.getLogger(__name__)


class DownloadError(ConfigError, OSError):
    """A file that cannot be had from its address, or is not the one that was asked for."""


def download_url(url: str, root: str, filename: str | None = None, md5: str | None = None) -> str:
    """Download a file into a folder; one that is there already, and fits ``md5``, stays.

    Args:
        url: an http or https address.
        root: the folder; made if need be.
        filename: the name on disk; by default the address's last part.
        md5: what the content must hash to.

    Returns:
        The file's path.

    Raises:
        DownloadError: it cannot be had, is cut short, or has another hash.
    """
    folder = Path(root).expanduser()
    path = folder / (filename or _name_of(url))
    if path.is_file() and (md5 is None or _digest(path, "md5") == md5.lower()):
        return str(path)
    _fetch(url, path, check=None if md5 is None else ("md5", md5.lower()), progress=False)
    return str(path)


def cache_url(url: str, cache_dir: str | None = None, check_hash: bool = True, progress: bool = False) -> str:
    """Return a file's path in the cache, downloading it on first use; addresses that end alike do not collide.

    Args:
        url: an http or https address.
        cache_dir: the folder; by default ``hub`` in this user's cache.
        check_hash: compare the content's sha256 with the digits that the name carries, if it does;
            a cached file that differs is downloaded again.
        progress: log how much has come.

    Raises:
        DownloadError: it cannot be had, is cut short, or its hash is not the one in its name.
    """
    name = _name_of(url)
    folder = Path(cache_dir).expanduser() if cache_dir is not None else cache_root() / "hub"
    path = folder / hashlib.sha256(url.encode()).hexdigest()[:URL_KEY_DIGITS] / name
    found = HASH_IN_NAME.search(name) if check_hash else None
    if not path.is_file() or (found is not None and not _digest(path, "sha256").startswith(found[1])):
        _fetch(url, path, check=None if found is None else ("sha256", found[1]), progress=progress)
    return str(path)


def _name_of(url: str) -> str:
    name = os.path.basename(unquote(urlsplit(url).path))
    if name in ("", ".", ".."):
        raise DownloadError(f"{url} names no file; give filename.")
    return name


def _fetch(url: str, path: Path, *, check: tuple[str, str] | None, progress: bool) -> None:
    """Download to a name of its own beside the path, then rename: a torn file never bears the name."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{url} is no http or https address.")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".part")
    digest = hashlib.new(check[0] if check else "sha256", usedforsecurity=False)
    try:
        with os.fdopen(handle, "wb") as stream:
            # S310: the scheme was checked above.
            with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:  # noqa: S310
                announced = response.headers.get("Content-Length")
                got = 0
                while chunk := response.read(CHUNK_BYTES):
                    stream.write(chunk)
                    digest.update(chunk)
                    if progress and got // PROGRESS_BYTES != (got + len(chunk)) // PROGRESS_BYTES:
                        logger.info("%s: %d MiB of %s bytes", url, (got + len(chunk)) >> 20, announced or "unknown")
                    got += len(chunk)
        if announced is not None and got != int(announced):
            raise DownloadError(f"{url} was cut short: {got} of {announced} bytes came; try again.")
        if check is not None and not digest.hexdigest().startswith(check[1]):
            raise DownloadError(f"{url} has {check[0]} {digest.hexdigest()}, not {check[1]}: it is another file.")
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise DownloadError(f"{url} cannot be downloaded: {error}. Fetch it by hand and put it at {path}.") from error
    finally:
        Path(partial).unlink(missing_ok=True)


def _digest(path: Path, kind: str) -> str:
    digest = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
