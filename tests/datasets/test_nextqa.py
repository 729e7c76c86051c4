"""NExT-QA: every published form, CREMA's layout, spans."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from lavis.common.errors import AnnotationError, ConfigError, ModalityError
from lavis.datasets.builders.nextqa_builder import NextQABuilder
from lavis.datasets.datasets.nextqa_annotations import read_records
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.question import Media
from lavis.datasets.span import MediaSpan

HEADER = "video,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4\n"
ROW = "4010069381,369,640,480,how do they play,1,6,CH,roll,tap,strum,hit,pat\n"


def sevila(**changes: Any) -> dict[str, Any]:
    row = {
        **{"video": "1106/4010069381", "num_option": 3, "qid": "CH_4010069381_6", "a0": "roll.", "a1": "tap."},
        **{"a2": "hit.", "answer": 1, "question": "how do they play?"},
    }
    return {**row, **changes}


def csv_file(folder: Path, text: str = HEADER + ROW) -> Path:
    path = folder / "val.csv"
    path.write_text(text)
    return path


def json_file(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "val.json"
    path.write_text(json.dumps(rows))
    return path


def test_both_real_forms_hold_the_same_questions(shared_data: Path) -> None:
    folder = shared_data / "nextqa"
    official = read_records([folder / "val.csv"], video_map=folder / "map_vid_vidorID.json")
    crema = read_records([folder / "sevila_val.json"])
    assert len(official) == len(crema) == 4996
    for one, other in zip(official, crema, strict=True):
        assert (one.question_id, one.media_id, one.category, one.tags, one.media_names) == (
            *(other.question_id, other.media_id, other.category, other.tags, other.media_names),
        )
        assert list(one.options) == [option.removesuffix(".").strip() for option in other.options]
        assert f"{one.text}?" == other.text
    counts = {name: sum(one.category == name for one in official) for name in ("CW", "CH", "TN", "TC", "TP")}
    assert counts == {"CW": 1924, "CH": 683, "TN": 895, "TC": 663, "TP": 54}


def test_the_published_predictions_know_every_question_and_its_gold(shared_data: Path) -> None:
    folder = shared_data / "nextqa"
    published = json.loads((folder / "HGA-bert-ft-h256-val-example.json").read_text())
    records = {one.question_id: one for one in read_records([folder / "val.csv"])}
    assert records.keys() == published.keys()
    assert all(int(records[name].tags["gold_choice"]) == row["answer"] for name, row in published.items())


def test_grounded_answers_are_texts_and_their_spans_are_gold(tmp_path: Path) -> None:
    text = (HEADER + ROW).replace("video,", "video_id,").replace(",1,6,", ",tap,6,")
    spans = tmp_path / "gsub_val.json"
    spans.write_text(json.dumps({"4010069381": {"duration": 12, "fps": 29.9, "location": {"6": [[1.5, 3], [7, 9.2]]}}}))
    (one,) = read_records([csv_file(tmp_path, text)], gold_spans=spans)
    assert (one.answers, one.tags["gold_choice"]) == (("tap",), "1")
    assert one.gold_spans_s == ((1.5, 3.0), (7.0, 9.2))


def test_the_gold_span_is_hidden_with_the_gold(tmp_path: Path) -> None:
    from lavis.datasets.datasets.nextqa_dataset import NExTQADataset

    spans = tmp_path / "gsub_val.json"
    spans.write_text(json.dumps({"4010069381": {"location": {"6": [[1.5, 3]]}}}))
    data = NExTQADataset(ann_paths=[str(csv_file(tmp_path))], modalities=[], annotation_options={"gold_spans": spans})
    question = data.question(0)
    assert question.gold_spans_s and question.answers and question.tags
    blind = question.blind()
    assert (blind.gold_spans_s, blind.answers, blind.tags) == ((), (), {})


@pytest.mark.parametrize(
    "content",
    ["[]", '{"1": 3}', '{"1": {}}', '{"1": {"location": []}}', '{"1": {"location": {"6": [[3]]}}}',
     '{"1": {"location": {"6": [[3, 1]]}}}', '{"1": {"location": {"6": [["a", "b"]]}}}'],
)  # fmt: skip
def test_bad_spans_are_refused(tmp_path: Path, content: str) -> None:
    spans = tmp_path / "gsub_val.json"
    spans.write_text(content)
    with pytest.raises(AnnotationError, match="gsub_val"):
        read_records([csv_file(tmp_path)], gold_spans=spans)


def test_the_open_ended_form_has_no_options_and_may_repeat_ids(tmp_path: Path) -> None:
    text = (
        "video,frame_count,width,height,question,answer,qid,type\n1,9,6,4,what is it,a dog,0,DB\n1,9,6,4,who,man,0,DO\n"
    )
    first, second = read_records([csv_file(tmp_path, text)])
    assert (first.options, first.answers, first.category, first.tags) == ((), ("a dog",), "DB", {})
    assert second.question_id == "1_0#2"


def test_what_a_span_means_must_be_said(tmp_path: Path) -> None:
    path = json_file(tmp_path, sevila(start=0.25, end=0.5))
    with pytest.raises(AnnotationError, match="span_unit"):
        read_records([path])
    with pytest.raises(ConfigError, match="minutes"):
        read_records([path], span_unit="minutes")
    (one,) = read_records([path], span_unit="fraction")
    assert one.side["span"] == MediaSpan(0.25, 0.5, "fraction")
    assert one.media_id != "4010069381", "what an expert says of a part is kept apart from what it says of the whole"
    with pytest.raises(AnnotationError, match="which is none"):
        read_records([json_file(tmp_path, sevila(start=4, end=9))], span_unit="fraction")


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames" / "1106" / "4010069381"
    folder.mkdir(parents=True)
    for number in range(1, 41):
        Image.fromarray(np.full((12, 16, 3), 5 * number, np.uint8)).save(folder / f"{number}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [
        (MediaSpan(0.5, 1.0, "fraction"), 20, 40),
        (MediaSpan(2, 4, "seconds"), 8, 16),
        (MediaSpan(30, 99, "frames"), 30, 40),
        (MediaSpan(5, float("inf"), "seconds"), 20, 40),
    ],
)
def test_a_question_s_span_is_all_that_is_looked_at(frames: Path, span: MediaSpan, first: int, last: int) -> None:
    media = Media("v", {"frame": frames / "frames/1106/4010069381"}, {"span": span})
    indices = MediaReader(media, n_frames=4, modalities={"frame": {"rate_hz": 4}}).sampling().indices
    assert len(indices) == 4 and first <= indices[0] and indices[-1] < last
    assert indices[-1] - indices[0] >= (last - first) // 2


def test_a_span_without_a_rate_or_outside_is_an_error(frames: Path) -> None:
    sources = {"frame": frames / "frames/1106/4010069381"}
    with pytest.raises(ModalityError, match="rate_hz"):
        MediaReader(Media("v", sources, {"span": MediaSpan(1, 2, "seconds")})).sampling()
    with pytest.raises(ModalityError, match="40 frames"):
        MediaReader(Media("v", sources, {"span": MediaSpan(50, 60, "frames")})).sampling()


def test_videos_are_found_in_their_folder_or_flat(frames: Path) -> None:
    from lavis.datasets.datasets.nextqa_dataset import NExTQADataset

    mapping = frames / "map.json"
    mapping.write_text(json.dumps({"4010069381": "1106/4010069381"}))
    parts: dict[str, Any] = {
        **{"ann_paths": [str(csv_file(frames))], "modalities": ["frame"], "annotation_options": {"video_map": mapping}}
    }
    nested = NExTQADataset(frame_root=str(frames / "frames"), **parts).question(0)
    assert nested.media.sources["frame"] == frames / "frames/1106/4010069381"
    flat = NExTQADataset(frame_root=str(frames / "frames/1106"), **parts).question(0)
    assert flat.media.sources["frame"] == frames / "frames/1106/4010069381"


def builder(root: Path, **changes: Any) -> NextQABuilder:
    config = OmegaConf.load(NextQABuilder.default_config_path()).datasets.nextqa
    config.build_info.root = str(root)
    return NextQABuilder(OmegaConf.merge(config, OmegaConf.create(changes)))


def test_crema_s_suffix_layout_and_keys_are_read(frames: Path) -> None:
    json_file(frames, sevila())
    depth = frames / "frames_depth/1106/4010069381"
    depth.mkdir(parents=True)
    for number in range(1, 41):
        Image.fromarray(np.full((12, 16), 1000, np.uint16)).save(depth / f"{number}.png")
    made = builder(
        frames,
        data_type="videos",
        modality_type="rgb_depth",
        build_info={"videos": {"storage": "frames/"}, "annotations": {"val": {"storage": "val.json"}}},
    )
    assert made.data_type == ["frame", "depth"]
    sample = made.build_datasets(splits=["val"])["val"][0]
    assert tuple(sample["rgb"].shape) == (4, 3, 224, 224)
    assert tuple(sample["depth"].shape) == (3, 4, 224, 224)
    assert sample["qa_output"] == "Option B"
    assert "Option A: roll. Option B: tap. Option C: hit." in sample["qa_input"]
    assert sample["question_id"] == "CH_4010069381_6"


def test_a_modality_s_own_key_comes_before_the_suffix(frames: Path) -> None:
    csv_file(frames)
    for name in ("frames_depth", "elsewhere"):
        (frames / name).mkdir()
    assert builder(frames)._storage("depth") == str(frames / "frames_depth")
    assert builder(frames, build_info={"depth": {"storage": "elsewhere"}})._storage("depth") == str(
        frames / "elsewhere"
    )


def test_captions_of_each_second_are_read_out_of_the_published_archive(shared_data: Path) -> None:
    from lavis.datasets.loaders.captions import CaptionsLoader

    texts = CaptionsLoader().load(shared_data / "nextqa" / "nextqa_allcaps_1fps.zip", media_id="4984417707")
    assert len(texts) == 15
    assert texts[0].span_s == (0.0, 1.0) and texts[14].span_s == (14.0, 15.0)
    assert texts[0].text.startswith("The image showcases an outdoor setting, possibly a zoo")
