"""Video-MMMU's annotation files as records: three tracks that ask about the same videos."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lavis.common.errors import AnnotationError
from lavis.datasets.datasets.annotation_rows import Row, list_rows, read_json
from lavis.datasets.datasets.question_record import QuestionRecord
from lavis.datasets.datasets.record_ids import refuse_duplicates

TRACKS = ("perception", "comprehension", "adaptation")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DOMAINS = {
    "Art": "Art Art_Theory Design Music",
    "Business": "Accounting Economics Finance Manage Marketing",
    "Engineering": "Agriculture Architecture_and_Engineering Computer_Science Electronics Energy_and_Power Materials "
    "Mechanical_Engineering",
    "Humanities": "History Literature Psychology Sociology",
    "Medicine": "Basic_Medical_Science Clinical_Medicine Diagnostics_and_Laboratory_Medicine Pharmacy Public_Health",
    "Science": "Biology Chemistry Geography Math Physics",
}
DOMAIN_OF = {subject: domain for domain, subjects in DOMAINS.items() for subject in subjects.split()}
PREFIX = re.compile(r"\(?([A-Z])[.)]\s+")


def read_records(paths: Sequence[Path]) -> list[QuestionRecord]:
    """Read the tracks' files, ``{track: {number: record}}``, or MEXA's list, whose ``uid`` begins with the track.

    The tracks share ids, so a question is called ``<track>_<id>``; its medium is the video, ``<id>``.
    A question without ``question_type`` that has options is of multiple choice.

    Raises:
        AnnotationError: a file or record is not so; names both.
    """
    records = [_record(row, track) for path in paths for row, track in _rows(path)]
    refuse_duplicates(records, paths)
    return records


def _rows(path: Path) -> Iterator[tuple[Row, str]]:
    document = read_json(path)
    if isinstance(document, list):
        for row in list_rows(document, path):
            yield row, _track(row, row.text("uid").partition("_")[0])
        return
    if not isinstance(document, Mapping) or not document:
        raise AnnotationError(f"{path} holds no track; it is {{track: {{number: record}}}} or a list of records.")
    for name, numbered in document.items():
        track = _track(Row({}, path, name), str(name))
        if not isinstance(numbered, Mapping) or not numbered:
            raise AnnotationError(f"{path}: track {name} holds no records by number.")
        for number, item in numbered.items():
            yield Row(item, path, f"{name} {number}"), track


def _track(row: Row, name: str) -> str:
    if name.lower() not in TRACKS:
        raise row.error(f"belongs to track {name[:80]!r}; known are {', '.join(TRACKS)}.")
    return name.lower()


def _record(row: Row, track: str) -> QuestionRecord:
    video = row.file_name("id")
    row = Row(row.data, row.path, f"{track}_{video}")
    subject = video.partition("_")[2].rpartition("_")[0]
    if subject not in DOMAIN_OF:
        raise row.error(f"has the id {video!r}, which names no subject of the benchmark (<split>_<Subject>_<number>).")
    domain = DOMAIN_OF[subject]
    options = _options(row)
    tags = {"track": track, "subject": subject, "domain": domain}
    answer = row.stripped("answer")
    is_open = row.data.get("question_type") == "open" or not options
    if is_open and options:
        raise row.error("is an open question, but has options.")
    if not is_open:
        if len(answer) != 1 or answer not in LETTERS[: len(options)]:
            raise row.error(f"has the answer {answer[:80]!r}, which is no letter of its {len(options)} options.")
        tags["gold_choice"] = str(LETTERS.index(answer))
        answer = options[LETTERS.index(answer)]
    return QuestionRecord(
        question_id=row.name,
        media_id=video,
        text=row.stripped("question"),
        answers=(answer,),
        options=options,
        situation="Image 1 is what the video shows at its end." if "<image 1>" in row.text("question") else "",
        category=track,
        tags={**tags, "question_type": "open" if is_open else "multiple-choice"},
        media_names=(video, f"{domain}/{video}", f"{subject}/{video}"),
    )


def _options(row: Row) -> tuple[str, ...]:
    options = tuple(text.strip() for text in row.texts("options", empty=True))
    if len(options) > len(LETTERS):
        raise row.error(f"has {len(options)} options; letters name at most {len(LETTERS)}.")
    # One published record carries the letters in its options.
    marked = [PREFIX.match(option) for option in options]
    if options and all(found and found[1] == LETTERS[number] for number, found in enumerate(marked)):
        return tuple(PREFIX.sub("", option, count=1) for option in options)
    return options
