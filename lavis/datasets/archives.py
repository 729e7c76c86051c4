"""Archives: unpacked without leaving the folder they are unpacked into."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path


def extract_archive(from_path: str | Path, to_path: str | Path | None = None, overwrite: bool = False) -> list[str]:
    """Unpack a tar (plain or compressed) or zip archive.

    Args:
        from_path: the archive.
        to_path: folder to unpack into; by default the archive's own.
        overwrite: replace files that exist; otherwise they stay as they are.

    Returns:
        The paths of the archive's files, in its order.

    Raises:
        ValueError: neither tar nor zip, or a member that would leave the folder.
    """
    archive = Path(from_path)
    folder = (Path(to_path) if to_path else archive.parent).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tar:
            members = {member.name: member for member in tar if member.isfile()}
            targets = _targets(archive, folder, members)
            for name, target in targets.items():
                if overwrite or not target.exists():
                    tar.extract(members[name], folder, filter="data")
        return [str(target) for target in targets.values()]
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as packed:
            targets = _targets(archive, folder, (name for name in packed.namelist() if not name.endswith("/")))
            for name, target in targets.items():
                if overwrite or not target.exists():
                    packed.extract(name, folder)
        return [str(target) for target in targets.values()]
    raise ValueError(f"{archive}: is neither a tar nor a zip archive.")


def _targets(archive: Path, folder: Path, names: Iterable[str]) -> dict[str, Path]:
    targets = {name: (folder / name).resolve() for name in names}
    for name, target in targets.items():
        if not target.is_relative_to(folder):
            raise ValueError(f"{archive}: {name!r} would be unpacked outside {folder}; the archive is not used.")
    return targets
