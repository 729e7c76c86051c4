"""Every annotation format: real files whole, and bad ones with the file and record named."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lavis.common.errors import AnnotationError
from lavis.datasets.datasets import (
    clip_annotations,
    m3d_annotations,
    mmau_annotations,
    musicavqa_annotations,
    nextqa_annotations,
    sqa3d_annotations,
    videommmu_annotations,
)
from lavis.datasets.datasets.question_record import QuestionRecord

Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Format:
    """One annotation format: a good record, the keys it cannot do without, and how records become a file."""

    file: str
    read: Callable[[Sequence[Path]], list[QuestionRecord]]
    record: Record
    needed: tuple[str, ...]
    medium: str
    answer: tuple[str, Any]
    dump: Callable[[Sequence[Record]], str] = lambda records: json.dumps(list(records))


def table(records: Sequence[Record]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return file.getvalue()


MUSIC = {
    "video_id": "00000093",
    "question_id": 12,
    "type": '["Audio", "Comparative"]',
    "question_content": "Is the <Object> louder than the <Object>?",
    "templ_values": '["guzheng", "acoustic_guitar"]',
    "question_deleted": 0,
    "anser": "yes",
}
NEXT = {
    **{"video": "4010069381", "frame_count": "369", "width": "640", "height": "480", "question": "how do they play"},
    **{"answer": "1", "qid": "6", "type": "CH", "a0": "roll", "a1": "tap", "a2": "strum", "a3": "hit", "a4": "pat"},
}
SEVILA = {
    **{"video": "1106/4010069381", "num_option": 3, "qid": "CH_4010069381_6", "a0": "roll.", "a1": "tap."},
    **{"a2": "hit.", "answer": 1, "question": "how do they play?"},
}
CLIP = {"start": 5.2, "video_id": "20221027_9_split4", "question_id": 0, "answer": "touch phone", "question": "What?"}
CHOICE = {**CLIP, "options": ["touch phone", "sit sofa"]}
LECTURE = {
    **{"id": "validation_Art_Theory_1", "link_selected": "", "question": "Which?", "options": ["a", "b", "c"]},
    "answer": "B",
}
SOUND = {
    **{"id": "3fe64f3d", "audio_id": "./test-mini-audios/3fe64f3d.wav", "question": "Who speaks?"},
    **{"choices": ["Man", "Woman"], "answer": "Man", "dataset": "AudioSet", "task": "sound", "split": "test-mini"},
    **{"category": "Reasoning", "sub-category": "Acoustic", "difficulty": "medium"},
}
SCAN = {
    **{"Image Path": "M3D_Cap_npy/ct_case/007789/Axial.npy", "Text": "report", "Question Type": "3"},
    **{"Question": "Which organ?", "Choice A": "Lung", "Choice B": "Liver", "Choice C": "NA", "Choice D": "NA"},
    **{"Answer": "Liver", "Answer Choice": "B"},
}
ROOM = {
    **{"scene_id": "scene0000_00", "situation": "I sit.", "question": "What is behind me?", "question_id": 7},
    **{"answers": ["lamp"], "position": [1.0, 2.0, 0.0, 0, 0, 0.0, 1.0]},
}

FORMATS = {
    "musicavqa": Format(
        *("avqa-test.json", musicavqa_annotations.read_records, MUSIC),
        ("video_id", "type", "question_content", "templ_values", "anser"),
        *("video_id", ("type", '["Audio", "Colour"]')),
    ),
    "nextqa csv": Format(
        *("val.csv", nextqa_annotations.read_records, NEXT, ("question", "qid", "answer")),
        *("video", ("answer", "5"), table),
    ),
    "nextqa sevila": Format(
        *(
            "val.json",
            nextqa_annotations.read_records,
            SEVILA,
            ("video", "num_option", "qid", "a1", "answer", "question"),
        ),
        *("video", ("answer", 3)),
    ),
    "open clips": Format(
        *("thermalqa_val.json", clip_annotations.read_records, CLIP, ("video_id", "question_id", "answer", "question")),
        *("question_id", ("start", -1)),
    ),
    "clips with options": Format(
        *("touch_val.json", clip_annotations.read_records, CHOICE, ("video_id", "question_id", "answer", "question")),
        *("video_id", ("answer", "touch book")),
    ),
    "videommmu": Format(
        *("art.json", videommmu_annotations.read_records, LECTURE, ("id", "question", "options", "answer")),
        *("id", ("answer", "D")),
        lambda records: json.dumps({"Perception": {str(n): record for n, record in enumerate(records)}}),
    ),
    "mmau": Format(
        *("mmau.json", mmau_annotations.read_records, SOUND, ("audio_id", "question", "choices", "answer", "task")),
        *("audio_id", ("task", "noise")),
    ),
    "m3d": Format(
        *("M3D_VQA_test.csv", m3d_annotations.read_records, SCAN, ("Image Path", "Question Type", "Question")),
        *("Image Path", ("Answer Choice", "C"), table),
    ),
    "sqa3d": Format(
        *("SQA_test.json", sqa3d_annotations.read_records, ROOM, ("scene_id", "question", "answers")),
        *("scene_id", ("answers", [])),
    ),
}
JSON_FORMATS = [name for name, form in FORMATS.items() if form.file.endswith(".json")]


@pytest.fixture(params=FORMATS)
def form(request: pytest.FixtureRequest) -> Format:
    return FORMATS[request.param]


def read(form: Format, folder: Path, text: str | bytes) -> list[QuestionRecord]:
    path = folder / form.file
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return form.read([path])


def refused(form: Format, folder: Path, text: str | bytes) -> str:
    with pytest.raises(AnnotationError) as caught:
        read(form, folder, text)
    assert form.file in str(caught.value)
    return str(caught.value)


# -- real files ----------------------------------------------------------------------------------


def test_real_files_have_the_published_counts(shared_data: Path) -> None:
    counts = {
        "music_avqa/avqa-test.json": (musicavqa_annotations, 9129, 6399),
        "music_avqa/avqa-val.json": (musicavqa_annotations, 4568, 3815),
        "nextqa/val.csv": (nextqa_annotations, 4996, 570),
        "nextqa/sevila_val.json": (nextqa_annotations, 4996, 570),
        "mmau/mmau-test-mini.json": (mmau_annotations, 1000, 1000),
        "thermalqa/thermalqa_train.first9.json": (clip_annotations, 9, 9),
        "thermalqa/thermalqa_val.first7.json": (clip_annotations, 7, 7),
        "m3d/M3D_VQA.one_real_row.csv": (m3d_annotations, 1, 1),
        "sqa3d/SQA_test.json": (sqa3d_annotations, 3519, 67),
    }
    for name, (module, n_questions, n_media) in counts.items():
        records = module.read_records([shared_data / name])
        assert (len(records), len({record.media_id for record in records})) == (n_questions, n_media), name
        assert len({record.question_id for record in records}) == n_questions
        assert all(record.answers for record in records)


# -- good records in other clothes ---------------------------------------------------------------


def test_a_good_record_is_read(form: Format, tmp_path: Path) -> None:
    (record,) = read(form, tmp_path, form.dump([form.record]))
    assert record.text and record.answers and record.media_id


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(form: Format, tmp_path: Path) -> None:
    text = form.dump([form.record])
    plain = read(form, tmp_path, text)
    assert read(form, tmp_path, b"\xef\xbb\xbf" + text.encode()) == plain
    assert read(form, tmp_path, text.replace("\n", "\r\n")) == plain


@pytest.mark.parametrize("name", ["-rf", "a.b.c", "_#03", "Baz-4i7soZ0_flip", " padded ", "x/y"])
def test_odd_names_of_media_are_names(form: Format, tmp_path: Path, name: str) -> None:
    if form.file == "art.json":
        pytest.skip("ids of Video-MMMU name their subject")
    (record,) = read(form, tmp_path, form.dump([{**form.record, form.medium: name}]))
    assert name.strip() in (record.media_id, *record.media_names, record.tags.get("video_id"))


# -- bad files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "{", '{"a": ', "\x00", "[[[", "nothing"])
def test_what_is_not_json_is_refused(tmp_path: Path, text: str) -> None:
    for name in JSON_FORMATS:
        assert "is not JSON" in refused(FORMATS[name], tmp_path, text)


@pytest.mark.parametrize("text", ["3", '"text"', "null", "true", "[]", "{}", "[3]", '["text"]', "[[]]", "[null]"])
def test_another_root_or_an_empty_file_is_refused(tmp_path: Path, text: str) -> None:
    for name in JSON_FORMATS:
        refused(FORMATS[name], tmp_path, text)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\n\n", "question,qid,answer\n"])
def test_a_table_without_its_columns_or_rows_is_refused(tmp_path: Path, text: str) -> None:
    for name in ("nextqa csv", "m3d"):
        refused(FORMATS[name], tmp_path, text)


def test_a_row_with_another_number_of_cells_is_named_by_its_line(tmp_path: Path) -> None:
    for name in ("nextqa csv", "m3d"):
        form = FORMATS[name]
        assert "line 3" in refused(form, tmp_path, form.dump([form.record]) + "one,cell\n")


def test_an_open_quote_is_refused(tmp_path: Path) -> None:
    form = FORMATS["nextqa csv"]
    refused(form, tmp_path, form.dump([form.record]) + '"never closed,1\n')


def test_other_encodings_are_refused(form: Format, tmp_path: Path) -> None:
    assert "UTF-8" in refused(form, tmp_path, form.dump([form.record]).encode("utf-16"))


def test_an_absent_file_says_where_it_was_looked_for(form: Format, tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"No annotation file .*build_info\.root"):
        form.read([tmp_path / form.file])


def test_nan_is_refused(tmp_path: Path) -> None:
    for name in JSON_FORMATS:
        form = FORMATS[name]
        text = form.dump([{**form.record, "extra": float("nan")}])
        assert "NaN" in refused(form, tmp_path, text)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    for name in JSON_FORMATS:
        form = FORMATS[name]
        text = form.dump([form.record]).replace('{"', '{"extra": 1, "extra": 2, "', 1)
        assert "'extra' stands twice" in refused(form, tmp_path, text)


# -- bad records ---------------------------------------------------------------------------------


def test_each_key_that_is_needed_is_named_when_it_is_missing(form: Format, tmp_path: Path) -> None:
    for key in form.needed:
        without = {name: value for name, value in form.record.items() if name != key}
        assert key in refused(form, tmp_path, form.dump([without]))


def test_values_of_other_types_are_refused(tmp_path: Path) -> None:
    for name in JSON_FORMATS:
        form = FORMATS[name]
        for key in form.needed:
            for value in (None, {"a": 1}, [["nested"]], 1.5, True):
                refused(form, tmp_path, form.dump([{**form.record, key: value}]))


def test_an_answer_that_cannot_be_is_refused(form: Format, tmp_path: Path) -> None:
    key, value = form.answer
    refused(form, tmp_path, form.dump([{**form.record, key: value}]))


def test_a_question_of_ten_megabytes_is_refused(form: Format, tmp_path: Path) -> None:
    key = next(name for name in ("question_content", "question", "Question") if name in form.record)
    message = refused(form, tmp_path, form.dump([{**form.record, key: "why " * 2_500_000}]))
    assert len(message) < 1000


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/../../b", "..", ".", "", "  ", "a\0b"])
def test_a_medium_outside_its_root_is_refused(form: Format, tmp_path: Path, name: str) -> None:
    if form.dump is table and "\0" in name:
        pytest.skip("a table cannot hold it")
    refused(form, tmp_path, form.dump([{**form.record, form.medium: name}]))


def test_repeated_ids_are_refused_or_numbered(form: Format, tmp_path: Path) -> None:
    text = form.dump([form.record, form.record])
    if form.file in ("avqa-test.json", "mmau.json"):
        first, second = read(form, tmp_path, text)
        assert second.question_id == f"{first.question_id}#2"
    elif form.file == "M3D_VQA_test.csv":
        assert [record.question_id for record in read(form, tmp_path, text)] == ["0", "1"]
    else:
        assert "occurs twice" in refused(form, tmp_path, text)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=JSON_VALUES)
def test_any_json_is_read_or_refused(tmp_path: Path, document: Any) -> None:
    for name in JSON_FORMATS:
        form = FORMATS[name]
        try:
            read(form, tmp_path, json.dumps(document))
        except AnnotationError as error:
            assert form.file in str(error)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_in_any_key_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    form = FORMATS[data.draw(st.sampled_from(list(FORMATS)))]
    key = data.draw(st.sampled_from(list(form.record)))
    value = data.draw(st.text(max_size=30) if form.dump is table else JSON_VALUES)
    try:
        records = read(form, tmp_path, form.dump([{**form.record, key: value}]))
    except AnnotationError as error:
        assert form.file in str(error)
    else:
        assert all(isinstance(record.text, str) and record.text.strip() for record in records)
