"""The forms in which texts about media are published, told apart by their structure: each becomes plain records.

A record is a text, or ``{"caption" or "text": …, "object" or "subject": …, "span_s": [from, to]}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from lavis.datasets.loaders.sequence import natural_key

# A number of a clip or second; media ids may be numbers too, which is why whole files are looked at.
NUMBER = re.compile(r"[0-9]+")
NUMBERED_STEP_S = 1.0
LINES_STEP_S = 8.0
# A medium's texts; what is larger is none.
MAX_BYTES = 64_000_000


def lines_of_clips(text: str, *, step_s: float | None = None) -> list[Any]:
    """Read one line for each clip of a medium, MEXA's ``<id>.txt`` (arXiv 2506.17113).

    Args:
        text: the file; an empty line is a clip without a text.
        step_s: seconds from one clip to the next; None for MEXA's 8 s.
    """
    step_s = LINES_STEP_S if step_s is None else step_s
    return [_timed(line, n, step_s) for n, line in enumerate(text.splitlines()) if line.strip()]


def texts_of_medium(document: Any, *, step_s: float | None = None) -> list[Any] | None:
    """Read the texts of one medium out of its JSON.

    A list of records; ``{"0": text, "1": text …}``, a text for every so many seconds (VideoAgent, arXiv
    2403.10517); or one text, a line each (a medium's value in LLoVi's file, arXiv 2312.17235).

    Args:
        document: what the JSON holds.
        step_s: seconds from one text to the next. None: 1 s where texts are numbered; those of a list have no time.

    Returns:
        The records, None where the document has no such form.
    """
    if isinstance(document, list):
        if step_s is None or not all(isinstance(record, str) for record in document):
            return document
        return [_timed(record, n, step_s) for n, record in enumerate(document)]
    if isinstance(document, str):
        return [line.strip() for line in document.splitlines() if line.strip()]
    if is_numbered(document):
        step_s = NUMBERED_STEP_S if step_s is None else step_s
        return [_timed(document[key], int(key), step_s) for key in sorted(document, key=int)]
    return None


def is_numbered(document: Any) -> bool:
    """Return whether a document is an object whose keys are numbers."""
    return isinstance(document, dict) and all(NUMBER.fullmatch(key) for key in document)


def is_row_of_texts(document: Any) -> bool:
    """Return whether a document is ``{"0": text, "1": text …}`` without a gap, and so no file of numbered media."""
    return (
        is_numbered(document)
        and {int(key) for key in document} == set(range(len(document)))
        and all(isinstance(text, str) for text in document.values())
    )


def texts_of_frames(folder: Path, *, rate_hz: float | None = None) -> list[Any]:
    """Read what several skills said of each frame, MEXA's ``<medium>/<frame>.json`` (arXiv 2506.17113).

    Each file is ``{"<medium>/<frame>": {skill: text}}``; the skill becomes the subject, and a skill whose text is
    empty said nothing. The digits at the end of a frame's name are its number, counted from 0.

    Args:
        folder: of one medium.
        rate_hz: frames per s, which gives their times; None where unknown.

    Raises:
        ValueError: a file that is none; names it and the record.
    """
    records: list[Any] = []
    for path in sorted(folder.glob("*.json"), key=natural_key):
        name, said = _frame(path)
        timed = {} if rate_hz is None else _span(_number(path), 1 / rate_hz)
        for skill, text in said.items():
            if not isinstance(text, str):
                raise ValueError(f"{path.name}: skill {skill!r} of {name!r} has no text but {str(text)[:80]!r}")
            if text.strip():
                records.append({"text": text, "subject": skill, **timed})
    return records


def _number(path: Path) -> int:
    digits = re.search(r"[0-9]+$", path.stem)
    if digits is None:
        raise ValueError(f"{path.name}: the frame's name ends with no number, so that rate_hz gives it no time")
    return int(digits[0])


def _frame(path: Path) -> tuple[str, Mapping[str, Any]]:
    try:
        document = read_json(path)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error
    entries = list(document.items()) if isinstance(document, dict) else []
    if len(entries) != 1 or not isinstance(entries[0][1], dict):
        raise ValueError(f"{path.name}: it is not {{'<medium>/<frame>': {{skill: text}}}}")
    name, said = entries[0]
    if PurePosixPath(name).name != path.stem:
        raise ValueError(f"{path.name}: it speaks of {name!r}, another frame than its own name says")
    return name, said


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ValueError: no JSON, or larger than texts on a medium are.
    """
    return json.loads(read_text(path))


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, with or without a byte order mark.

    Raises:
        ValueError: not UTF-8, or larger than texts on a medium are.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    return path.read_text(encoding="utf-8-sig")


def _timed(record: Any, number: int, step_s: float) -> dict[str, Any]:
    """Return a text with the time of its clip, the ``number``-th from 0."""
    return {"text": record, **_span(number, step_s)}


def _span(number: int, step_s: float) -> dict[str, list[float]]:
    return {"span_s": [number * step_s, (number + 1) * step_s]}
