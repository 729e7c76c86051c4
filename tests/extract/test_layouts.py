"""Codes of maps: what they say, and what they can't."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lavis.extract.layouts import (
    FolderSink,
    flow_codes,
    millimetre_codes,
    normal_codes,
    relative_codes,
    stretched,
)


def test_millimetres_know_their_limits() -> None:
    depth_m = np.array([[1.2344, 65.535, 65.6, np.nan, 0.0004, -1.0, np.inf]], np.float32)
    assert millimetre_codes(depth_m).tolist() == [[1234, 65535, 0, 0, 0, 0, 0]]


def test_relative_codes_keep_0_for_the_unknown() -> None:
    assert relative_codes(np.array([[0, 0.5, 1, np.nan, 2]])).tolist() == [[1, 128, 255, 0, 255]]


def test_a_frame_is_stretched_over_what_is_known() -> None:
    np.testing.assert_allclose(stretched(np.array([[2.0, 4.0, 3.0, np.nan]])), [[0, 1, 0.5, np.nan]])
    np.testing.assert_allclose(stretched(np.array([[2.0, np.nan]])), [[0.5, np.nan]])
    assert np.isnan(stretched(np.full((1, 2), np.nan))).all()


def test_normals_are_coded_as_their_loader_reads_them() -> None:
    codes = normal_codes(np.array([[[0, 0, -1], [1, 0, 0], [np.nan, 0, 0]]]))
    assert codes.tolist() == [[[128, 128, 0], [255, 128, 128], [0, 0, 0]]]


def test_flow_is_clipped_to_its_range_and_blue_is_empty() -> None:
    code = flow_codes(-20.48, 20.32)
    assert code(np.array([[[0, 0], [20.32, -20.48], [99, -99], [0.16, -0.16]]], np.float32)).tolist() == [
        [[128, 128, 0], [255, 0, 0], [255, 0, 0], [129, 127, 0]]
    ]


def test_a_sixth_digit_follows_the_fifth(tmp_path: Path) -> None:
    sink = FolderSink(tmp_path / "m", ".x")
    sink._number = 99_998
    for data in (b"a", b"b"):
        sink.write((data,))
    assert sorted(file.name for file in (tmp_path / "m").iterdir()) == ["100000.x", "99999.x"]
    with pytest.raises(FileExistsError):
        FolderSink(tmp_path / "m", ".x")
