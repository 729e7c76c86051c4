"""From a path that a person has to a medium: what kinds of data lie in a file or a folder, by their names."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lavis.common.errors import ModalityError, nearest
from lavis.common.paths import cache_root
from lavis.common.registry import registry
from lavis.datasets.loaders.decoders.containers import defect
from lavis.datasets.loaders.packages import required
from lavis.datasets.loaders.sequence import SequenceLoader
from lavis.datasets.media_places import (
    PICTURES,
    SUBTITLES,
    Place,
    ends_with,
    looked_for,
    named_place,
    place_by_suffix,
    stem,
)
from lavis.datasets.question import Media, Pose

POSE_FILE = "pose.json"
POSE_KEYS = ("position_m", "forward", "situation")
MAX_NAMED = 6


@dataclasses.dataclass(frozen=True)
class FoundMedium:
    """A medium with what was found beside it.

    Attributes:
        media: the medium.
        situation: where the one who asks is, in words; empty where nothing says.
        loader_options: options per loader by modality name.
        unused: names of files and folders that mean nothing here.
    """

    media: Media
    situation: str = ""
    loader_options: Mapping[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    unused: tuple[str, ...] = ()


def find_medium(path: Path, *, medium: str | None = None, modality: str | None = None) -> FoundMedium:
    """Find what lies at a path; opens no more of it than a video's list of tracks.

    Args:
        path: a file, a folder with the data of one medium, or a folder whose folders hold those of many.
        medium: which of many.
        modality: what it is, where its name does not say so or something else is meant.

    Raises:
        ModalityError: nothing is there, or nothing that is known; lists what was looked for.
        UnknownNameError: no loader has that modality.
        AnnotationError: the name of the medium leads out of the folder.
    """
    if not path.exists():
        raise ModalityError(f"{path} does not exist.{_beside(path)}")
    if modality is not None:
        registry.require("loader", modality)
        name = path.resolve().name if path.is_dir() else stem(path)
        return FoundMedium(Media(name, {modality: _placed(modality, path)}))
    return _in_folder(path, medium) if path.is_dir() else _in_file(path)


def _in_file(path: Path) -> FoundMedium:
    place = place_by_suffix(path)
    if place is None:
        raise ModalityError(
            f"{path} is no file of a known kind. Say what it is (--as MODALITY), or give one of:\n{looked_for()}"
        )
    media_id = stem(path)
    if not place.tracks:
        return FoundMedium(Media(media_id, {place.modality: _placed(place.modality, path)}))
    sources = dict.fromkeys(_tracks(path, media_id), path)
    beside = [file for suffix in SUBTITLES if (file := path.with_suffix(suffix)).is_file()]
    return FoundMedium(Media(media_id, {**sources, "subtitles": beside[0]} if beside else sources))


def _in_folder(folder: Path, medium: str | None) -> FoundMedium:
    named: list[tuple[Place, Path]] = []
    found: dict[Place, list[Path]] = {}
    unused: list[str] = []
    for entry in _entries(folder):
        if (place := named_place(entry)) is not None:
            named.append((place, entry))
        elif entry.is_file() and (place := place_by_suffix(entry)) is not None:
            found.setdefault(place, []).append(folder if place.one_clip else entry)
        elif entry.name != POSE_FILE:
            unused.append(entry.name)
    if named and (medium is not None or any(_holds_many(place, entry) for place, entry in named)):
        return _one_of_many(folder, named, medium)
    for place in dict.fromkeys(place for place, _ in named):
        found[place] = [_only_file(place, entry) for other, entry in named if other == place]
    for place, paths in found.items():
        if len(set(paths)) > 1:
            raise ModalityError(
                f"{folder} holds {place.modality} in {len(paths)} places: {_listed([path.name for path in paths])}. "
                f"Name one of them instead of the folder, or leave one there."
            )
    if not found or medium is not None:
        state = f"holds only {_listed(unused)}" if unused else "is empty"
        wanted = f" There is no medium {medium!r} in it." if medium is not None else ""
        raise ModalityError(f"{folder} {'holds one medium' if found else state}.{wanted} Looked for:\n{looked_for()}")
    media_id = folder.resolve().name
    sources: dict[str, Path] = {}
    for place, (path, *_) in found.items():
        if place.tracks:  # a file of sound alone is heard rather than a video's track
            sources = {**dict.fromkeys(_tracks(path, media_id), path), **sources}
        else:
            sources[place.modality] = path
    side, situation = read_pose(folder / POSE_FILE) if (folder / POSE_FILE).is_file() else ({}, "")
    return FoundMedium(Media(media_id, sources, side), situation, unused=tuple(unused))


def _one_of_many(folder: Path, roots: Sequence[tuple[Place, Path]], medium: str | None) -> FoundMedium:
    """Return one medium of a folder whose folders hold many, as benchmarks lie on disk."""
    there = sorted({stem(entry) for _, root in roots if root.is_dir() for entry in _entries(root)})
    if medium is None and len(there) != 1:
        raise ModalityError(f"{folder} holds {len(there)} media: {_listed(there)}. Choose one with --medium.")
    medium = there[0] if medium is None else medium
    sources: dict[str, Path] = {}
    for place, root in roots:
        loader = registry.require("loader", place.modality)
        path = loader.locate(root, medium, annotation=f"--medium {medium}")
        if loader.present(path, media_id=medium):
            sources.setdefault(place.modality, path)
    if not sources:
        raise ModalityError(f"{folder} holds no medium {medium!r}.{nearest(medium, there)} There: {_listed(there)}.")
    return FoundMedium(Media(medium, sources))


def read_pose(path: Path) -> tuple[dict[str, Any], str]:
    """Read ``{"position_m": [x, y, z], "forward": [x, y], "situation": text}``; the situation may be missing.

    Returns:
        A medium's side data with its ``pose``, and the situation.

    Raises:
        ModalityError: it is no such file; names the path and the key.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ModalityError(f"{path} cannot be read as JSON: {error}.") from error
    if not isinstance(data, dict):
        raise ModalityError(f"{path} is no object of {', '.join(POSE_KEYS)}.")
    for key in data:
        if key not in POSE_KEYS:
            raise ModalityError(f"{path}: nothing reads {key!r}.{nearest(key, POSE_KEYS)}")
    x_m, y_m, z_m = _numbers(data, "position_m", 3, path)
    east, north = _numbers(data, "forward", 2, path)
    length = math.hypot(east, north)
    situation = data.get("situation", "")
    if not length or not isinstance(situation, str):
        raise ModalityError(f"{path}: forward needs a direction, and situation, if given, is a text.")
    return {"pose": Pose((x_m, y_m, z_m), (east / length, north / length))}, situation


