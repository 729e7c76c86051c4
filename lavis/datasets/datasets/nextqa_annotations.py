"""NExT-QA's annotation files as records: the official csv, SeViLA's JSON, the open-ended variant, NExT-GQA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lavis.common.errors import AnnotationError, ConfigError
from lavis.datasets.datasets.annotation_rows import Row, Span, list_rows, option_number, read_json, read_table
from lavis.datasets.datasets.question_record import QuestionRecord
from lavis.datasets.datasets.record_ids import number_duplicates, refuse_duplicates
from lavis.datasets.span import MediaSpan

TYPES = ("CW", "CH", "TN", "TC", "TP", "DC", "DL", "DO", "DB")
OPTIONS = tuple(f"a{number}" for number in range(5))


def read_records(
    paths: Sequence[Path],
    *,
    video_map: Path | None = None,
    gold_spans: Path | None = None,
    span_unit: str | None = None,
) -> list[QuestionRecord]:
    """Read annotation files of any published form, told apart by suffix and columns.

    A question is called ``<video>_<qid>`` in every form. A csv without options is the open-ended variant,
    whose training file repeats ids; one with ``video_id`` is NExT-GQA's, whose answer is a text.

    Args:
        paths: ``.csv``, or ``.json`` in SeViLA's form.
        video_map: ``map_vid_vidorID.json``, which puts a video into its folder.
        gold_spans: NExT-GQA's ``gsub_<split>.json``: when the answer is seen, in s.
        span_unit: what ``start`` and ``end`` of a SeViLA record mean: ``seconds`` or ``fraction`` of the
            video. The reference takes them for either, by loader; so records that have them need it.

    Raises:
        AnnotationError: a file or record is not so; names both.
        ConfigError: ``span_unit`` is another word.
    """
    if span_unit not in (None, "seconds", "fraction"):
        raise ConfigError(f"annotation_options.span_unit is {span_unit!r}; say seconds or fraction.")
    folders = _folders(video_map)
    spans = _gold_spans(gold_spans)
    records: list[QuestionRecord] = []
    for path in paths:
        if path.suffix.lower() == ".csv":
            records.extend(_from_csv(row, folders, spans) for row in read_table(path, ("question", "qid", "answer")))
        else:
            records.extend(_from_sevila(row, spans, span_unit) for row in list_rows(read_json(path), path))
    if any(not record.options for record in records):
        return number_duplicates(records, paths)
    refuse_duplicates(records, paths)
    return records


def _from_csv(row: Row, folders: Mapping[str, str], spans: Mapping[str, tuple[Span, ...]]) -> QuestionRecord:
    video = row.file_name("video" if "video" in row else "video_id")
    question_id = f"{video}_{row.identifier('qid')}"
    grounded = "video" not in row
    row = Row(row.data, row.path, question_id)
    options = tuple(row.stripped(key) for key in OPTIONS) if OPTIONS[0] in row else ()
    if not options:
        choice, gold = None, row.stripped("answer")
    elif grounded:
        choice = option_number(row, row.stripped("answer"), options)
        gold = options[choice]
    else:
        choice = row.whole("answer", below=len(options))
        gold = options[choice]
    folder = folders.get(video)
    return QuestionRecord(
        question_id=question_id,
        media_id=video,
        text=row.stripped("question"),
        answers=(gold,),
        options=options,
        category=_type(row, row.stripped("type")),
        tags={} if choice is None else {"gold_choice": str(choice)},
        media_names=() if folder is None else (row.checked_name(folder), video),
        gold_spans_s=spans.get(question_id, ()),
    )


def _from_sevila(row: Row, spans: Mapping[str, tuple[Span, ...]], span_unit: str | None) -> QuestionRecord:
    qid = row.text("qid")
    row = Row(row.data, row.path, qid)
    category, _, question_id = qid.partition("_")
    place = row.file_name("video")
    video = Path(place).name
    options = tuple(row.stripped(f"a{number}") for number in range(row.whole("num_option", below=len(OPTIONS) + 1)))
    choice = row.whole("answer", below=len(options))
    span = _span(row, span_unit)
    return QuestionRecord(
        question_id=question_id or qid,
        media_id=video if span is None else f"{video}@{span}",
        text=row.stripped("question"),
        answers=(options[choice],),
        options=options,
        category=_type(row, category),
        tags={"gold_choice": str(choice)},
        media_names=(place, video),
        side={} if span is None else {"span": span},
        gold_spans_s=spans.get(question_id, ()),
    )


def _span(row: Row, unit: str | None) -> MediaSpan | None:
    if "start" not in row:
        return None
    if unit is None:
        raise row.error(
            "has 'start' and 'end'; set build_info.annotation_options.span_unit to seconds or fraction, "
            "whichever they are."
        )
    start, end = row.number("start"), row.number("end")
    if not 0 <= start < end or (unit == "fraction" and end > 1):
        raise row.error(f"has the span {start} to {end} {unit}, which is none.")
    return MediaSpan(start, end, unit)


def _type(row: Row, name: str) -> str:
    if name not in TYPES:
        raise row.error(f"has the question type {name!r}; known are {', '.join(TYPES)}.")
    return name


def _folders(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    document = read_json(path)
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise AnnotationError(f"{path} is no object of video → folder/video.")
    return document


def _gold_spans(path: Path | None) -> dict[str, tuple[Span, ...]]:
    """Read ``{video: {location: {qid: [[from, to], …]}}}`` in s."""
    if path is None:
        return {}
    document: Any = read_json(path)
    if not isinstance(document, dict):
        raise AnnotationError(f"{path} is no object of video → {{location: …}}.")
    spans: dict[str, tuple[Span, ...]] = {}
    for video, held in document.items():
        location = Row(held, path, video).need("location")
        for qid, pairs in Row(location, path, video).data.items():
            row = Row({"pairs": pairs}, path, f"{video}_{qid}")
            if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
                raise row.error(f"has {pairs!r}, not a list of [from, to] in s.")
            numbers = [[Row({"s": second}, path, row.name).number("s") for second in pair] for pair in pairs]
            if any(low > high for low, high in numbers):
                raise row.error(f"has a span that ends before it begins: {pairs}.")
            spans[row.name] = tuple((low, high) for low, high in numbers)
    return spans
