"""What a benchmark asks, and the medium it asks about."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lavis.common.errors import AnnotationError


@dataclasses.dataclass(frozen=True)
class Pose:
    """Where an agent stands and which way it looks, in the coordinates of its scene.

    Attributes:
        position_m: x, y, z in metres; z is up.
        forward: unit vector of the gaze in the ground plane (x, y).
    """

    position_m: tuple[float, float, float]
    forward: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Media:
    """One medium: where each of its modalities lies on disk, and what else is known about it.

    Attributes:
        media_id: the benchmark's own id (scene, video, scan).
        sources: modality name to path; a path need not exist yet, its loader says so if it doesn't.
        side: what is known beside the files, by name (``pose``); an expert gets what its card needs.
    """

    media_id: str
    sources: Mapping[str, Path]
    side: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def fingerprint(self, modality: str) -> str:
        """Return a digest of what lies at a source: names, bytes and modification times, not content.

        A missing path has a fingerprint of its own, so that a file that appears later is a change.
        """
        path = self.sources[modality]
        digest = hashlib.sha256(str(path.name).encode())
        for name, size_bytes, modified_ns in sorted(_listing(path)):
            digest.update(f"\0{name}\0{size_bytes}\0{modified_ns}".encode())
        return digest.hexdigest()


def _listing(path: Path) -> list[tuple[str, int, int]]:
    if path.is_dir():
        found = []
        for folder, _, names in os.walk(path):
            for name in names:
                stat = os.stat(os.path.join(folder, name))
                found.append((os.path.relpath(os.path.join(folder, name), path), stat.st_size, stat.st_mtime_ns))
        return found
    if path.exists():
        stat = path.stat()
        return [(path.name, stat.st_size, stat.st_mtime_ns)]
    return []


@dataclasses.dataclass(frozen=True)
class Question:
    """One question of a benchmark.

    ``answers`` is the gold. Nothing that chooses, looks or answers may see it: those get
    :meth:`blind`.
    """

    question_id: str
    text: str
    media: Media
    options: tuple[str, ...] = ()
    situation: str = ""
    answers: tuple[str, ...] = ()
    category: str = ""

    def blind(self) -> Question:
        """Return the same question without its gold answers."""
        return dataclasses.replace(self, answers=())


def path_inside(root: Path, name: str, *, annotation: str) -> Path:
    """Join a name that an annotation gives to its root, and refuse to leave the root.

    Args:
        root: folder of one modality.
        name: relative name out of an annotation (a scene id, a video id, with its suffix).
        annotation: what to call the record in the error: file and question id.

    Raises:
        AnnotationError: the name is absolute, empty, or climbs out of the root.
    """
    candidate = os.path.normpath(os.path.join(root, name))
    if not name or os.path.isabs(name) or "\0" in name or not candidate.startswith(os.path.normpath(root) + os.sep):
        raise AnnotationError(f"{annotation}: {name!r} does not stay inside {root}; correct the id in the annotation.")
    return Path(candidate)
