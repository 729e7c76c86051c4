"""Subtitles: what is said and when, from SubRip (``.srt``) or WebVTT (``.vtt``) files, one for each medium."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Iterator
from pathlib import Path

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Loader, Sampling, first_with_suffix
from lavis.datasets.loaders.captions import Caption

SUFFIXES = (".srt", ".vtt")
# A day of speech is below 2 MB.
MAX_BYTES = 16_000_000
ARROW = "-->"
TIME = r"(?:(\d+):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,3}))?"
TIMING = re.compile(rf"\s*{TIME}\s*{ARROW}\s*{TIME}(?:\s.*)?")
VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
# Tags begin with a letter, a slash or a time, so that "a < b" and "<3" are kept; {\an8} places a line.
TAG = re.compile(r"</?[a-zA-Z][^<>]*>|</>|<\d+:[\d:.]+>|\{\\[^{}]*\}")
# Blocks of WebVTT that say nothing.
SILENT_BLOCKS = ("NOTE", "STYLE", "REGION")


class SubtitlesLoader(Loader):
    """Loads the lines of a subtitle file as :class:`Caption`: text, speaker as its subject, and span in s.

    Both formats are read leniently: byte order mark, any line ends, comma or dot before the ms, hours left out,
    numbers and names of cues, placing, notes and styles, blank lines inside a SubRip text. Markup is removed,
    entities are resolved, ``<v Anna>`` gives the speaker.
    """

    modality = "subtitles"
    timed = False

    @classmethod
    def locate(cls, root: Path, name: str, *, annotation: str) -> Path:
        """Return ``<root>/<name>.srt``, or ``.vtt`` where that is the one that exists."""
        return first_with_suffix(root, name, SUFFIXES, annotation=annotation)

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> tuple[Caption, ...]:
        """Read every line that says something, by the time it begins; the sampling is ignored.

        Raises:
            ModalityError: missing, not UTF-8, a time that is none, or no line at all; names medium, path and line.
        """
        where = f"{media_id}: subtitles {path}"
        lines = _decoded(path, where).splitlines()
        captions = [
            Caption(text, speaker, cue.span_s)
            for cue in _cues(lines, where)
            for speaker, text in _voices("\n".join(cue.lines))
        ]
        if not captions:
            raise ModalityError(
                f"{where} hold no line of text with its time; they are empty or no subtitles: fetch them again, or "
                f"leave the subtitles out for this medium."
            )
        return tuple(sorted(captions, key=lambda one: one.span_s or (0.0, 0.0)))


@dataclasses.dataclass(frozen=True)
class _Cue:
    span_s: tuple[float, float]
    lines: list[str]


def _decoded(path: Path, where: str) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModalityError(f"{where} have more than {MAX_BYTES:,} bytes; that is no subtitle file.")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ModalityError(
            f"{where} do not exist; check the storage of 'subtitles' in the data set's build_info."
        ) from error
    except OSError as error:
        raise ModalityError(f"{where} cannot be read: {error.strerror or error}.") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ModalityError(
            f"{where}, line {line}: not UTF-8; write the file again in UTF-8 (iconv -f ENCODING -t UTF-8)."
        ) from error


def _cues(lines: list[str], where: str) -> Iterator[_Cue]:
    """Yield the cues of a file in its order; what is no cue is passed over."""
    is_vtt = bool(lines) and lines[0].startswith("WEBVTT")
    timings = [number for number in _spoken_lines(lines, is_vtt) if ARROW in lines[number]]
    for place, number in enumerate(timings):
        span_s = _span_s(lines[number], f"{where}, line {number + 1}")
        end = len(lines) if place + 1 == len(timings) else _first_line(lines, timings[place + 1])
        text = [line.strip() for line in lines[number + 1 : end]]
        if is_vtt and "" in text:  # there a blank line ends a cue
            text = text[: text.index("")]
        yield _Cue(span_s, text)


def _spoken_lines(lines: list[str], is_vtt: bool) -> Iterator[int]:
    """Yield the numbers of the lines outside WebVTT's header, notes and styles."""
    silent = is_vtt
    for number, line in enumerate(lines):
        if not line.strip():
            silent = False
        elif is_vtt and line.split()[0] in SILENT_BLOCKS and not lines[number - 1].strip():
            silent = True
        if not silent:
            yield number


def _first_line(lines: list[str], timing: int) -> int:
    """Return the line at which a cue begins: the one before its times where that is its number or name."""
    before = lines[timing - 1].strip() if timing else ""
    is_name = before.isdigit() or (before and (timing == 1 or not lines[timing - 2].strip()))
    return timing - 1 if is_name else timing


def _span_s(line: str, where: str) -> tuple[float, float]:
    found = TIMING.fullmatch(line)
    if found is None:
        raise ModalityError(f"{where}: {line.strip()[:60]!r} is no time; write 00:01:02,345 --> 00:01:04,000.")
    start_s, end_s = (_seconds(found.groups()[first : first + 4], where) for first in (0, 4))
    if end_s < start_s:
        raise ModalityError(f"{where}: it ends at {end_s:.3f} s, before it begins at {start_s:.3f} s.")
    return start_s, end_s


def _seconds(parts: tuple[str | None, ...], where: str) -> float:
    hours, minutes, seconds = (int(part or 0) for part in parts[:3])
    if minutes > 59 or seconds > 59:
        raise ModalityError(f"{where}: minutes and seconds run from 0 to 59.")
    return hours * 3600 + minutes * 60 + seconds + int((parts[3] or "0").ljust(3, "0")) / 1000


def _voices(text: str) -> Iterator[tuple[str, str]]:
    """Yield (speaker, text) of a cue; the speaker is empty where none is named."""
    before, *voiced = VOICE.split(text)
    for speaker, said in (("", before), *zip(voiced[::2], voiced[1::2], strict=True)):
        plain = " ".join(html.unescape(TAG.sub("", said)).split())
        if plain:
            yield " ".join(html.unescape(speaker).split()), plain
