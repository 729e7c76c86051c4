"""Texts that someone else already wrote about media: one JSON file for many media, or one for each."""

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
from lavis.datasets.question import path_inside

ENDINGS = ("_cap.json", ".json")
# A medium's texts; a member of a zip that unpacks to more is none.
MAX_BYTES = 64_000_000


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

    Out of a file for all media, ``{media_id: [text or {"caption" or "text", "object" or "subject", "span_s":
    [from, to]}]}``; or out of a folder or zip with a file for each, ``<media_id>_cap.json`` or
    ``<media_id>.json``: such a list, or ``{"0": text, "1": text …}``, a text for every so many seconds
    (VideoAgent's form, arXiv 2403.10517).

    Args:
        step_s: seconds from one numbered text to the next.
    """

    modality = "captions"
    timed = False

    def __init__(self, *, step_s: float = 1.0) -> None:
        if not step_s > 0:
            raise ConfigError(f"captions: step_s must be above 0, not {step_s}.")
        self.step_s = step_s

    @classmethod
    def locate(cls, root: Path, name: str, *, annotation: str) -> Path:
        """Return the medium's own file in a folder; else the root itself, which holds all media."""
        if not root.is_dir():
            return root
        places = [path_inside(root, name + ending, annotation=annotation) for ending in ENDINGS]
        return next((path for path in places if path.is_file()), places[0])

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
            ModalityError: missing, no JSON, or nothing on the medium; names medium, path and record.
        """
        if not path.is_file():
            raise ModalityError(
                f"{media_id}: captions file {path} does not exist; set the storage of 'captions' to it."
            )
        try:
            records = self._records(path, media_id)
        except (OSError, ValueError, RecursionError, zipfile.BadZipFile) as error:
            raise ModalityError(f"{media_id}: captions file {path} cannot be read: {error}.") from error
        if not records:
            raise ModalityError(
                f"{media_id}: captions file {path} has no texts on it; "
                f"leave the captions expert out for it, or add texts."
            )
        return tuple(_caption(record, f"{media_id}: text {n} in {path}") for n, record in enumerate(records))

    def _records(self, path: Path, media_id: str) -> list[Any]:
        stat = path.stat()
        if path.suffix.lower() == ".zip":
            members = _members(path, stat.st_size, stat.st_mtime_ns)
            name = next((members[media_id + ending] for ending in ENDINGS if media_id + ending in members), None)
            return [] if name is None else self._own(json.loads(_member(path, name)))
        if path.name in {Path(media_id).name + ending for ending in ENDINGS}:
            return self._own(json.loads(path.read_text(encoding="utf-8")))
        held = _read(path, stat.st_size, stat.st_mtime_ns).get(media_id)
        return held if isinstance(held, list) else []

    def _own(self, document: Any) -> list[Any]:
        """Return the texts of a medium's own file."""
        if isinstance(document, list):
            return document
        if not isinstance(document, dict) or not all(key.isascii() and key.isdigit() for key in document):
            raise ValueError('it is neither a list of texts nor {"0": text, "1": text …}')
        return [
            {"text": document[key], "span_s": [int(key) * self.step_s, (int(key) + 1) * self.step_s]}
            for key in sorted(document, key=int)
        ]


# One file serves many media; size and time belong to the key, so that a file that changes is read again.
@functools.lru_cache(maxsize=2)
def _read(path: Path, size_bytes: int, modified_ns: int) -> Mapping[str, Any]:
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        raise ValueError("it is no JSON object of media ids")
    return data


@functools.lru_cache(maxsize=2)
def _members(path: Path, size_bytes: int, modified_ns: int) -> Mapping[str, str]:
    """Return the members of a zip by file name; one name in two folders is refused."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".json") and not name.startswith("__MACOSX/")]
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
