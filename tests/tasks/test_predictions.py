"""Files of answers, in every published format, to rows; and what is wrong with a file."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from lavis.common.errors import AnnotationError, ConfigError, LavisError, UnknownNameError
from lavis.common.registry import registry
from lavis.datasets.builders import BaseDatasetBuilder
from lavis.datasets.datasets.question_record import QuestionRecord
from lavis.tasks.metrics.videommmu import VIDEOMMMU_STRICT
from lavis.tasks.predictions import RowSet, delta_scores, read_rows, score_rows
from lavis.tasks.rows import ResultRow

RECORDS = [
    QuestionRecord("17_0", "17", "Why?", ("tap",), ("sing", "tap"), category="CW", tags={"gold_choice": "1"}),
    QuestionRecord("17_1", "17", "How?", ("sing",), ("sing", "tap"), category="CH", tags={"gold_choice": "0"}),
    QuestionRecord("18", "18", "How many?", ("two",)),
    QuestionRecord("18#2", "18", "How many?", ("three",)),
]


class FakeDataset:
    metrics = ("accuracy",)

    @staticmethod
    def read_records(paths: list[Path]) -> list[QuestionRecord]:
        if not all(path.exists() for path in paths):
            raise AnnotationError(f"No annotation file {paths[0]}.")
        return RECORDS


class FakeBuilder(BaseDatasetBuilder):
    eval_dataset_cls: ClassVar[Any] = FakeDataset


class BuilderWithoutRecords(BaseDatasetBuilder):
    eval_dataset_cls: ClassVar[Any] = object


@pytest.fixture(autouse=True)
def fake_builders(monkeypatch: pytest.MonkeyPatch) -> None:
    names = registry.names_of("builder")
    monkeypatch.setitem(names, "fake_qa", FakeBuilder)
    monkeypatch.setitem(names, "blind_qa", BuilderWithoutRecords)


@pytest.fixture
def annotations(tmp_path: Path) -> list[Path]:
    path = tmp_path / "annotations.json"
    path.write_text("[]")
    return [path]


def written(tmp_path: Path, document: Any) -> Path:
    path = tmp_path / "answers.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return path


def read(tmp_path: Path, document: Any, annotations: list[Path]) -> RowSet:
    return read_rows(written(tmp_path, document), "fake_qa", annotations)


def by_id(found: RowSet) -> dict[str, ResultRow]:
    return {row.question_id: row for row in found.rows}


ROW = {"question_id": "1", "answer": "tap", "gold": ["tap"], "response": "Answer: tap", "status": "answered"}


# -- formats ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        {"17_0": {"prediction": 1, "answer": 1}, "17_1": {"prediction": 1, "answer": 0}},
        [
            {"qid": "CW_17_0", "prediction": 1, "target": 1, "frame_idx": 0},
            {"qid": "CH_17_1", "prediction": 1, "target": 0},
        ],
        {"17_0": 1, "17_1": 1},
    ],
    ids=["nextqa", "crema_videoqa", "map"],
)
def test_numbers_choose_options_and_what_has_none_is_missing(
    document: Any, tmp_path: Path, annotations: list[Path]
) -> None:
    found = read(tmp_path, document, annotations)

    rows = by_id(found)
    assert [row.question_id for row in found.rows] == [record.question_id for record in RECORDS]
    assert (rows["17_0"].answer, rows["17_0"].choice, rows["17_0"].status) == ("tap", 1, "answered")
    assert (rows["17_1"].answer, rows["17_1"].gold, rows["17_1"].category) == ("tap", ("sing",), "CH")
    assert found.missing == {"18", "18#2"}
    assert rows["18"].status == "failed"
    assert found.warnings == ()


def test_texts_are_kept_as_they_stand(tmp_path: Path, annotations: list[Path]) -> None:
    text = " The answer is (B)\n"
    rows = by_id(read(tmp_path, {"17_0": text, "17_1": " ", "18": "", "18#2": None}, annotations))

    assert (rows["17_0"].answer, rows["17_0"].choice, rows["17_0"].letter) == (text, None, text)
    statuses = [rows[name].status for name in ("17_0", "17_1", "18", "18#2")]
    assert statuses == ["answered", "unparsed", "unparsed", "failed"]


def test_a_number_for_an_open_question_is_its_answer(tmp_path: Path, annotations: list[Path]) -> None:
    row = by_id(read(tmp_path, {"18": 2}, annotations))["18"]
    assert (row.answer, row.choice) == ("2", None)


def test_an_id_that_the_benchmark_repeats_is_answered_as_often(tmp_path: Path, annotations: list[Path]) -> None:
    document = [
        {"question_id": 18, "pred_ans": "two", "gt_ans": "two"},
        {"question_id": 18, "pred_ans": "four", "gt_ans": "three"},
    ]
    rows = by_id(read(tmp_path, document, annotations))
    assert (rows["18"].answer, rows["18#2"].answer) == ("two", "four")


def test_equal_predictions_count_once_and_unlike_ones_are_an_error(tmp_path: Path, annotations: list[Path]) -> None:
    row = {"qid": "CW_17_0", "prediction": 1, "target": 1}
    found = read(tmp_path, [row, row], annotations)
    assert len(found.rows) == len(RECORDS)
    assert "1 predictions stand there twice" in found.warnings[0]

    with pytest.raises(LavisError, match="'17_0' has two predictions that differ"):
        read(tmp_path, [row, row | {"prediction": 0}], annotations)


def test_a_gold_that_is_not_the_annotated_one_is_counted_and_named(tmp_path: Path, annotations: list[Path]) -> None:
    document = {"17_0": {"prediction": 1, "answer": 1}, "17_1": {"prediction": 1, "answer": 1}}
    found = read(tmp_path, document, annotations)

    (warning,) = found.warnings
    assert "gold of 1 predictions" in warning and "'17_1'" in warning
    assert by_id(found)["17_1"].gold == ("sing",)


def test_a_prediction_for_no_known_question_is_an_error_that_names_it(tmp_path: Path, annotations: list[Path]) -> None:
    with pytest.raises(LavisError, match="'17_9' is none of the 4 annotated ones"):
        read(tmp_path, {"17_0": 1, "17_9": 0}, annotations)


@pytest.mark.parametrize("number", [-1, 2, 10**30])
def test_a_number_that_is_no_option_is_an_error(number: int, tmp_path: Path, annotations: list[Path]) -> None:
    with pytest.raises(LavisError, match=r"'17_0'.*none of its 2 options"):
        read(tmp_path, {"17_0": number}, annotations)


def test_cremas_answers_are_scored_by_their_own_gold_where_no_annotations_are_given(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        [
            {"question_id": "What_220602000002", "pred_ans": "piano", "gt_ans": "piano", "question": "…"},
            {"question_id": "Is_220602003734", "pred_ans": "no", "gt_ans": "no, bucket is open"},
        ],
    )
    found = read_rows(path, None)

    assert "not known" in found.warnings[0]
    scores = score_rows(found, [registry.require("metric", name) for name in ("exact_match", "crema_substring")])
    assert {name: summary.percent for name, summary in scores.summaries.items()} == {
        **{"exact_match": 50.0, "crema_substring": 100.0}
    }
    assert scores.summaries["crema_substring"].by_group == {"Is": (100.0, 1), "What": (100.0, 1)}


def test_half_a_surrogate_pair_may_stand_in_an_answer_and_not_in_an_id(tmp_path: Path) -> None:
    row = {"question_id": "1", "pred_ans": "\ud83d", "gt_ans": "x"}
    assert read_rows(written(tmp_path, [row]), None).rows[0].answer == "\ud83d"

    with pytest.raises(LavisError, match="half of a surrogate pair"):
        read_rows(written(tmp_path, [row | {"question_id": "\ud83d"}]), None)


def test_cremas_sqa3d_answers_find_the_official_questions(shared_data: Path, tmp_path: Path) -> None:
    path = written(tmp_path, [{"question_id": "What_220602000002", "pred_ans": "piano", "gt_ans": "piano"}])
    questions = shared_data / "sqa3d" / "v1_balanced_questions_test_scannetv2.json"
    found = read_rows(path, "sqa3d", [questions])

    assert (len(found.rows), len(found.missing), found.warnings) == (3519, 3518, ())
    assert by_id(found)["220602000002"].answer == "piano"


@pytest.mark.parametrize("key", ["model_output", "model_prediction"])
@pytest.mark.parametrize("with_annotations", [True, False])
def test_mmau_answers_stand_in_its_annotations(
    key: str, with_annotations: bool, shared_data: Path, tmp_path: Path
) -> None:
    """Truth: the official script skips records without the key; here they stay, as missing."""
    annotated = shared_data / "mmau" / "mmau-test-mini.json"
    records = json.loads(annotated.read_text())[:3]
    records[1][key] = f"I hear: {records[1]['answer']}"
    records[2][key] = ""
    found = read_rows(written(tmp_path, records), "mmau", [annotated] if with_annotations else [])

    assert len(found.rows) == (1000 if with_annotations else 3)
    assert len(found.missing) == len(found.rows) - 2
    assert {row.status for row in found.rows} == {"answered", "unparsed", "failed"}
    assert found.warnings == ()


def test_the_first_version_of_mmau_has_no_ids(shared_data: Path, tmp_path: Path) -> None:
    records = json.loads((shared_data / "mmau" / "mmau-test-mini.json").read_text())[:2]
    for record in records:
        del record["id"]
        record["model_output"] = record["answer"]
    path = written(tmp_path, records)
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps([{k: v for k, v in record.items() if k != "model_output"} for record in records]))

    assert read_rows(path, "mmau").missing == read_rows(path, "mmau", [bare]).missing == frozenset()


def test_hga_predictions_have_no_missing_and_no_foreign_gold(shared_data: Path) -> None:
    """Truth: all keys and golds of the published file agree with the csv."""
    folder = shared_data / "nextqa"
    for annotated in ("val.csv", "sevila_val.json"):
        found = read_rows(folder / "HGA-bert-ft-h256-val-example.json", "nextqa", [folder / annotated])
        assert (len(found.rows), found.missing, found.warnings) == (4996, frozenset(), ())


# -- a run's own rows ----------------------------------------------------------------------------


def test_a_runs_rows_come_back_with_the_metrics_that_they_were_scored_by(tmp_path: Path) -> None:
    rows = [ROW | {"scores": {"em_refined": 1.0, "exact_match": 1.0}, "usage": {}}, ROW | {"question_id": "2"}]
    found = read_rows(written(tmp_path, rows), None)

    assert found.metrics == ("em_refined", "exact_match")
    assert found.rows == tuple(ResultRow.from_json(row, "") for row in rows)


def test_raw_scores_the_whole_response_and_no_choice(tmp_path: Path) -> None:
    row = ROW | {"options": ["sing", "tap"], "choice": 1}
    failed = ROW | {"question_id": "2", "answer": "", "response": "", "status": "failed"}
    (first, second) = read_rows(written(tmp_path, [row, failed]), None, raw=True).rows

    assert (first.answer, first.choice, first.letter) == ("Answer: tap", None, "Answer: tap")
    assert second.answer == ""

    with pytest.raises(LavisError, match="row 0 keeps no response"):
        read_rows(written(tmp_path, [row | {"response": ""}]), None, raw=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question_id": 1}, "row 1: 'question_id' is 1"),
        ({"gold": "tap"}, "row 1: 'gold'"),
        ({"gold": None}, "row 1: 'gold'"),
        ({"choice": 2, "options": ["sing", "tap"]}, "row 1: choice 2 is none of its 2 options"),
        ({"choice": -1, "options": ["sing", "tap"]}, "row 1: choice -1"),
        ({"choice": True, "options": ["sing", "tap"]}, "row 1: 'choice'"),
        ({"choice": 0}, "row 1: choice 0 is none of its 0 options"),
        ({"status": "done"}, "row 1: status 'done' is none of answered, unparsed, failed"),
        ({"options": [str(number) for number in range(27)]}, "row 1 has 27 options"),
        ({"tags": {"gold_choice": "x"}, "options": ["a"]}, "row 1: gold_choice 'x'"),
        ({"tags": {"gold_choice": "1"}, "options": ["a"]}, "row 1: gold_choice '1'"),
        ({"tags": {"content": 5}}, "row 1: tags are texts"),
        ({"category": "\ud800"}, "row 1 holds half of a surrogate pair"),
        ({"question_id": "1"}, "question '1' stands in the file twice"),
    ],
)
def test_a_row_that_is_none_is_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(LavisError, match=message):
        read_rows(written(tmp_path, [ROW, ROW | {"question_id": "2"} | change]), None)


@pytest.mark.parametrize("key", ["question_id", "answer", "gold"])
def test_a_row_without_a_key_is_named(key: str, tmp_path: Path) -> None:
    row = {name: value for name, value in (ROW | {"question_id": "2"}).items() if name != key}
    with pytest.raises(LavisError, match=f"row 1 has no '{key}'"):
        read_rows(written(tmp_path, [ROW, row]), None)


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b'[{"question_id": "1", "answer"', "is not JSON.*complete"),
        (b"<html>", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[" + b"9" * 5000 + b"]", "is not JSON"),
        (b'{"17_0": NaN}', "holds NaN"),
        (b'{"17_0": {"prediction": -Infinity, "answer": 1}}', "holds -Infinity"),
        (b'{"17_0": 1, "17_0": 0}', "'17_0' stands twice"),
        (b"\xff\xfe[\x00", "is not UTF-8"),
        (b"[]", "is empty"),
        (b"{}", "is empty"),
        (b'"text"', "holds 'text'"),
        (b"12", "holds 12"),
        (b"null", "holds None"),
        (b"[[[]]]", "holds a list, first a list"),
        (b'[{"id": 1, "text": ""}]', "first an object with 'id', 'text'.*a run's result"),
        (b'{"17_0": [1]}', "an object with '17_0'"),
        (b'{"17_0": 1.5}', "an object with '17_0'"),
        (b'{"17_0": 1, "17_1": 1.5}', "'17_1' is 1.5"),
        (b'{"17_0": 1, "17_1": true}', "'17_1' is True"),
        (b'{"17_0": {"prediction": "B", "answer": 1}}', "17_0: 'prediction' is 'B'"),
        (b'{"17_0": {"prediction": 1, "answer": 1}, "17_1": {"prediction": 1}}', "17_1 has no 'answer'"),
        (b'{"17_0": {"prediction": 1, "answer": 1}, "17_1": 3}', "17_1 has no 'prediction'"),
        (b'[{"qid": "CW_17_0", "prediction": 1, "target": 1}, 5]', "row 1 has no 'qid'"),
        (b'[{"question_id": "1", "pred_ans": 5, "gt_ans": "x"}]', "row 0: 'pred_ans' is 5"),
        (b'[{"question_id": "1", "pred_ans": "x"}]', "row 0 has no 'gt_ans'"),
        (b'[{"question_id": "1\\ud800", "pred_ans": "x", "gt_ans": "x"}]', "is none of the 4 annotated ones"),
        (b'[{"choices": [], "model_output": "x"}]', "record 0 has no 'answer'"),
        (b'[7, {"choices": [], "model_output": "x", "answer": ""}]', "record 0 has no 'answer'"),
    ],
)
def test_a_file_that_holds_no_answers_is_an_error_that_says_why(
    content: bytes, message: str, tmp_path: Path, annotations: list[Path]
) -> None:
    path = tmp_path / "answers.json"
    path.write_bytes(content)
    with pytest.raises(LavisError, match=f"(?s){message}") as raised:
        read_rows(path, "fake_qa", annotations)
    assert str(path) in str(raised.value)


def test_a_byte_order_mark_is_passed_over(tmp_path: Path, annotations: list[Path]) -> None:
    path = tmp_path / "answers.json"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"17_0": 1}')
    assert by_id(read_rows(path, "fake_qa", annotations))["17_0"].choice == 1


def test_an_absent_file_and_a_folder_are_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.json", tmp_path):
        with pytest.raises(LavisError, match="cannot be read"):
            read_rows(path, None)


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """Truth: a pipe can be read a single time."""
    pipe = tmp_path / "answers"
    os.mkfifo(pipe)
    rows = [ROW | {"question_id": str(number)} for number in range(20_000)]
    writer = threading.Thread(target=lambda: pipe.write_text(json.dumps(rows)), daemon=True)
    writer.start()

    found = read_rows(pipe, None)

    writer.join(timeout=10)
    assert len(found.rows) == 20_000


# -- what goes with what -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "dataset", "with_annotations", "raw", "message"),
    [
        ({"17_0": 1}, None, False, False, "--dataset NAME and --annotations FILE"),
        ({"17_0": 1}, "fake_qa", False, False, "give --annotations FILE"),
        ({"17_0": 1}, None, True, False, "--annotations needs --dataset"),
        ({"17_0": 1}, "fake_qa", True, True, "--raw is for a run's result"),
        ({"17_0": 1}, "blind_qa", True, False, "cannot read annotations"),
        ([ROW], "fake_qa", True, False, "--annotations is for predictions"),
        (
            [{"choices": [], "answer": "", "audio_id": "a", "model_output": ""}],
            None,
            False,
            False,
            "give --dataset NAME ",
        ),
    ],
)
def test_options_that_do_not_go_with_the_file(
    document: Any,
    dataset: str | None,
    with_annotations: bool,
    raw: bool,
    message: str,
    tmp_path: Path,
    annotations: list[Path],
) -> None:
    with pytest.raises(ConfigError, match=message):
        read_rows(written(tmp_path, document), dataset, annotations if with_annotations else [], raw=raw)


def test_an_unknown_data_set_and_absent_annotations_are_named(tmp_path: Path, annotations: list[Path]) -> None:
    path = written(tmp_path, {"17_0": 1})
    with pytest.raises(UnknownNameError, match="nextq_"):
        read_rows(path, "nextq_", annotations)
    with pytest.raises(AnnotationError, match="absent"):
        read_rows(path, "fake_qa", [tmp_path / "absent.json"])


# -- scores --------------------------------------------------------------------------------------


def test_a_missing_prediction_is_wrong_where_an_empty_one_would_be_right(
    tmp_path: Path, annotations: list[Path]
) -> None:
    """Truth: CREMA's substring rule takes an empty answer for right."""
    found = read(tmp_path, {"18": "", "17_0": "tap"}, annotations)
    scores = score_rows(found, [registry.require("metric", "crema_gqa")])

    assert scores.counts == {"n": 4, "answered": 1, "unparsed": 1, "failed": 2, "missing": 2}
    assert scores.summaries["crema_gqa"].percent == 50.0
    assert scores.empty_right == {"crema_gqa": 1}


