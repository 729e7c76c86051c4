"""MUSIC-AVQA: every release, every placeholder."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from lavis.common.errors import AnnotationError
from lavis.datasets.datasets.musicavqa_annotations import read_records
from lavis.datasets.datasets.musicavqa_dataset import MusicAVQADataset, MusicAVQAInstructDataset


def record(**changes: Any) -> dict[str, Any]:
    row = {
        **{"video_id": "00002951", "question_id": 3952, "type": '["Audio-Visual", "Comparative"]'},
        "question_content": "Is the <Object> on the <LR> more rhythmic than the <Object> on the <LR>?",
        "templ_values": '["banjo", "left", "acoustic_guitar", "right"]',
        **{"question_deleted": 0, "anser": "more_than_ten"},
    }
    return {**row, **changes}


def written(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "avqa-test.json"
    path.write_text(json.dumps(rows))
    return path


def test_placeholders_take_their_values_from_left_to_right(tmp_path: Path) -> None:
    (one,) = read_records([written(tmp_path, record())])
    assert one.text == "Is the banjo on the left more rhythmic than the acoustic guitar on the right?"
    assert one.answers == ("more than ten",)
    assert (one.category, one.tags["modality"], one.tags["type"]) == (
        *("Audio-Visual/Comparative", "Audio-Visual", "Comparative"),
    )


def test_every_question_of_the_test_split_is_filled_rightly(shared_data: Path) -> None:
    path = shared_data / "music_avqa" / "avqa-test.json"
    rows = json.loads(path.read_text())
    corrupted_by_the_reference = 0
    for row, one in zip(rows, read_records([path]), strict=True):
        values = json.loads(row["templ_values"])
        # Another way to the same: cut the template at its placeholders and put the values between the pieces.
        pieces = re.split(r"<[A-Za-z]+>", row["question_content"])
        assert len(pieces) == len(values) + 1
        whole = "".join(piece + value for piece, value in zip(pieces, [*values, ""], strict=True))
        assert one.text == whole.replace("_", " ").strip()
        replaced_everywhere = row["question_content"]
        for name, value in zip(re.findall(r"<[A-Za-z]+>", row["question_content"]), values, strict=True):
            replaced_everywhere = replaced_everywhere.replace(name, value)
        corrupted_by_the_reference += replaced_everywhere != whole
    assert corrupted_by_the_reference == 2258


def test_the_nine_types_and_the_vocabulary_of_the_test_split(shared_data: Path) -> None:
    from omegaconf import OmegaConf

    from lavis.datasets.builders.musicavqa_builder import MusicAVQABuilder

    records = read_records([shared_data / "music_avqa" / "avqa-test.json"])
    counts: dict[str, int] = {}
    for one in records:
        counts[one.category] = counts.get(one.category, 0) + 1
    assert counts == {
        **{"Audio/Counting": 1017, "Audio/Comparative": 594, "Visual/Counting": 1197, "Visual/Location": 1225},
        **{"Audio-Visual/Existential": 988, "Audio-Visual/Counting": 1265, "Audio-Visual/Location": 920},
        **{"Audio-Visual/Comparative": 1101, "Audio-Visual/Temporal": 822},
    }
    config = OmegaConf.load(MusicAVQABuilder.default_config_path()).datasets.musicavqa_mm
    vocabulary = list(config.build_info.answer_vocabulary.answers)
    assert len(set(vocabulary)) == len(vocabulary) == 42
    assert {one.answers[0] for one in records} < set(vocabulary)


def test_the_second_version_s_records_are_read(tmp_path: Path) -> None:
    rows = [
        {
            **{"video_id": "sa00006547", "unmatch_audio": "00008531", "audio_instrument": "pipa"},
            **{"question_content": "Is this sound from the instrument in the video?", "anser": "no"},
            **{"templ_values": [], "type": '["Audio-Visual", "Existential"]'},
        },
        {
            **{"video_id": "-az-4i7soZ0_flip", "question_content": "Which <Object> makes the sound <FL>?"},
            **{"templ_values": '["xylophone", "last"]', "anser": "right", "type": '["Audio-Visual", "Temporal"]'},
        },
        record(video_id="6cjIJVzP6eI_#03", question_content="Is there a <Object> sound?", templ_values='["tuba"]'),
    ]
    records = read_records([written(tmp_path, *rows)])
    assert [one.question_id for one in records] == ["sa00006547_0", "-az-4i7soZ0_flip_1", "3952"]
    assert records[1].text == "Which xylophone makes the sound last?"
    assert records[2].media_id == "6cjIJVzP6eI_#03"


def test_repeated_ids_with_other_answers_all_count_and_are_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        records = read_records([written(tmp_path, record(), record(anser="no"), record(question_id=1))])
    assert [(one.question_id, one.answers[0]) for one in records] == [
        *(("3952", "more than ten"), ("3952#2", "no"), ("1", "more than ten")),
    ]
    assert "1 question ids occur more than once, 1 of them with different answers" in caplog.text


@pytest.mark.parametrize("values", ['["banjo"]', "[]", '["a", "b", "c", "d", "e"]'])
def test_too_few_or_many_values_are_refused(tmp_path: Path, values: str) -> None:
    with pytest.raises(AnnotationError, match=r"record 3952 has 4 placeholders and \d values"):
        read_records([written(tmp_path, record(templ_values=values))])


@pytest.mark.parametrize("key", ["type", "templ_values"])
@pytest.mark.parametrize("value", ["not json", "3", '{"a": 1}', "[[]]", "[" * 5000])
def test_json_inside_json_that_is_none_is_refused(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(AnnotationError, match="record 3952"):
        read_records([written(tmp_path, record(**{key: value}))])


def test_a_video_id_is_never_a_number(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match="video_id"):
        read_records([written(tmp_path, record(video_id=2951))])


def test_samples_carry_crema_s_keys(tmp_path: Path) -> None:
    parts: dict[str, Any] = {"ann_paths": [str(written(tmp_path, record()))], "modalities": []}
    sample = MusicAVQADataset(**parts)[0]
    assert sample["qa_input"].startswith("Question: Is the banjo on the left")
    assert (sample["answers"], sample["question_id"], sample["sample_id"]) == ("more than ten", "3952", "00002951")
    assert "answer" not in sample
    assert MusicAVQAInstructDataset(**parts)[0]["answer"] == "more than ten"
