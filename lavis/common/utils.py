"""Small tools around files and addresses, under LAVIS's names."""

from __future__ import annotations

import logging
import os
import shutil
from datetime import datetime
from urllib.parse import urlsplit

from lavis.common.downloads import cache_url, download_url
from lavis.common.files import load_file, load_json, save_file
from lavis.common.paths import LIBRARY_ROOT, cache_root
from lavis.datasets.archives import extract_archive

__all__ = [
    "abspath",
    "cache_url",
    "cleanup_dir",
    "download_and_extract_archive",
    "download_url",
    "extract_archive",
    "get_abs_path",
    "get_cache_path",
    "get_file_size",
    "is_url",
    "load_file",
    "load_json",
    "makedir",
    "now",
    "save_file",
]

logger = logging.getLogger(__name__)


def now() -> str:
    """Return the local time as 14 digits, to the second (``20261122033607``): the name of a run."""
    return datetime.now().astimezone().strftime("%Y%m%d%H%M%S")


def is_url(url_or_filename: str | os.PathLike[str]) -> bool:
    """Return True for an http or https address."""
    return urlsplit(os.fspath(url_or_filename)).scheme in ("http", "https")


def get_cache_path(rel_path: str) -> str:
    """Return a path in this user's cache (``LAVIS_CACHE``); an absolute one stays."""
    return os.path.expanduser(os.path.join(cache_root(), rel_path))


def get_abs_path(rel_path: str) -> str:
    """Return a path below the package; an absolute one stays."""
    return os.path.join(LIBRARY_ROOT, rel_path)


def abspath(resource_path: str) -> str:
    """Return an absolute path, ``~`` expanded; an address stays."""
    if is_url(resource_path):
        return resource_path
    return os.path.abspath(os.path.expanduser(resource_path))


def makedir(dir_path: str | os.PathLike[str]) -> bool:
    """Make a folder and those above it; return whether it is there."""
    try:
        os.makedirs(dir_path, exist_ok=True)
    except OSError as error:
        logger.warning("The folder %s cannot be made: %s.", dir_path, error)
        return False
    return True


def cleanup_dir(dir: str | os.PathLike[str]) -> None:
    """Remove a folder with all that is in it; nothing if there is none."""
    if os.path.exists(dir):
        shutil.rmtree(dir)


def get_file_size(filename: str | os.PathLike[str]) -> float:
    """Return a file's size in MiB."""
    return os.path.getsize(filename) / 1024**2


def download_and_extract_archive(
    url: str,
    download_root: str,
    extract_root: str | None = None,
    filename: str | None = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> str:
    """Download an archive and unpack it.

    Args:
        url: where it is.
        download_root: folder for the archive.
        extract_root: folder for its content; by default the same.
        filename: its name on disk; by default the address's.
        md5: what its content must hash to.
        remove_finished: remove the archive afterwards.

    Returns:
        The folder of the content.

    Raises:
        DownloadError: it cannot be had, or is not the one that ``md5`` names.
        ValueError: it is no archive, or a member would leave the folder.
    """
    archive = download_url(url, os.path.expanduser(download_root), filename, md5)
    folder = os.path.expanduser(extract_root or download_root)
    extract_archive(archive, folder)
    if remove_finished:
        os.remove(archive)
    return folder