def _numbers(data: Mapping[str, Any], key: str, n: int, path: Path) -> list[float]:
    value = data.get(key)
    is_number = isinstance(value, list) and all(type(one) in (int, float) and math.isfinite(one) for one in value)
    if not isinstance(value, list) or not is_number or len(value) != n:
        raise ModalityError(f"{path}: {key} must be a list of {n} numbers, not {value!r}.")
    return [float(one) for one in value]


def _placed(modality: str, path: Path) -> Path:
    """Return where a loader finds a file: one picture of a clip becomes a folder of one frame in the cache."""
    is_picture = path.is_file() and ends_with(path, PICTURES)
    if not is_picture or not issubclass(registry.require("loader", modality), SequenceLoader):
        return path
    try:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        folder = cache_root() / "ask" / "pictures" / content[:32] / path.stem
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / f"picture{path.suffix.lower()}"
        if not kept.is_file():
            with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
                shutil.copyfile(path, Path(temporary) / "arriving")
                os.replace(Path(temporary) / "arriving", kept)
    except OSError as error:
        raise ModalityError(f"{path} cannot be copied into the cache at {cache_root()}: {error}.") from error
    return folder


def _tracks(path: Path, media_id: str) -> list[str]:
    """Return which of video and audio a file has.

    Raises:
        ModalityError: it cannot be opened, or has neither.
    """
    av = required("av", modality="video")
    try:
        with path.open("rb") as stream:
            reason = defect(stream)  # first, because FFmpeg would follow a playlist to other files
        if reason is not None:
            raise ValueError(reason)
        with av.open(str(path)) as container:
            # A cover picture of a sound file counts as no video.
            pictures = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
            found = [*(["video"] if pictures else []), *(["audio"] if container.streams.audio else [])]
    except (av.FFmpegError, OSError, ValueError) as error:
        raise ModalityError(
            f"{media_id}: {path} cannot be opened as a video: {error}; copy it again if it is one."
        ) from error
    if not found:
        raise ModalityError(f"{media_id}: {path} has neither a video nor an audio track.")
    return found


def _holds_many(place: Place, entry: Path) -> bool:
    """Return whether a folder of a modality holds a folder or file for each of several media."""
    if not entry.is_dir():
        return False
    inside = list(_entries(entry))
    has_files = any(one.is_file() for one in inside)
    return not has_files if place.folder else not has_files or len(inside) > 1


def _only_file(place: Place, entry: Path) -> Path:
    """Return an entry itself, or the one file in a folder that is no place of its own."""
    return next(_entries(entry)) if entry.is_dir() and not place.folder else entry


def _entries(folder: Path) -> Iterator[Path]:
    return (entry for entry in sorted(folder.iterdir()) if not entry.name.startswith("."))


def _beside(path: Path) -> str:
    """Return the nearest name in the folder of a path that does not exist."""
    return nearest(path.name, [entry.name for entry in _entries(path.parent)]) if path.parent.is_dir() else ""


def _listed(names: Sequence[str]) -> str:
    more = f" … ({len(names)} in all)" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
