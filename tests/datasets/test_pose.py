"""SQA3D's quaternions, both ways."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from lavis.common.errors import AnnotationError
from lavis.datasets.pose import forward_from_quaternion, quaternion_from_forward


def rotation_matrix(x: float, y: float, z: float, w: float) -> np.ndarray:
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def test_the_gaze_is_opposite_to_the_turned_x_axis() -> None:
    """Truth: the identity looks along -x; a quarter turn to the left of it along -y."""
    assert forward_from_quaternion(0, 0, 0, 1) == pytest.approx((-1, 0))
    half = math.sqrt(0.5)
    assert forward_from_quaternion(0, 0, half, half) == pytest.approx((0, -1))


def test_real_annotations_agree_with_the_negated_rotation_matrix(shared_data: Path) -> None:
    path = shared_data / "sqa3d" / "v1_balanced_sqa_annotations_test_scannetv2.json"
    for record in json.loads(path.read_text())["annotations"][:200]:
        quaternion = [record["rotation"][key] for key in ("_x", "_y", "_z", "_w")]
        expected = -rotation_matrix(*quaternion)[:2, 0]
        assert forward_from_quaternion(*quaternion) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("yaw_deg", range(-180, 181, 15))
def test_there_and_back(yaw_deg: int) -> None:
    forward = (math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg)))
    quaternion = quaternion_from_forward((3 * forward[0], 3 * forward[1]))
    assert math.hypot(*quaternion) == pytest.approx(1)
    assert forward_from_quaternion(*quaternion) == pytest.approx(forward, abs=1e-12)


def test_what_has_no_gaze_is_an_error() -> None:
    with pytest.raises(AnnotationError, match="no gaze"):
        forward_from_quaternion(0, 0, 0, 0)
    with pytest.raises(AnnotationError, match="no gaze"):
        forward_from_quaternion(0, math.sqrt(0.5), 0, math.sqrt(0.5))
    with pytest.raises(AnnotationError, match="no direction"):
        quaternion_from_forward((0.0, 0.0))
