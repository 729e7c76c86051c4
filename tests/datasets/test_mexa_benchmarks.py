"""Video-MMMU, MMAU, M3D-VQA, Touch-QA and Thermal-QA: what is particular to each."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from lavis.common.errors import AnnotationError, ConfigError
from lavis.datasets.datasets import clip_annotations, m3d_annotations, mmau_annotations, videommmu_annotations
from lavis.datasets.datasets.m3d_dataset import M3DDataset

# -- Video-MMMU ------------------------------------------------------------------------------------


def lecture(**changes: Any) -> dict[str, Any]:
    row = {
        **{"id": "validation_Energy_and_Power_3", "link_selected": " x ", "question": "Which? ", "answer": "B"},
        "options": ["first", " second ", "third"],
    }
    return {**row, **changes}


def tracks(folder: Path, **records: list[dict[str, Any]]) -> Path:
    path = folder / "tracks.json"
    path.write_text(json.dumps({name: {str(n): row for n, row in enumerate(rows)} for name, rows in records.items()}))
    return path


def test_the_tracks_share_videos_but_not_questions(tmp_path: Path) -> None:
    path = tracks(tmp_path, Perception=[lecture()], Comprehension=[lecture()], Adaptation=[lecture()])
    records = videommmu_annotations.read_records([path])
    assert [one.question_id.partition("_")[0] for one in records] == ["perception", "comprehension", "adaptation"]
    assert {one.media_id for one in records} == {"validation_Energy_and_Power_3"}
    assert records[0].tags == {
        **{"track": "perception", "subject": "Energy_and_Power", "domain": "Engineering"},
        **{"gold_choice": "1", "question_type": "multiple-choice"},
    }
    assert records[0].answers == ("second",)


def test_thirty_subjects_make_six_disciplines() -> None:
    assert len(videommmu_annotations.DOMAIN_OF) == 30
    assert len(videommmu_annotations.DOMAINS) == 6


@pytest.mark.parametrize(
    ("changes", "kind", "answers"),
    [
        ({"question_type": "open", "options": [], "answer": " 12.97 "}, "open", ("12.97",)),
        ({"question_type": "open", "options": [], "answer": "A"}, "open", ("A",)),
        ({"question_type": None}, "multiple-choice", ("second",)),
        ({"options": ["A. one", "B. two"], "answer": "B"}, "multiple-choice", ("two",)),
        ({"options": [str(n) for n in range(14)], "answer": "N"}, "multiple-choice", ("13",)),
        ({"options": ["same", "same"], "answer": "B"}, "multiple-choice", ("same",)),
    ],
)
def test_odd_published_records_are_read(tmp_path: Path, changes: dict[str, Any], kind: str, answers: Any) -> None:
    (one,) = videommmu_annotations.read_records([tracks(tmp_path, Adaptation=[lecture(**changes)])])
    assert (one.tags["question_type"], one.answers) == (kind, answers)


def test_mexa_s_list_form_names_the_track_in_its_uid(tmp_path: Path) -> None:
    path = tmp_path / "mexa.json"
    path.write_text(json.dumps([lecture(uid="Adaptation_validation_Energy_and_Power_3", vpath="x")]))
    (one,) = videommmu_annotations.read_records([path])
    assert one.question_id == "adaptation_validation_Energy_and_Power_3"


def test_an_image_at_the_end_of_the_video_is_explained(tmp_path: Path) -> None:
    (one,) = videommmu_annotations.read_records([tracks(tmp_path, Adaptation=[lecture(question="In <image 1>?")])])
    assert "end" in one.situation


@pytest.mark.parametrize(
    "changes",
    [
        *({"id": "validation_Astrology_1"}, {"id": "plain"}, {"answer": "b"}, {"answer": "AB"}, {"options": "abc"}),
        {"question_type": "open"},
    ],
)
def test_a_lecture_s_bad_record_is_named(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(AnnotationError, match=r"record (perception|Perception)"):
        videommmu_annotations.read_records([tracks(tmp_path, Perception=[lecture(**changes)])])


def test_an_unknown_track_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="Imagination"):
        videommmu_annotations.read_records([tracks(tmp_path, Imagination=[lecture()])])


# -- MMAU ------------------------------------------------------------------------------------------


def sound(**changes: Any) -> dict[str, Any]:
    row = {
        **{"id": "one", "audio_id": "./test-mini-audios/3fe64f3d.wav", "question": "Who speaks?", "answer": "Man"},
        **{"choices": ["Man", "Woman"], "dataset": "AudioSet", "task": "sound", "split": "test-mini"},
        **{"category": ["Reasoning"], "sub-category": "Acoustic", "difficulty": "Hard"},
    }
    return {key: value for key, value in {**row, **changes}.items() if value is not None}


def sounds(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "mmau-test-mini.json"
    path.write_text(json.dumps(rows))
    return path


def test_the_published_file_is_known_by_its_sha256(shared_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = shared_data / "mmau" / "mmau-test-mini.json"
    with caplog.at_level(logging.INFO):
        records = mmau_annotations.read_records([path])
    assert "2025-08-09" in caplog.text
    assert not [entry for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert {task: sum(one.category == task for one in records) for task in ("sound", "music", "speech")} == {
        **{"sound": 333, "music": 334, "speech": 333},
    }
    assert {one.tags["difficulty"] for one in records} == {"easy", "medium", "hard"}
    assert records[0].media_names[0] == "test-mini-audios/3fe64f3d-282c-4bc8-a753-68f8f6c35652"


def test_a_defective_version_is_read_and_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        bad, good = mmau_annotations.read_records([sounds(tmp_path, sound(answer="T,a"), sound(id="two"))])
    assert "1 of 2 gold answers are none of their choices, the first of one" in caplog.text
    assert "none of the versions" in caplog.text
    assert (bad.answers, "gold_choice" in bad.tags) == (("T,a",), False)
    assert good.tags["gold_choice"] == "0"


def test_the_first_version_has_no_ids_and_capital_difficulties(tmp_path: Path) -> None:
    (one,) = mmau_annotations.read_records([sounds(tmp_path, sound(id=None))])
    assert (one.question_id, one.tags["difficulty"]) == ("3fe64f3d", "hard")


def test_withheld_answers_are_no_gold(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (one,) = mmau_annotations.read_records([sounds(tmp_path, sound(answer=""))])
    assert one.answers == ()
    assert "1 of 1 answers are withheld" in caplog.text


# -- M3D-VQA ---------------------------------------------------------------------------------------


def scan_file(folder: Path, *rows: str) -> Path:
    path = folder / "M3D_VQA_test.csv"
    header = "Image Path,Text,Question Type,Question,Choice A,Choice B,Choice C,Choice D,Answer,Answer Choice"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_na_is_a_word_not_a_number(tmp_path: Path) -> None:
    path = scan_file(
        tmp_path,
        "M3D_Cap_npy/ct_case/1/a.npy,r,4,What?,NA,None,null,NA,NA,A",
        "M3D_Cap_npy/ct_case/1/a.npy,r,1,Which?,Axial,Coronal,NA,NA,Axial,A",
    )
    first, second = m3d_annotations.read_records([path])
    assert (first.options, first.answers) == (("NA", "None", "null"), ("NA",))
    assert (second.options, second.category) == (("Axial", "Coronal"), "plane")
    assert first.media_names == ("M3D_Cap_npy/ct_case/1/a", "ct_case/1/a")


def test_the_report_is_not_shown(tmp_path: Path) -> None:
    (one,) = m3d_annotations.read_records([scan_file(tmp_path, "a.npy,SECRET REPORT,1,Which?,A,B,C,D,A,A")])
    assert "SECRET" not in repr(one)


def test_the_real_row(shared_data: Path) -> None:
    (one,) = m3d_annotations.read_records([shared_data / "m3d" / "M3D_VQA.one_real_row.csv"])
    assert (one.category, one.answers, one.options[3]) == ("organ", ("Lung",), "Lymph nodes")
    (free,) = m3d_annotations.read_records([shared_data / "m3d" / "M3D_VQA.one_real_row.csv"], open_ended=True)
    assert (free.options, free.answers) == ((), ("Lung",))


def test_an_answer_that_differs_from_its_letter_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (one,) = m3d_annotations.read_records([scan_file(tmp_path, "a.npy,r,1,Which?,Axial,Coronal,NA,NA,Coronal,A")])
    assert one.answers == ("Axial",)
    assert "1 of 1 rows" in caplog.text


# -- Touch-QA, Thermal-QA --------------------------------------------------------------------------


def test_real_thermal_records_are_read_with_global_ids(shared_data: Path) -> None:
    folder = shared_data / "thermalqa"
    records = clip_annotations.read_records(
        [folder / "thermalqa_train.first9.json", folder / "thermalqa_val.first7.json"]
    )
    assert [one.question_id for one in records] == [*map(str, range(9)), *map(str, range(149, 156))]
    assert records[0].answers == ("touch phone",)
    assert records[0].media_id == "0", "its medium is the clip that is cut for it"


@pytest.mark.parametrize(
    ("changes", "choice"),
    [({"options": ["a", "b"], "answer": "b"}, "1"), ({"options": ["a", "b"], "answer": 0}, "0"),
     ({"num_option": 2, "a0": "x", "a1": "y", "answer": 1}, "1")],
)  # fmt: skip
def test_clips_may_have_options(tmp_path: Path, changes: dict[str, Any], choice: str) -> None:
    path = tmp_path / "touch_val.json"
    path.write_text(json.dumps([{"video_id": "v", "question_id": 3, "question": "What?", "start": 3, **changes}]))
    (one,) = clip_annotations.read_records([path])
    assert one.tags["gold_choice"] == choice
    assert len(one.options) == 2


def test_a_split_without_options_is_scored_by_rules_for_texts(tmp_path: Path) -> None:
    path = str(scan_file(tmp_path, "a.npy,r,1,Which?,Axial,Coronal,NA,NA,Axial,A"))
    assert M3DDataset(ann_paths=[path], modalities=[]).metrics[0] == "m3d_closed"
    open_ended = M3DDataset(ann_paths=[path], modalities=[], annotation_options={"open_ended": True})
    assert open_ended.metrics == ("accuracy", "m3d_bleu1", "m3d_rouge1")


def test_an_unknown_option_of_the_annotation_names_the_nearest(tmp_path: Path) -> None:
    path = str(scan_file(tmp_path, "a.npy,r,1,Which?,Axial,Coronal,NA,NA,Axial,A"))
    with pytest.raises(ConfigError, match=r"annotation_options\.open_end: .*open_ended"):
        M3DDataset(ann_paths=[path], modalities=[], annotation_options={"open_end": True})
