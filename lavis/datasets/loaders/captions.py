"""Texts that someone else already wrote about media, in the forms that are published: a file for all, or one each."""

from __future__ import annotations

import dataclasses
import functools
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Loader, Sampling
from lavis.datasets.loaders.caption_forms import (
    MAX_BYTES,
    is_numbered,
    is_row_of_texts,
    lines_of_clips,
    read_json,
    read_text,
    texts_of_frames,
    texts_of_medium,
)
from lavis.datasets.question import path_inside

SUBTITLES = (".srt", ".vtt")
# What a medium's own file may be called after its id; in a zip those that are read whole.
PACKED_ENDINGS = ("_cap.json", ".json", ".txt")
ENDINGS = (*PACKED_ENDINGS, *SUBTITLES)
# The stem of a file that belongs to the medium in whose folder it lies.
OWN_STEM = "captions"


@dataclasses.dataclass(frozen=True)
class Caption:
    """One text about a medium.

    Attributes:
        text: what was written.
        subject: what it is about ("window"); empty where not said.
        span_s: the time it speaks of, None for the whole medium.
    """

    text: str
    subject: str = ""
    span_s: tuple[float, float] | None = None


class CaptionsLoader(Loader):
    """Loads the texts of one medium.

    Out of a file for all media, ``{media_id: texts}``; or out of a folder or zip with a file for each,
    ``<media_id>_cap.json`` or ``<media_id>.json``. Texts are a list of strings or of ``{"caption" or "text",
    "object" or "subject", "span_s": [from, to]}``; ``{"0": text, "1": text …}``, one for every so many seconds
    (VideoAgent's form, arXiv 2403.10517); or one string. A file for all whose texts are a list with one for each
    clip or frame is LLoVi's form (arXiv 2312.17235); ``step_s`` gives them times.

    A folder may also hold ``<media_id>.txt``, a line for each clip of 8 s, or ``<media_id>/<frame>.json``,
    ``{"<media_id>/<frame>": {skill: text}}`` (both MEXA's, arXiv 2506.17113); and ``<media_id>.srt`` or ``.vtt``.

    Args:
        step_s: seconds from one text to the next. None: 1 s where texts are numbered, 8 s where they are the lines of
            a ``.txt``; a list of strings then has no times.
        rate_hz: frames per s of texts on frames, whose names end with their numbers, counted from 0; None leaves
            them without times.
    """

    modality = "captions"
    timed = False

    def __init__(self, *, step_s: float | None = None, rate_hz: float | None = None) -> None:
        for name, value in (("step_s", step_s), ("rate_hz", rate_hz)):
            if value is not None and not value > 0:
                raise ConfigError(f"captions: {name} must be above 0, not {value}.")
        self.step_s = step_s
        self.rate_hz = rate_hz

    @classmethod
    def locate(cls, root: Path, name: str, *, annotation: str) -> Path:
        """Return the medium's own file or folder in a folder; else the root itself, which holds all media."""
        if not root.is_dir():
            return root
        places = [path_inside(root, name + ending, annotation=annotation) for ending in ENDINGS]
        frames = path_inside(root, name, annotation=annotation)
        found = next((path for path in places if path.is_file()), None)
        return found or (frames if frames.is_dir() else places[0])

    @classmethod
    def present(cls, path: Path, *, media_id: str) -> bool:
        """Return whether there are texts on a medium."""
        try:
            return bool(cls().load(path, media_id=media_id))
        except ModalityError:
            return False

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> tuple[Caption, ...]:
        """Read every text of the medium in the order of the file; the sampling is ignored.

        Raises:
            ModalityError: missing, of no such form, or nothing on the medium; names medium, path and record.
        """
        kind = "folder" if path.is_dir() else "file"
        if not path.exists():
            raise ModalityError(
                f"{media_id}: captions file {path} does not exist; set the storage of 'captions' to it."
            )
        if path.suffix.lower() in SUBTITLES and kind == "file":
            return _subtitles(path, media_id)
        try:
            records = self._records(path, media_id)
        except (OSError, ValueError, RecursionError, zipfile.BadZipFile) as error:
            raise ModalityError(f"{media_id}: captions {kind} {path} cannot be read: {error}.") from error
        if not records:
            raise ModalityError(
                f"{media_id}: captions {kind} {path} has no texts on it; "
                f"leave the captions expert out for it, or add texts."
            )
        return tuple(_caption(record, f"{media_id}: text {n} in {path}") for n, record in enumerate(records))

    def _records(self, path: Path, media_id: str) -> list[Any]:
        if path.is_dir():
            return texts_of_frames(path, rate_hz=self.rate_hz)
        stat = path.stat()
        suffix = path.suffix.lower()
        if suffix == ".zip":
            members = _members(path, stat.st_size, stat.st_mtime_ns)
            name = next((members[media_id + end] for end in PACKED_ENDINGS if media_id + end in members), None)
            return [] if name is None else self._packed(_member(path, name), name)
        if suffix == ".txt":
            return lines_of_clips(read_text(path), step_s=self.step_s)
        if path.name in {Path(media_id).name + ending for ending in ENDINGS}:
            return self._own(read_json(path))
        document = _read(path, stat.st_size, stat.st_mtime_ns)
        if path.stem == OWN_STEM and (isinstance(document, list) or is_row_of_texts(document)):
            return self._own(document)
        if not isinstance(document, dict):
            raise ValueError("it is no JSON object of media ids")
        held = texts_of_medium(document.get(media_id), step_s=self.step_s)
        return [] if held is None else held

    def _packed(self, content: bytes, name: str) -> list[Any]:
        text = content.decode("utf-8-sig")
        return lines_of_clips(text, step_s=self.step_s) if name.endswith(".txt") else self._own(json.loads(text))

    def _own(self, document: Any) -> list[Any]:
        """Return the texts of a medium's own file."""
        texts = texts_of_medium(document, step_s=self.step_s)
        if texts is None or not (isinstance(document, list) or is_numbered(document)):
            raise ValueError('it is neither a list of texts nor {"0": text, "1": text …}')
        return texts


