"""SQA3D from real annotation files and small ones on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image

from lavis.common.errors import AnnotationError, ConfigError, ModalityError
from lavis.datasets.builders.sqa3d_builder import SQA3DBuilder
from lavis.datasets.datasets.benchmark_dataset import read_vocabulary
from lavis.datasets.datasets.sqa3d_annotations import read_records
from lavis.datasets.datasets.sqa3d_dataset import SQA3DDataset

SCENE = "scene0000_00"


def record(**changes: Any) -> dict[str, Any]:
    row = {
        "scene_id": SCENE,
        "situation": "I sit on the sofa.",
        "question": "What (exactly) is Behind me?",
        "question_id": 7,
        "answers": ["lamp"],
        "position": [1.0, 2.0, 0.0, 0, 0, 0.0, 1.0],
    }
    return {key: value for key, value in {**row, **changes}.items() if value is not None}


def annotation(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "SQA_test.json"
    path.write_text(json.dumps(list(rows)))
    return path


def dataset(path: Path, **parts: Any) -> SQA3DDataset:
    return SQA3DDataset(ann_paths=[str(path)], **{"modalities": [], **parts})


def test_both_forms_hold_the_same_questions(shared_data: Path) -> None:
    folder = shared_data / "sqa3d"
    official = read_records([folder / "v1_balanced_questions_test_scannetv2.json"])
    scanqa = read_records([folder / "SQA_test.json"])
    assert len(official) == len(scanqa) == 3519
    assert len({one.media_id for one in official}) == 67
    for one, other in zip(official, scanqa, strict=True):
        assert (one.question_id, one.media_id, one.situation, one.text) == (
            *(other.question_id, other.media_id, other.situation, other.text),
        )
        assert one.side["pose"] == other.side["pose"]
    changed = sum(one.answers != other.answers for one, other in zip(official, scanqa, strict=True))
    assert changed in (0, 95), "the official converter turns 95 answers outside its vocabulary into 'unknown'"


def test_the_first_official_record_is_read_as_it_stands(shared_data: Path) -> None:
    first = read_records([shared_data / "sqa3d" / "v1_balanced_questions_test_scannetv2.json"])[0]
    assert (first.question_id, first.media_id, first.answers) == ("220602000002", "scene0050_00", ("piano",))
    pose = first.side["pose"]
    assert pose.position_m == pytest.approx((0.7110, -0.0322, 0.0), abs=1e-4)
    assert np.linalg.norm(pose.forward) == pytest.approx(1.0)


def test_the_official_vocabulary_has_706_answers(shared_data: Path) -> None:
    vocabulary = read_vocabulary(shared_data / "sqa3d" / "answer_dict.json")
    assert len(vocabulary) == 706
    assert "TV" in vocabulary


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("3", "neither a list"),
        ("[]", "No question"),
        ("[3]", "record 0 is 3, not an object"),
        (json.dumps([record(scene_id=None)]), r"record 7 has no 'scene_id'"),
        (json.dumps([record(question=None)]), r"record 7 has no 'question'"),
        (json.dumps([record(answers=[])]), r"record 7 has no answer"),
        (json.dumps([record(), record()]), r"question id 7 occurs twice"),
    ],
)
def test_bad_annotations_name_file_and_record(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "SQA_test.json"
    path.write_text(content)
    with pytest.raises(AnnotationError, match=message) as caught:
        read_records([path])
    assert "SQA_test.json" in str(caught.value)


def test_an_absent_annotation_file_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"build_info\.root"):
        read_records([tmp_path / "gone.json"])


def test_a_question_without_its_annotation_is_named(tmp_path: Path) -> None:
    questions = tmp_path / "v1_balanced_questions_test_scannetv2.json"
    questions.write_text(json.dumps({"questions": [record()]}))
    beside = tmp_path / "v1_balanced_sqa_annotations_test_scannetv2.json"
    beside.write_text(json.dumps({"annotations": []}))
    with pytest.raises(AnnotationError, match="question 7"):
        read_records([questions])


@pytest.mark.parametrize("scene", ["../secret", "/etc", "a/../../b", "..", ""])
def test_a_scene_id_that_climbs_out_of_its_root_is_refused(tmp_path: Path, scene: str) -> None:
    with pytest.raises(AnnotationError, match=r"SQA_test\.json: record 7 "):
        read_records([annotation(tmp_path, record(scene_id=scene))])


def test_a_link_out_of_the_root_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    elsewhere, frames = tmp_path / "elsewhere" / SCENE, tmp_path / "frames"
    elsewhere.mkdir(parents=True)
    frames.mkdir()
    (frames / SCENE).symlink_to(elsewhere)
    parts: dict[str, Any] = {"modalities": ["frame"], "frame_root": str(frames)}
    with pytest.raises(AnnotationError, match="follow_links"):
        dataset(annotation(tmp_path, record()), **parts).question(0)
    followed = dataset(annotation(tmp_path, record()), follow_links=True, **parts).question(0)
    assert followed.media.sources == {"frame": frames / SCENE}


def test_a_question_carries_scene_sources_and_pose(tmp_path: Path) -> None:
    roots = {f"{name}_root": str(tmp_path / name) for name in ("frame", "depth")}
    question = dataset(annotation(tmp_path, record()), modalities=["frame", "depth"], **roots).question(0)
    assert question.media.sources == {"frame": tmp_path / "frame" / SCENE, "depth": tmp_path / "depth" / SCENE}
    assert question.media.side["pose"].position_m == (1.0, 2.0, 0.0)
    assert (question.category, question.answers, question.situation) == ("what", ("lamp",), "I sit on the sofa.")


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """Nine frames and depth maps of a scene: frame k is grey 10 k, depth k is k + 1 m with a hole."""
    for name in ("frames", "depth"):
        (tmp_path / name / SCENE).mkdir(parents=True)
    for number in range(9):
        Image.fromarray(np.full((30, 40, 3), 10 * number, np.uint8)).save(tmp_path / f"frames/{SCENE}/{number:05d}.png")
        depth = np.full((30, 40), 1000 * (number + 1), np.uint16)
        depth[0, 0] = 0
        Image.fromarray(depth).save(tmp_path / f"depth/{SCENE}/{number:05d}.png")
    return tmp_path


def test_a_sample_is_crema_s_dict_with_aligned_modalities(media: Path) -> None:
    from lavis.processors import load_processor

    data = dataset(
        annotation(media, record()),
        modalities=["depth", "frame"],  # the order that the reference cannot read
        text_processor=load_processor("blip_question"),
        frame_root=str(media / "frames"),
        depth_root=str(media / "depth"),
        n_frames=4,
    )
    sample = data[0]
    assert sample["qa_input"].startswith("i sit on the sofa. Question: what exactly is behind me?")
    assert (sample["qa_output"], sample["question_id"], sample["scene_id"]) == ("lamp", "What_7", 0)
    assert sample["rgb"].shape == (4, 224, 224, 3)
    assert sample["rgb"][:, 100, 100, 0].tolist() == [10, 30, 50, 70]  # interval midpoints of 9 frames
    assert sample["depth"].shape == (4, 224, 224, 3)
    assert sample["depth"][:, 100, 100, 0].tolist() == [0, 85, 170, 255]  # 2, 4, 6, 8 m over the clip's range


def test_the_builder_gives_crema_s_tensor_shapes(media: Path) -> None:
    annotation(media, record())
    (media / "answer_dict.json").write_text('["lamp"]')
    config = OmegaConf.load(SQA3DBuilder.default_config_path()).datasets.sqa3d
    config.build_info.root = str(media)
    config.build_info.annotations = {"test": {"storage": "SQA_test.json"}}
    builder = SQA3DBuilder(config)
    assert builder.data_type == ["depth", "frame"]
    data = builder.build_datasets(splits=["test"])["test"]
    sample = data[0]
    assert tuple(sample["rgb"].shape) == (4, 3, 224, 224)
    assert tuple(sample["depth"].shape) == (3, 4, 224, 224)
    assert data.answer_vocabulary == ("lamp",)
    batch = data.collater([sample, sample])
    assert tuple(batch["rgb"].shape) == (2, 4, 3, 224, 224)
    assert batch["question_id"] == ["What_7", "What_7"]


def test_a_scene_folder_that_is_missing_is_named_with_its_question(media: Path) -> None:
    path = annotation(media, record(scene_id="scene0099_00"))
    data = dataset(path, modalities=["frame"], frame_root=str(media / "frames"))
    with pytest.raises(ModalityError, match=r"Question 7: .*scene0099_00"):
        data[0]


@pytest.mark.parametrize(
    ("root", "message"), [(None, "SQA3D_ROOT"), ("/nowhere/at/all", r"SQA3D_ROOT\): /nowhere/at/all is no folder")]
)
def test_a_root_that_is_not_there_says_what_to_set(root: str | None, message: str) -> None:
    config = OmegaConf.load(SQA3DBuilder.default_config_path()).datasets.sqa3d
    config.build_info.root = root
    with pytest.raises(ConfigError, match=message):
        SQA3DBuilder(config)


def test_media_of_two_questions_on_a_scene_are_read_alike(media: Path) -> None:
    path = annotation(media, record(), record(question_id=8, question="Is it big?"))
    data = dataset(path, modalities=["frame"], frame_root=str(media / "frames"))
    assert (data[0]["rgb"] == data[1]["rgb"]).all()
