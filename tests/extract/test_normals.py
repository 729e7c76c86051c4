"""Normals of depth maps: planes whose normals are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.normals import NormalsLoader
from lavis.extract import Medium, extract_medium
from lavis.extract.layouts import millimetre_codes, png
from lavis.extract.normals import NormalsExtractor, focal_of_fov, normals_of_depth

HEIGHT, WIDTH, FOCAL_PX = 60, 80, 90.0


def plane_m(normal: tuple[float, float, float], distance_m: float) -> np.ndarray:
    """Return the depth of the plane n · p = -distance, in front of the camera."""
    x, y = np.meshgrid((np.arange(WIDTH) + 0.5 - WIDTH / 2), (np.arange(HEIGHT) + 0.5 - HEIGHT / 2))
    towards = (normal[0] * x + normal[1] * y) / FOCAL_PX + normal[2]
    return np.where(towards < -0.05, -distance_m / np.minimum(towards, -0.05), np.nan).astype(np.float32)


@pytest.mark.parametrize("normal", [(0.0, 0.0, -1.0), (0.6, 0.0, -0.8), (0.0, -0.8, -0.6), (-0.36, -0.48, -0.8)])
def test_a_plane_has_one_normal(normal: tuple[float, float, float]) -> None:
    normals = normals_of_depth(plane_m(normal, 2.0), focal_px=FOCAL_PX)
    known = np.isfinite(normals[..., 0])
    assert known.mean() > 0.9
    np.testing.assert_allclose(normals[known], np.broadcast_to(normal, normals[known].shape), atol=1e-3)


def test_a_step_keeps_both_sides_and_bends_neither() -> None:
    """Truth: two walls that face the camera, one 2 m behind the other."""
    depth_m = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    depth_m[:, WIDTH // 2 :] = 4.0
    np.testing.assert_allclose(
        normals_of_depth(depth_m, focal_px=FOCAL_PX), np.broadcast_to((0, 0, -1), (HEIGHT, WIDTH, 3)), atol=1e-6
    )


def test_unknown_depth_has_no_normal() -> None:
    depth_m = np.full((HEIGHT, WIDTH), 2.0, np.float32)
    depth_m[20:30, 20:30] = np.nan
    unknown = np.isnan(normals_of_depth(depth_m, focal_px=FOCAL_PX)).any(axis=-1)
    assert unknown[20:30, 20:30].all() and unknown.sum() == 100


@pytest.mark.parametrize(("layout", "atol"), [("float", 1e-3), ("image", 0.01)])
@pytest.mark.parametrize("stored", ["npy", "png"])
def test_layouts_read_back(tmp_path: Path, layout: str, atol: float, stored: str) -> None:
    truth = (0.0, -0.6, -0.8)
    depth_m = plane_m(truth, 2.0)
    (tmp_path / "in").mkdir()
    for number in range(2):
        if stored == "npy":
            np.save(tmp_path / "in" / f"{number}.npy", depth_m)
        else:
            (tmp_path / "in" / f"{number}.png").write_bytes(b"".join(png(millimetre_codes(depth_m))))
    extractor = NormalsExtractor(focal_px=FOCAL_PX, layout=layout)
    extract_medium(extractor, Medium("m", tmp_path / "in"), tmp_path / "out")
    clip = NormalsLoader.from_options(extractor.loader_options).load(tmp_path / "out" / "m", media_id="m")
    assert clip.array.shape == (2, HEIGHT, WIDTH, 3)
    middle = np.nanmedian(clip.array, axis=(0, 1, 2))
    np.testing.assert_allclose(middle, truth, atol=atol + (0.02 if stored == "png" else 0))


def test_depth_without_metres_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "0.png").write_bytes(b"".join(png(np.full((8, 8), 100, np.uint8))))
    with pytest.raises(ModalityError, match=r"0\.png.*uint8"):
        extract_medium(NormalsExtractor(), Medium("m", tmp_path / "in"), tmp_path / "out")


def test_the_angle_of_view_gives_the_focal_length() -> None:
    assert focal_of_fov(200, 90) == pytest.approx(100)
    with pytest.raises(ConfigError, match="one of them"):
        NormalsExtractor(focal_px=100, fov_deg=60)
    with pytest.raises(ConfigError, match="fov_deg"):
        NormalsExtractor(fov_deg=190)