def _subtitles(path: Path, media_id: str) -> tuple[Caption, ...]:
    # Subtitles are captions, so that their module needs this one.
    from lavis.datasets.loaders.subtitles import SubtitlesLoader

    return SubtitlesLoader().load(path, media_id=media_id)


# One file serves many media; size and time belong to the key, so that a file that changes is read again.
@functools.lru_cache(maxsize=2)
def _read(path: Path, size_bytes: int, modified_ns: int) -> Any:
    return json.loads(path.read_text(encoding="utf-8-sig"))


@functools.lru_cache(maxsize=2)
def _members(path: Path, size_bytes: int, modified_ns: int) -> Mapping[str, str]:
    """Return the members of a zip by file name; one name in two folders is refused."""
    with zipfile.ZipFile(path) as archive:
        names = [
            name for name in archive.namelist() if name.endswith((".json", ".txt")) and not name.startswith("__MACOSX/")
        ]
    members = {PurePosixPath(name).name: name for name in names}
    if len(members) < len(names):
        raise ValueError("two of its members have one name")
    return members


def _member(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        if archive.getinfo(name).file_size > MAX_BYTES:
            raise ValueError(f"{name} has more than {MAX_BYTES:,} bytes")
        return archive.read(name)


def _caption(record: Any, where: str) -> Caption:
    if isinstance(record, str):
        record = {"text": record}
    if not isinstance(record, Mapping):
        raise ModalityError(f"{where} is neither a text nor an object.")
    text = record.get("caption", record.get("text"))
    subject = record.get("object", record.get("subject", ""))
    if not isinstance(text, str) or not text.strip() or not isinstance(subject, str):
        raise ModalityError(f"{where} needs a text under 'caption' or 'text', and a name under 'object' or 'subject'.")
    return Caption(text.strip(), subject.strip(), _span(record.get("span_s"), where))


def _span(value: Any, where: str) -> tuple[float, float] | None:
    if value is None:
        return None
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(isinstance(time_s, int | float) for time_s in value)
        or value[0] > value[1]
    ):
        raise ModalityError(f"{where} has span_s {value!r}; give [from, to] in s.")
    return float(value[0]), float(value[1])