def track_rows(answers: Iterator[str], track: str = "adaptation") -> RowSet:
    tags = {"track": track, "question_type": "open"}
    return RowSet(tuple(ResultRow(str(n), answer, ("5",), tags=tags) for n, answer in enumerate(answers)))


def test_delta_knowledge_compares_one_track_of_two_files() -> None:
    after, before = track_rows(iter("5556")), track_rows(iter("5566"))
    assert delta_scores(after, before, [VIDEOMMMU_STRICT]) == {"videommmu_strict": 50.0}


def test_delta_knowledge_refuses_what_cannot_be_compared() -> None:
    rows = track_rows(iter("56"))
    with pytest.raises(LavisError, match=r"'2' .*in one file only"):
        delta_scores(rows, track_rows(iter("566")), [VIDEOMMMU_STRICT])
    with pytest.raises(LavisError, match="--before has no question of the track"):
        delta_scores(rows, track_rows(iter("56"), "perception"), [VIDEOMMMU_STRICT])
    with pytest.raises(LavisError, match="none of exact_match counts by track"):
        delta_scores(rows, rows, [registry.require("metric", "exact_match")])
    with pytest.raises(LavisError, match="100 % already"):
        delta_scores(rows, track_rows(iter("55")), [VIDEOMMMU_STRICT])
