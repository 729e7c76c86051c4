"""Videos, archives and nested samples are real ones, made here."""

from __future__ import annotations

import collections
import io
import random
import tarfile
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import IterableDataset

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets import data_utils
from lavis.datasets.datasets import BaseDataset, ConcatDataset

Pair = collections.namedtuple("Pair", ["a", "b"])


class Stream(IterableDataset):
    def __iter__(self):
        return iter([1, 2])


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """20 frames whose red is 10 times their number."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (32, 16))
    for number in range(20):
        frame = np.zeros((16, 32, 3), dtype=np.uint8)
        frame[:, :, 2] = 10 * number
        writer.write(frame)
    writer.release()
    return path


def test_uniform_sampling_never_gives_one_index_too_many_nor_one_past_the_end() -> None:
    """Steps in floating point fail for 405 of these pairs, 17 frames of which 7 among them."""
    for count in range(1, 400):
        for n in range(1, 33):
            indices = data_utils.sample_indices(count, n)
            assert len(indices) == min(count, n)
            assert indices == sorted(set(indices))
            assert indices[0] == 0
            assert indices[-1] < count


@pytest.mark.parametrize("sampling", ["random", "headtail"])
def test_chance_gives_what_was_asked_for_even_when_it_is_odd(sampling: str) -> None:
    for count, n in [(17, 7), (5, 5), (6, 5), (1, 3), (100, 9), (3, 2)]:
        indices = data_utils.sample_indices(count, n, sampling, random.Random(0))
        assert len(indices) == len(set(indices)) == min(count, n)
        assert indices == sorted(indices)
        assert all(0 <= index < count for index in indices)
    again = [data_utils.sample_indices(100, 9, sampling, random.Random(1)) for _ in range(2)]
    assert again[0] == again[1]


def test_sampling_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="headtail"):
        data_utils.sample_indices(10, 2, "tail")
    with pytest.raises(ValueError, match="0"):
        data_utils.sample_indices(0, 2)


def test_load_video_returns_the_frames_at_the_sampled_places(video: Path) -> None:
    clip = data_utils.load_video(video, n_frms=4, height=8, width=8)

    assert clip.shape == (3, 4, 8, 8)
    assert clip.dtype == torch.float32
    red = clip[0].mean(dim=(1, 2))
    assert torch.allclose(red, torch.tensor([0.0, 50.0, 100.0, 150.0]), atol=6)
    assert clip[2].max() < 30


def test_load_video_takes_every_frame_by_default(video: Path) -> None:
    assert data_utils.load_video(str(video)).shape == (3, 20, 16, 32)


def test_an_unreadable_video_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModalityError, match=r"none\.mp4"):
        data_utils.load_video(tmp_path / "none.mp4", n_frms=2)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ModalityError, match=r"text\.mp4"):
        data_utils.load_video(tmp_path / "text.mp4", n_frms=2)


def test_apply_to_sample_reaches_every_tensor_and_keeps_the_kinds() -> None:
    sample = {"a": torch.ones(1), "b": [torch.ones(1), "x"], "c": Pair(torch.ones(1), 2), "d": (torch.ones(1),)}

    doubled = data_utils.apply_to_sample(lambda tensor: tensor * 2, sample)

    assert doubled["a"].item() == doubled["b"][0].item() == doubled["c"].a.item() == doubled["d"][0].item() == 2
    assert doubled["b"][1] == "x"
    assert isinstance(doubled["c"], Pair)
    assert data_utils.apply_to_sample(lambda tensor: tensor, {}) == {}


def test_a_sample_stays_where_it_is_on_a_cpu() -> None:
    sample = {"a": torch.ones(1)}
    assert data_utils.prepare_sample(sample, cuda_enabled=False) is sample


def test_data_sets_are_sorted_by_split_and_joined_for_training_alone() -> None:
    a, b, c, stream = BaseDataset(), BaseDataset(), BaseDataset(), Stream()
    by_split = data_utils.reorg_datasets_by_split({"x": {"train": a, "val": c}, "y": {"train": b}})
    assert by_split == {"train": [a, b], "val": [c]}

    joined = data_utils.concat_datasets(by_split)
    assert isinstance(joined["train"], ConcatDataset)
    assert joined["val"] is c

    mixed = data_utils.concat_datasets({"train": [a, stream, b, Stream()]})["train"]
    assert isinstance(mixed[0], ConcatDataset)
    assert list(mixed[1]) == [1, 2, 1, 2]
    assert data_utils.concat_datasets({"train": [stream]})["train"] is stream

    with pytest.raises(ConfigError, match="'val' has 2"):
        data_utils.concat_datasets({"val": [a, b]})
    small = data_utils.concat_datasets({"small": [a, b]}, train_splits=["small"])
    assert small["small"].datasets == [a, b]


def archives(folder: Path, member: str) -> list[Path]:
    tar_path, zip_path = folder / "a.tar.gz", folder / "a.zip"
    with tarfile.open(tar_path, "w:gz") as tar:
        info = tarfile.TarInfo(member)
        info.size = 2
        tar.addfile(info, io.BytesIO(b"hi"))
    with zipfile.ZipFile(zip_path, "w") as packed:
        packed.writestr(member, "hi")
    return [tar_path, zip_path]


def test_archives_are_unpacked_and_files_kept_unless_told(tmp_path: Path) -> None:
    for archive in archives(tmp_path, "sub/a.txt"):
        target = tmp_path / archive.suffix
        assert data_utils.extract_archive(archive, target) == [str(target / "sub" / "a.txt")]
        assert (target / "sub" / "a.txt").read_text() == "hi"
        (target / "sub" / "a.txt").write_text("mine")
        data_utils.extract_archive(archive, target)
        assert (target / "sub" / "a.txt").read_text() == "mine"
        data_utils.extract_archive(archive, target, overwrite=True)
        assert (target / "sub" / "a.txt").read_text() == "hi"


def test_an_archive_that_leaves_its_folder_is_not_unpacked(tmp_path: Path) -> None:
    for archive in archives(tmp_path, "../outside.txt"):
        with pytest.raises(ValueError, match="outside"):
            data_utils.extract_archive(archive, tmp_path / "in")
    assert not (tmp_path / "outside.txt").exists()
    (tmp_path / "plain.txt").write_text("x")
    with pytest.raises(ValueError, match="neither"):
        data_utils.extract_archive(tmp_path / "plain.txt")


def test_a_grid_shows_every_frame_in_rows(tmp_path: Path) -> None:
    frames = torch.stack([torch.full((3, 4, 6), value / 4) for value in range(4)])

    data_utils.save_frames_grid(frames, tmp_path / "grid.png")

    grid = np.asarray(Image.open(tmp_path / "grid.png"))
    assert grid.shape == (8, 18, 3)
    assert [grid[0, 0, 0], grid[0, 6, 0], grid[0, 12, 0], grid[4, 0, 0]] == [0, 64, 128, 191]
    with pytest.raises(ValueError, match="grid"):
        data_utils.save_frames_grid(torch.zeros(2, 2), tmp_path / "no.png")
