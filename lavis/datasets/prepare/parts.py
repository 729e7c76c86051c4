"""Which part of which video a question is about: the annotations, and their starts and ends as frames."""

from __future__ import annotations

import bisect
import dataclasses
import logging
from fractions import Fraction
from pathlib import Path
from typing import Any

from lavis.common.errors import AnnotationError
from lavis.datasets.datasets.annotation_rows import Row, read_json
from lavis.datasets.prepare.benchmarks import Benchmark, Unit
from lavis.extract.video_stream import VideoStream

logger = logging.getLogger(__name__)

# The records give seconds to the millisecond: a frame at 52.8667 s is meant by 52.867.
ROUNDING_S = Fraction(1, 2000)


@dataclasses.dataclass(frozen=True)
class Part:
    """A question's part of a recording.

    Attributes:
        question_id: names what is made of it.
        video_id: the recording.
        start: in the benchmark's unit; the first frame that belongs to it.
        end: the first one that no longer does; None for the end of the video.
        annotation: file and question, for errors.
    """

    question_id: str
    video_id: str
    start: Fraction
    end: Fraction | None
    annotation: str


def read_parts(folder: Path, benchmark: Benchmark) -> tuple[list[Part], list[dict[str, str]]]:
    """Read all annotation files of a benchmark that are there.

    Returns:
        The parts in the files' order, and a failure (question_id, video_id, file, reason) for each record that
        cannot be used.

    Raises:
        AnnotationError: there is no such file, two for one split, or one that holds no list of records.
    """
    parts: list[Part] = []
    failures: list[dict[str, str]] = []
    seen: set[str] = set()
    for path in _annotation_files(folder, benchmark):
        records = read_json(path)
        if not isinstance(records, list):
            raise AnnotationError(f"{path}: holds no list of records.")
        for number, record in enumerate(records):
            try:
                part = _part(record, path, number, benchmark)
                if part.question_id in seen:
                    raise AnnotationError(f"{part.annotation}: the question_id is used before; give it another.")
            except AnnotationError as error:
                said = record if isinstance(record, dict) else {}
                failures.append(_failure(said.get("question_id", ""), said.get("video_id", ""), path, str(error)))
                continue
            seen.add(part.question_id)
            parts.append(part)
    return parts, failures


def span_s(part: Part, unit: Unit, stream: VideoStream) -> tuple[Fraction, Fraction | None]:
    """Return the part's start and end in s after the first frame; the end is None for the end of the video.

    Args:
        part: the part.
        unit: of its start and end.
        stream: the video that they count in.

    Raises:
        AnnotationError: a frame number that is not whole, or beyond the video.
    """
    if unit == "seconds":
        return part.start, part.end
    if part.start.denominator > 1 or (part.end is not None and part.end.denominator > 1):
        raise AnnotationError(
            f"{part.annotation}: start {float(part.start)} or end is no whole frame number; are they --unit seconds?"
        )
    start = int(part.start)
    if start >= len(stream):
        raise AnnotationError(f"{part.annotation}: starts at frame {start}, {stream.path} has {len(stream)}.")
    end = None if part.end is None else int(part.end)
    if end is not None and end > len(stream):
        logger.warning("%s: ends at frame %d, with %s of %d frames.", part.annotation, end, stream.path, len(stream))
    return stream.times_s[start], stream.end_s if end is None or end >= len(stream) else stream.times_s[end]


def frame_range(
    part: Part, start_s: Fraction, end_s: Fraction | None, stream: VideoStream
) -> tuple[int, int, Fraction]:
    """Return the first and the last frame of a video between two times, and the time at which the part is over.

    Raises:
        AnnotationError: the video is over before the part starts, or no frame lies in it.
    """
    if start_s >= stream.end_s:
        raise AnnotationError(
            f"{part.annotation}: starts at {float(start_s):.3f} s, {stream.path} is over at "
            f"{float(stream.end_s):.3f} s."
        )
    first = bisect.bisect_left(stream.times_s, start_s - ROUNDING_S)
    after = len(stream) if end_s is None else bisect.bisect_left(stream.times_s, end_s - ROUNDING_S)
    if end_s is not None and end_s > stream.end_s + ROUNDING_S:
        logger.warning("%s: ends at %.3f s, with %s.", part.annotation, float(end_s), stream.path)
    if after <= first:
        until = "its end" if end_s is None else f"{float(end_s):.3f} s"
        raise AnnotationError(
            f"{part.annotation}: no frame of {stream.path} lies between {float(start_s):.3f} s and {until}."
        )
    return first, after - 1, stream.times_s[after] if after < len(stream) else stream.end_s


def _annotation_files(folder: Path, benchmark: Benchmark) -> list[Path]:
    found = []
    for names in benchmark.annotations:
        there = [folder / name for name in names if (folder / name).is_file()]
        if len(there) > 1:
            raise AnnotationError(f"{there[0]} and {there[1]} are one split under two names; keep one of them.")
        found.extend(there)
    if not found:
        known = ", ".join(name for split in benchmark.annotations for name in split)
        raise AnnotationError(f"{folder} holds none of {known}; put the annotation files there or name their folder.")
    return found


def _part(record: Any, path: Path, number: int, benchmark: Benchmark) -> Part:
    row = Row(record, path, number)
    names = {key: row.identifier(key) for key in ("question_id", "video_id")}
    row = Row(record, path, f"{number}, question {names['question_id']},")
    start = _instant(row, "start")
    end = _instant(row, "end") if benchmark.has_end else None
    if end is not None and end <= start:
        raise row.error(f"ends at {float(end):g}, not after its start at {float(start):g}.")
    return Part(**names, start=start, end=end, annotation=f"{path}: record {row.name}")


def _instant(row: Row, key: str) -> Fraction:
    value = row.number(key)
    if value < 0:
        raise row.error(f"has {key!r} {value:g}, not a number of 0 or more.")
    return Fraction(repr(value))


def _failure(question_id: Any, video_id: Any, file: Path, reason: str) -> dict[str, str]:
    return {"question_id": str(question_id), "video_id": str(video_id), "file": str(file), "reason": reason}
