"""Volumes: what was stored comes back as [d, h, w] with its geometry; what is not one volume is an error."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from lavis.common.errors import AnnotationError, ConfigError, ModalityError
from lavis.datasets.loaders.volume import VolumeLoader

D, H, W = 4, 5, 6


@pytest.fixture
def voxels() -> np.ndarray:
    return np.random.default_rng(0).random((D, H, W)).astype(np.float32)


def nifti(path: Path, array: np.ndarray, **header: object) -> Path:
    """Write [d, h, w] as NIfTI's own (w, h, d)."""
    import nibabel

    affine = np.array([[-0.5, 0, 0, 10], [0, 0.75, 0, 20], [0, 0, 3, 30], [0, 0, 0, 1]])
    image = nibabel.Nifti1Image(array.T, affine)
    image.header.set_xyzt_units(header.pop("unit", "mm"))
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("axes", [3, 4])
def test_npy_of_m3d_is_read_and_mapped(tmp_path: Path, voxels: np.ndarray, axes: int) -> None:
    np.save(tmp_path / "v.npy", voxels if axes == 3 else voxels[None])
    clip = VolumeLoader().load(tmp_path / "v.npy", media_id="v")

    np.testing.assert_array_equal(clip.array, voxels)
    assert clip.array.dtype == np.float32 and clip.shape == "d h w" and clip.unit == "0 … 1"
    assert isinstance(clip.array, np.memmap) and not clip.extras and clip.timestamps_s == ()


def test_other_numbers_are_stored_values_and_nan_stays(tmp_path: Path, voxels: np.ndarray) -> None:
    np.save(tmp_path / "hu.npy", (voxels * 2000 - 1000).astype(np.int16))
    hounsfield = VolumeLoader().load(tmp_path / "hu.npy", media_id="v")
    assert hounsfield.unit == "stored" and hounsfield.array.dtype == np.float32 and hounsfield.array.min() < -900
    voxels[0, 0, 0] = np.nan
    voxels[1] = np.nan
    np.save(tmp_path / "nan.npy", voxels)
    clip = VolumeLoader().load(tmp_path / "nan.npy", media_id="v")
    np.testing.assert_array_equal(clip.array, voxels)
    assert clip.unit == "0 … 1"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_comes_with_slope_spacing_and_affine(tmp_path: Path, suffix: str) -> None:
    stored = np.arange(D * H * W, dtype=np.int16).reshape(D, H, W)
    path = nifti(tmp_path / f"ct{suffix}", stored)
    content = bytearray(gzip.decompress(path.read_bytes()) if suffix == ".nii.gz" else path.read_bytes())
    content[112:120] = np.array([2.0, -1000.0], "<f4").tobytes()  # scl_slope, scl_inter
    path.write_bytes(gzip.compress(bytes(content)) if suffix == ".nii.gz" else content)

    clip = VolumeLoader().load(path, media_id="ct")

    np.testing.assert_array_equal(clip.array, stored * 2.0 - 1000)
    assert clip.array.dtype == np.float32 and clip.unit == "stored" and clip.array.flags.c_contiguous
    np.testing.assert_allclose(clip.extras["spacing_mm"], [3, 0.75, 0.5])
    np.testing.assert_allclose(clip.extras["affine"] @ [1, 2, 4, 1], [10 - 2, 20 + 1.5, 30 + 3, 1])


def test_units_other_than_mm_are_converted_and_a_made_up_affine_is_left_out(tmp_path: Path) -> None:
    voxels = np.zeros((D, H, W), np.float32)
    metres = VolumeLoader().load(nifti(tmp_path / "m.nii", voxels, unit="meter"), media_id="v")
    np.testing.assert_allclose(metres.extras["spacing_mm"], [3000, 750, 500])
    np.testing.assert_allclose(metres.extras["affine"][:3, 3], [10000, 20000, 30000])
    path = nifti(tmp_path / "none.nii", voxels)
    content = bytearray(path.read_bytes())
    content[252:256] = bytes(4)  # qform_code, sform_code
    path.write_bytes(content)
    assert set(VolumeLoader().load(path, media_id="v").extras) == {"spacing_mm"}


