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


# A modality whose loader returns the same kind of clip, in place of one that a medium does not have.
STAND_INS = {"frame": ("video",)}


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

    def serving(self, modality: str) -> str | None:
        """Return the source that serves a modality: itself, what stands in for it (a video for frames), or None."""
        return next((name for name in (modality, *STAND_INS.get(modality, ())) if name in self.sources), None)

    def path(self, modality: str) -> Path:
        """Return where what serves a modality lies.

        Raises:
            KeyError: nothing serves it.
        """
        return self.sources[self.serving(modality) or modality]

    def fingerprint(self, modality: str) -> str:
        """Return a digest of what lies at a source: names, bytes and modification times, not content.

        A missing path has a fingerprint of its own, so that a file that appears later is a change.
        """
        path = self.path(modality)
        digest = hashlib.sha256(str(path.name).encode())
        for name, size_bytes, modified_ns in sorted(_listing(path)):
            digest.update(f"\0{name}\0{size_bytes}\0{modified_ns}".encode())
        return digest.hexdigest()


def _listing(path: Path) -> list[tuple[str, int, int]]:
    # The system knows no names inside shards; a path into one lists its members itself.
    if hasattr(path, "listing"):
        members: list[tuple[str, int, int]] = path.listing()
        return members
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

    ``answers`` and ``gold_spans_s`` (where in the medium the answer is seen) are the gold. Nothing that
    chooses, looks or answers may see them: those get :meth:`blind`. ``tags`` is what the benchmark's
    metrics count and tell questions apart by.
    """

    question_id: str
    text: str
    media: Media
    options: tuple[str, ...] = ()
    situation: str = ""
    answers: tuple[str, ...] = ()
    category: str = ""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    gold_spans_s: tuple[tuple[float, float], ...] = ()

    def blind(self) -> Question:
        """Return the same question without its gold, and without tags, which may tell of it."""
        return dataclasses.replace(self, answers=(), gold_spans_s=(), tags={})


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
    # A root inside shards stays one.
    return type(root)(candidate)
