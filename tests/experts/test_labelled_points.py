"""Truth: points that fill boxes of known place, size and colour, read back through the loader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.point_cloud import PointCloudLoader
from lavis.experts.inventory import InventoryExpert
from lavis.experts.labelled_points import instances_from_points

NAMES = {1: "table", 2: "chair", 3: "speck"}


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A brown table of 1.6 x 0.8 x 0.7 m, a red chair of 0.5 m beside it, 5 points of a speck, and 500 of nothing."""
    rng = np.random.default_rng(0)
    parts = [
        (0, 500, (0.0, 0.0, 1.0), (6.0, 6.0, 2.0), (128, 128, 128)),
        (1, 4000, (1.0, 2.0, 0.35), (1.6, 0.8, 0.7), (110, 70, 30)),
        (2, 2000, (2.2, 2.0, 0.45), (0.5, 0.5, 0.9), (200, 20, 20)),
        (3, 5, (0.0, 0.0, 0.0), (0.1, 0.1, 0.1), (0, 0, 0)),
    ]
    xyz = np.concatenate([np.array(c) + (rng.random((n, 3)) - 0.5) * np.array(s) for _, n, c, s, _ in parts])
    path = tmp_path / "scene1.npz"
    np.savez(
        path,
        xyz=xyz.astype(np.float32),
        rgb=np.concatenate([np.tile(np.uint8(color), (n, 1)) for _, n, _, _, color in parts]),
        instance=np.concatenate([np.full(n, number) for number, n, _, _, _ in parts]),
    )
    return path


def test_boxes_are_those_that_the_points_fill(stored: Path) -> None:
    table, chair = instances_from_points(PointCloudLoader().load(stored, media_id="scene1"), NAMES)
    assert (table.label, table.color, chair.label, chair.color) == ("table", "brown", "chair", "red")
    assert table.center_m == pytest.approx((1.0, 2.0, 0.35), abs=0.03)
    assert table.size_m == pytest.approx((1.6, 0.8, 0.7), abs=0.06)
    assert "chair and table" in InventoryExpert().write((table, chair))


def test_stray_points_do_not_stretch_a_box(stored: Path) -> None:
    cloud = PointCloudLoader().load(stored, media_id="scene1")
    cloud.array[np.flatnonzero(cloud.extras["instance"] == 2)[:5]] = 50.0
    assert max(instances_from_points(cloud, {2: "chair"})[0].size_m) < 1.0


def test_clouds_without_numbers_or_without_named_ones_are_errors(stored: Path, tmp_path: Path) -> None:
    cloud = PointCloudLoader().load(stored, media_id="scene1")
    with pytest.raises(ModalityError, match="scene1: none of the 1 named instances has 10 points"):
        instances_from_points(cloud, {3: "speck"})
    bare = tmp_path / "bare.npz"
    np.savez(bare, xyz=np.zeros((4, 3), np.float32))
    with pytest.raises(ModalityError, match=r"bare: the points of .*bare\.npz carry no instance numbers"):
        instances_from_points(PointCloudLoader().load(bare, media_id="bare"), NAMES)
