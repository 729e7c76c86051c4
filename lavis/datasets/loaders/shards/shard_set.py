"""The shards of one modality, and which medium lies in which of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lavis.common.errors import AnnotationError, ConfigError, ModalityError
from lavis.datasets.loaders.shards.index import ShardIndex, shard_index
from lavis.datasets.loaders.shards.path import BESIDE, INTO, ShardPath
from lavis.datasets.loaders.shards.patterns import BETWEEN, PIPE, braces, expanded
from lavis.datasets.loaders.shards.pipes import fetched


class ShardSet:
    """The shards that a modality's ``storage`` names, indexed.

    A medium is a folder ``<media_id>/…`` (frames; it may be spread over several shards) or a file
    ``<media_id><suffix>``: the members that share a key, as ``webdataset.TarWriter`` writes them.

    Args:
        storage: ``frames-{000000..000003}.tar``, ``frames-*.tar``, ``pipe:<command>``, or several joined by ``::``.
        root: folder that relative names start from.

    Attributes:
        shards: the files, in the storage's order.
        folder: all of them as one folder, whose entries are the media.

    Raises:
        ConfigError: a pattern or command that cannot be used.
        ModalityError: a shard that is missing, compressed, damaged or unsafe; a pattern that matches nothing.
    """

    def __init__(self, storage: str, root: Path) -> None:
        self.storage = storage
        self.shards: tuple[Path, ...] = tuple(
            shard for one in storage.split(BETWEEN) for shard in _shards(one, Path(root))
        )
        if len(set(self.shards)) < len(self.shards):
            raise ConfigError(f"{storage}: names a shard twice.")
        # A shard whose names all lie before or after the wanted one is not searched.
        self._spans = [(index.first, index.last) for index in map(shard_index, self.shards)]
        self._located: dict[tuple[str, tuple[str, ...]], ShardPath] = {}
        # The pattern reads better than a list, where the root's own name cannot be taken for a part of it.
        is_pattern = not storage.startswith(PIPE) and BETWEEN not in storage and not set(str(root)) & set("*?[{")
        pattern = os.path.abspath(Path(root) / storage) if is_pattern else BESIDE.join(map(str, self.shards))
        self.folder = ShardPath(f"{pattern}!")

    def locate(self, media_id: str, suffixes: Sequence[str] = ()) -> Path:
        """Return the medium's file of the first suffix that the shards hold, or else its folder.

        The path of a medium that is in no shard is returned all the same; its loader says that it does not exist.

        Raises:
            AnnotationError: the id is no relative name.
            ModalityError: two shards hold the file.
        """
        if not media_id or any(part in ("", ".", "..") for part in media_id.split("/")):
            raise AnnotationError(f"{media_id!r} does not stay inside {self.storage}; correct the id.")
        key = (media_id, tuple(suffixes))
        if key not in self._located:
            self._located[key] = self._locate(*key)
        return self._located[key]

    def media_ids(self, suffixes: Sequence[str] = ()) -> list[str]:
        """Return every id, sorted: of files that end in one of the suffixes, or of folders where there is none."""
        found: set[str] = set()
        for shard in self.shards:
            for name in shard_index(shard).under(""):
                if not suffixes:
                    found.add(os.path.dirname(name))
                found.update(name.removesuffix(suffix) for suffix in suffixes if name.endswith(suffix))
        return sorted(found - {""})

    def _locate(self, media_id: str, suffixes: tuple[str, ...]) -> ShardPath:
        for name in [media_id + suffix for suffix in suffixes]:
            holding = [index for index in self._around(name) if index.find(name)]
            if len(holding) > 1:
                raise ModalityError(
                    f"{media_id}: {name!r} is both in shard {holding[0].path} and in {holding[1].path}; keep one."
                )
            if holding:
                return ShardPath(f"{holding[0].path}{INTO}{name}")
        holding = [index for index in self._around(media_id) if index.has_folder(media_id)]
        if holding:
            return ShardPath(f"{BESIDE.join(str(index.path) for index in holding)}{INTO}{media_id}")
        return self.folder / f"{media_id}{suffixes[0] if suffixes else ''}"

    def _around(self, name: str) -> list[ShardIndex]:
        """Return the indices of the shards whose names reach over a name or the folder of that name."""
        return [
            shard_index(shard)
            for shard, (first, last) in zip(self.shards, self._spans, strict=True)
            if first < f"{name}0" and name <= last
        ]


def _shards(storage: str, root: Path) -> list[Path]:
    if storage.startswith(PIPE):
        return [fetched(command) for command in braces(storage.removeprefix(PIPE))]
    names = [os.path.abspath(root / name) for name in expanded(storage, root=str(root))]
    if not names:
        raise ModalityError(f"no shard matches {storage!r} in {root}; check the storage.")
    for name in names:
        if BESIDE in name or not name.endswith(".tar"):
            raise ConfigError(f"{name}: the name of a shard ends in .tar and holds no {BESIDE!r}; rename or unpack it.")
    return [Path(name) for name in names]
