"""Where points lie in a voxel grid, as the reference's table says it."""

from __future__ import annotations

import crema_golden as golden
import numpy as np
import torch

from lavis.models.crema_models.points import N_VOXELS, WEIGHT, placed, position_table

WIDTH = 1408


def test_the_table_is_the_reference_s() -> None:
    """Its rows 0, 1, 2, 100 and 255, and the fingerprint of the whole."""
    golden.needs_golden()
    table = position_table(WIDTH)
    assert table.shape == (N_VOXELS, WIDTH // 3)
    np.testing.assert_allclose(table[[0, 1, 2, 100, 255]].numpy(), golden.arrays()["pos_embedding_rows"], atol=2e-5)
    np.testing.assert_allclose(golden.fingerprint(table), golden.arrays()["pos_embedding|fp"], atol=2e-5)


def test_the_code_of_zero_and_its_first_pair() -> None:
    """Sine and cosine take turns: 0, 1 at the origin; sin 1, cos 1 one voxel on, at the highest rate."""
    table = position_table(12)
    assert table[0].tolist() == [0.0, 1.0, 0.0, 1.0]
    np.testing.assert_allclose(table[1, :2].numpy(), [np.sin(1.0), np.cos(1.0)], atol=1e-6)


def test_each_axis_has_its_third_and_what_is_left_over_stays() -> None:
    features = torch.zeros(1, 2, 7)
    voxels = torch.tensor([[[3, 0, 0], [0, 3, 255]]])
    table = position_table(7)
    found = placed(features, voxels, table)
    torch.testing.assert_close(found[0, 0, :2], WEIGHT * table[3])
    torch.testing.assert_close(found[0, 1, 2:4], WEIGHT * table[3])
    torch.testing.assert_close(found[0, 1, 4:6], WEIGHT * table[255])
    assert found[..., 6].tolist() == [[0.0, 0.0]]


def test_numbers_of_voxels_may_come_as_floats_and_features_keep_their_precision() -> None:
    """A sample's ``pc`` is float32, as CREMA's; features on a GPU may be bfloat16."""
    features = torch.ones(1, 1, 6, dtype=torch.bfloat16)
    found = placed(features, torch.tensor([[[1.0, 2.0, 3.0]]]), position_table(6))
    assert found.dtype == torch.bfloat16
