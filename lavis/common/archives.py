"""Archives: unpacked without letting a member leave the folder."""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

from lavis.common.errors import LavisError

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


class ArchiveError(LavisError, ValueError):
    """An archive that cannot be unpacked, or must not be."""


def extract_archive(from_path: str | os.PathLike[str], to_path: str | os.PathLike[str] | None = None) -> str:
    """Unpack a zip, a tar (gzip, bzip2, xz) or a single gzipped file.

    Args:
        from_path: the archive.
        to_path: folder for the content; by default the archive's own.

    Returns:
        The folder of the content.

    Raises:
        ArchiveError: it is no archive, or a member would leave the folder; nothing is left of the
            members from that one on.
    """
    source = Path(from_path)
    folder = Path(to_path) if to_path is not None else source.parent
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if source.name.endswith(TAR_SUFFIXES):
            _extract_tar(source, folder)
        elif source.suffix == ".zip":
            _extract_zip(source, folder)
        elif source.suffix == ".gz":
            with gzip.open(source) as packed, (folder / source.stem).open("wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        else:
            raise ArchiveError(f"{source} is no archive: its name must end in .zip, .gz or {', '.join(TAR_SUFFIXES)}.")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise ArchiveError(f"{source} cannot be unpacked into {folder}: {error}") from error
    return str(folder)


def _extract_tar(source: Path, folder: Path) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise ArchiveError(f"{source} is not unpacked: this Python cannot do so safely; 3.10.12, 3.11.4 or later can.")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")


def _extract_zip(source: Path, folder: Path) -> None:
    root = folder.resolve()
    with zipfile.ZipFile(source) as archive:
        # zipfile itself would quietly put such a member somewhere else.
        for name in archive.namelist():
            parts = name.replace("\\", "/").split("/")
            if ".." in parts or name.startswith(("/", "\\")) or not (root / name).resolve().is_relative_to(root):
                raise ArchiveError(f"{source}: the member {name!r} would leave {folder}; nothing was unpacked.")
        archive.extractall(folder)