def test_a_series_of_one_is_a_volume_and_of_two_is_an_error(tmp_path: Path, voxels: np.ndarray) -> None:
    one = nifti(tmp_path / "one.nii", voxels[None])
    np.testing.assert_array_equal(VolumeLoader().load(one, media_id="v").array, voxels)
    two = nifti(tmp_path / "two.nii", np.stack([voxels, voxels]))
    with pytest.raises(ModalityError, match=r"v: .*two\.nii is a series"):
        VolumeLoader().load(two, media_id="v")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".npy"])
def test_files_cut_anywhere_are_errors(tmp_path: Path, voxels: np.ndarray, suffix: str) -> None:
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".npy":
        np.save(whole, voxels)
    else:
        nifti(whole, voxels)
    content = whole.read_bytes()
    for length in (0, 3, 100, len(content) // 2, len(content) - 1):
        cut = tmp_path / f"cut{suffix}"
        cut.write_bytes(content[:length])
        with pytest.raises(ModalityError, match=rf"v: .*cut\{suffix}"):
            VolumeLoader().load(cut, media_id="v")


def test_flipped_bytes_of_a_header_never_escape_as_another_error(tmp_path: Path, voxels: np.ndarray) -> None:
    content = nifti(tmp_path / "v.nii", voxels).read_bytes()
    generator = np.random.default_rng(0)
    path = tmp_path / "flipped.nii"
    for _ in range(150):
        damaged = bytearray(content)
        for at in generator.integers(0, 352, 4):
            damaged[at] = generator.integers(256)
        path.write_bytes(damaged)
        try:
            assert VolumeLoader().load(path, media_id="v").array.ndim == 3
        except ModalityError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 3)), r"shape \(2, 3\)"),
        (np.zeros((2, 3, 4, 5)), r"shape \(2, 3, 4, 5\)"),
        (np.zeros((0, 3, 4)), r"shape \(0, 3, 4\)"),
        (np.zeros((2, 3, 4), complex), "complex128"),
        (np.full((2, 3, 4), "a"), "<U1"),
        (np.full((2, 3, 4), None), "[Oo]bject"),
        (np.full((2, 3, 4), np.nan), "no value"),
        (np.full((2, 3, 4), np.inf), "infinite values"),
    ],
)
def test_arrays_that_are_no_volume(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "bad.npy", array, allow_pickle=True)
    with pytest.raises(ModalityError, match=rf"v: .*bad\.npy.*{message}"):
        VolumeLoader().load(tmp_path / "bad.npy", media_id="v")


def test_bounds_hold_before_data_are_read(tmp_path: Path) -> None:
    """The headers promise terabytes; no such file is there."""
    path = nifti(tmp_path / "bomb.nii.gz", np.zeros((2, 2, 2), np.int16))
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[40:48] = np.array([3, 30000, 30000, 30000], "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(ModalityError, match="max_voxels is 268435456"):
        VolumeLoader().load(path, media_id="v")
    np.save(tmp_path / "v.npy", np.zeros((D, H, W)))
    with pytest.raises(ModalityError, match=r"has 120 voxels .* set the volume option max_voxels"):
        VolumeLoader(max_voxels=119).load(tmp_path / "v.npy", media_id="v")
    with pytest.raises(ConfigError):
        VolumeLoader(max_voxels=0)


def test_where_volumes_lie(tmp_path: Path) -> None:
    def locate(name: str) -> Path:
        return VolumeLoader.locate(tmp_path, name, annotation="record 1")

    assert locate("a") == tmp_path / "a.npy"
    assert locate("ct_case/007789/Axial.npy") == tmp_path / "ct_case/007789/Axial.npy"
    (tmp_path / "a.nii.gz").touch()
    assert locate("a") == tmp_path / "a.nii.gz"
    with pytest.raises(AnnotationError, match="record 1"):
        locate("../a.npy")
    for name, message in (
        ("absent.npy", "does not exist"),
        ("notes.txt", "is no volume"),
        ("noise.nii", "does not begin"),
    ):
        if name != "absent.npy":
            (tmp_path / name).write_bytes(b"something else")
        with pytest.raises(ModalityError, match=f"v: .*{name} {message}"):
            VolumeLoader().load(tmp_path / name, media_id="v")
