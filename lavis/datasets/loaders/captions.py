"""Texts that someone else already wrote about media: one JSON file for many media."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Loader, Sampling


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
    """Loads the texts of one medium out of a file for all media.

    The file is ``{media_id: [text or {"caption" or "text", "object" or "subject", "span_s": [from, to]}]}``.
    """

    modality = "captions"
    timed = False

    @classmethod
    def locate(cls, root: Path, name: str, *, annotation: str) -> Path:
        """Return the root itself: it is the file for all media."""
        return root

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> tuple[Caption, ...]:
        """Read every text of the medium in the order of the file; the sampling is ignored.

        Raises:
            ModalityError: missing, no JSON, or nothing on the medium; names medium, path and record.
        """
        if not path.is_file():
            raise ModalityError(
                f"{media_id}: captions file {path} does not exist; set the storage of 'captions' to it."
            )
        stat = path.stat()
        try:
            by_medium = _read(path, stat.st_size, stat.st_mtime_ns)
        except (OSError, ValueError) as error:
            raise ModalityError(f"{media_id}: captions file {path} cannot be read: {error}.") from error
        records = by_medium.get(media_id)
        if not isinstance(records, list) or not records:
            raise ModalityError(
                f"{media_id}: captions file {path} ({len(by_medium)} media) has no texts on it; "
                f"leave the captions expert out for it, or add texts."
            )
        return tuple(_caption(record, f"{media_id}: text {n} in {path}") for n, record in enumerate(records))


# One file serves many media; size and time belong to the key, so that a file that changes is read again.
@functools.lru_cache(maxsize=2)
def _read(path: Path, size_bytes: int, modified_ns: int) -> Mapping[str, Any]:
    data = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        raise ValueError("it is no JSON object of media ids")
    return data


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
