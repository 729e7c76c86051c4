"""A medium of the project's own sample, with the pose of one of its questions."""

from __future__ import annotations

import json

import pytest

from lavis.common.errors import ConfigError, UnknownNameError
from lavis.datasets.pose import forward_from_quaternion
from lavis.datasets.question import Media, Question
from lavis.datasets.sample import build_sample
from lavis.datasets.sample_medium import sample_medium
from lavis.experts.scene3d import Scene3DExpert


def test_a_question_gives_its_scene_pose_and_situation() -> None:
    """Truth: the sample's own annotation file."""
    root = build_sample()
    records = json.loads((root / "annotations" / "SQA_test.json").read_text(encoding="utf-8"))
    record = records[40]
    found = sample_medium("sqa3d", medium=str(record["question_id"]))

    assert found.media.media_id == record["scene_id"]
    assert found.situation == record["situation"]
    pose = found.media.side["pose"]
    assert pose.position_m == tuple(record["position"][:3])
    assert pose.forward == pytest.approx(forward_from_quaternion(*record["position"][3:]))
    assert found.media.sources["instances"] == root / "instances" / f"{record['scene_id']}.json"
    assert found.loader_options["frame"] == {"rate_hz": 8}


def test_a_scene_alone_is_that_of_its_first_question() -> None:
    found = sample_medium("sqa3d", medium="sample0003_00")
    assert found.media.media_id == "sample0003_00"
    assert found.media == sample_medium("sqa3d", medium="sample0003_00").media
    assert not Scene3DExpert().missing_needs(_question(found.media))
    assert sample_medium("sqa3d").media.media_id == "sample0000_00"


def test_what_a_sample_does_not_have_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no medium and no question 'sample0003_0'. Did you mean 'sample0003_00'"):
        sample_medium("sqa3d", medium="sample0003_0")
    with pytest.raises(UnknownNameError, match="Did you mean 'sqa3d'"):
        sample_medium("sqa4d")


def _question(media: Media) -> Question:
    return Question("q", "What is behind me?", media)
