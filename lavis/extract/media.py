"""Which media lie below a folder, and which of them a rank works at."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Collection
from pathlib import Path

from lavis.common.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Medium:
    """One medium to extract from.

    Attributes:
        media_id: its path below the root, without a file's suffix: ``1106/4010069381``.
        path: the file, or the folder of files.
        right: the right camera's file or folder, where there are two cameras.
    """

    media_id: str
    path: Path
    right: Path | None = None

    @property
    def n_bytes(self) -> int:
        """Size of what will be read, in bytes."""
        files = self.path.iterdir() if self.path.is_dir() else [self.path]
        return sum(file.stat().st_size for file in files if file.is_file())


def find_media(root: Path, *, files: Collection[str], folders: Collection[str]) -> list[Medium]:
    """Return the media below a folder, sorted by id. Hidden names are passed over, links are followed.

    Args:
        root: the folder.
        files: suffixes of files that are a medium each.
        folders: suffixes of files that make the folder they lie in a medium.

    Raises:
        ConfigError: no such folder, no medium, two media of one id, or a medium inside another one.
    """
    if not root.is_dir():
        raise ConfigError(f"{root} {'is no folder' if root.exists() else 'does not exist'}; name the folder of media.")
    found: dict[str, Path] = {}
    seen: set[str] = set()
    for place, subfolders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link to a folder above would never end
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        folder = Path(place)
        names = sorted(name for name in names if not name.startswith("."))
        if any(Path(name).suffix.lower() in folders for name in names) and _is_medium(folder, root, names, files):
            _add(found, folder.relative_to(root).as_posix(), folder)
        for name in names:
            if Path(name).suffix.lower() in files:
                path = folder / name
                _add(found, path.relative_to(root).as_posix().removesuffix(path.suffix), path)
    if not found:
        kinds = "/".join(sorted({*files, *folders}))
        raise ConfigError(f"{root} holds no medium: no file {kinds}, no folder of such files.")
    _refuse_nesting(found)
    return [Medium(media_id, found[media_id]) for media_id in sorted(found)]


def share_of_rank(media: list[Medium], *, rank: int, world_size: int) -> list[Medium]:
    """Return the media of one rank; follows from the list alone, so that a later start shares alike."""
    return media[rank::world_size]


def _is_medium(folder: Path, root: Path, names: list[str], files: Collection[str]) -> bool:
    if folder != root:
        return True
    if any(Path(name).suffix.lower() in files for name in names):
        return False  # pictures beside the media, a preview say
    raise ConfigError(f"{root} itself holds the frames of one medium; name the folder above it, {root.parent}.")


def _add(found: dict[str, Path], media_id: str, path: Path) -> None:
    if media_id in found:
        raise ConfigError(f"{found[media_id]} and {path} are one id, {media_id!r}; keep or move one of them.")
    found[media_id] = path


def _refuse_nesting(found: dict[str, Path]) -> None:
    for media_id, path in found.items():
        parts = media_id.split("/")
        for n in range(1, len(parts)):
            outer = "/".join(parts[:n])
            if outer in found:
                raise ConfigError(f"{path} lies inside another medium, {found[outer]}; move one of them.")
