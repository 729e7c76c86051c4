"""What files and folders of media are called: the whole knowledge of names and suffixes, one line a modality.

A loader that is not listed here is known by its own name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from lavis.common.registry import registry

PICTURES = (".jpg", ".jpeg", ".png")
VIDEOS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
SOUNDS = (".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus")
SUBTITLES = (".srt", ".vtt")
ARRAYS = (".npy", ".npz")
SCANS = (".nii.gz", ".nii", ".npy")
TABLES = (".csv", ".tsv", ".html", ".htm", ".xlsx")


@dataclasses.dataclass(frozen=True)
class Place:
    """How one modality lies on disk.

    Attributes:
        modality: the loader's name.
        names: what its file or folder is called in a medium's folder, without suffix.
        suffixes: of files with such a name; empty for any.
        alone: suffixes by which a file of any other name is known.
        folder: whether a folder holds it; else a folder of its name holds files of media.
        one_clip: whether all its files of any name in a folder are one clip.
        tracks: whether its files may hold pictures, sound or both.
    """

    modality: str
    names: tuple[str, ...]
    suffixes: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    folder: bool = False
    one_clip: bool = False
    tracks: bool = False

    def __str__(self) -> str:
        folders = [f"{name}/" for name in self.names] if self.folder else []
        files = [f"{self.names[0]}{suffix}" for suffix in self.suffixes if suffix not in self.alone]
        return f"{self.modality}: {', '.join([*folders, *files, *(f'*{suffix}' for suffix in self.alone)])}"


PLACES = (
    Place("frame", ("frames", "frame", "images", "rgb"), alone=PICTURES, folder=True, one_clip=True),
    Place("video", ("video",), VIDEOS, alone=VIDEOS, tracks=True),
    Place("audio", ("audio", "sound"), SOUNDS, alone=SOUNDS),
    Place("subtitles", ("subtitles",), SUBTITLES, alone=SUBTITLES),
    Place("captions", ("captions", "nr3d_captions_by_scene"), (".json", ".txt", ".zip"), folder=True),
    Place("depth", ("depth",), ARRAYS, folder=True),
    Place("flow", ("flow",), ARRAYS, folder=True),
    Place("norm", ("norm", "normals", "normal"), ARRAYS, folder=True),
    Place("pc", ("pc", "point_cloud"), (".ply", ".npz"), alone=(".ply",)),
    Place("instances", ("instances",), (".json",)),
    Place("touch", ("touch", "touch_frames"), folder=True),
    Place("thermal", ("thermal", "thermal_frames"), folder=True),
    Place("volume", ("volume", "scan"), SCANS, alone=SCANS),
    Place("page", ("pages", "page", "document"), (".pdf",), alone=(".pdf",), folder=True),
    Place("table", ("table",), TABLES, alone=TABLES),
    Place("chart", ("chart",), (*PICTURES, ".csv")),
)


def looked_for() -> str:
    """Return what is known, a line a modality."""
    return "\n".join(f"  {place}" for place in _all_places())


def named_place(entry: Path) -> Place | None:
    """Return the place whose name a file or folder has."""
    name = stem(entry).lower()
    for place in _all_places():
        if name in place.names and (entry.is_dir() or not place.suffixes or ends_with(entry, place.suffixes)):
            return place
    return None


def place_by_suffix(path: Path) -> Place | None:
    """Return the place that a file of any name has by its suffix."""
    return next((place for place in PLACES if ends_with(path, place.alone)), None)


def ends_with(path: Path, suffixes: Sequence[str]) -> bool:
    """Return whether a name ends with one of some suffixes, in any case."""
    return path.name.lower().endswith(tuple(suffixes))


def stem(path: Path) -> str:
    """Return a file's name without its suffix, of which ``.nii.gz`` is one; a folder's whole name."""
    if path.is_dir():
        return path.name
    return path.name[: -len(".nii.gz")] if ends_with(path, (".nii.gz",)) else path.stem


def _all_places() -> tuple[Place, ...]:
    listed = {place.modality for place in PLACES}
    others = [name for name in registry.list_names("loader") if name not in listed]
    return (*PLACES, *(Place(name, (name,), folder=True) for name in others))
