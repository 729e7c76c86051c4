"""Frames of a medium as pictures: which, how large, in which form."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.question import Media
from lavis.models.mexa_models.pictures import pictures
from lavis.reasoners.base import PromptImage


def frames(folder: Path, n: int, *, height: int = 24, width: int = 32) -> Media:
    """Frame k is grey of the value 10 k."""
    folder.mkdir()
    for number in range(n):
        Image.fromarray(np.full((height, width, 3), 10 * number, dtype=np.uint8)).save(folder / f"{number:05d}.png")
    return Media("clip", {"frame": folder})


def opened(image: PromptImage) -> Image.Image:
    assert image.media_type == "image/jpeg"
    picture = Image.open(io.BytesIO(image.data))
    assert picture.format == "JPEG"
    return picture


def greys(images: tuple[PromptImage, ...]) -> list[float]:
    return [float(np.asarray(opened(image)).mean()) for image in images]


def test_they_are_spread_over_the_frames_that_experts_look_at(tmp_path: Path) -> None:
    """Of 17 frames, 8 are looked at: 1, 3, 5 … 15; of these, the first, a middle and the last are shown."""
    reader = MediaReader(frames(tmp_path / "clip", 17), n_frames=8)
    shown = [round(grey / 10) for grey in greys(pictures(reader, 3))]
    looked_at = list(reader.sampling().indices)
    assert len(looked_at) == 8
    assert shown == [looked_at[0], looked_at[4], looked_at[-1]]


def test_a_short_clip_shows_all_that_it_has(tmp_path: Path) -> None:
    media = frames(tmp_path / "clip", 3)
    assert len(pictures(MediaReader(media), 5)) == len(MediaReader(media).sampling().indices)


@pytest.mark.parametrize(
    ("height", "width", "size"), [(600, 1024, (512, 300)), (1024, 512, (256, 512)), (9, 7, (7, 9))]
)
def test_large_ones_are_made_smaller_in_their_proportions_and_small_ones_stay(
    tmp_path: Path, height: int, width: int, size: tuple[int, int]
) -> None:
    (image,) = pictures(MediaReader(frames(tmp_path / "clip", 2, height=height, width=width)), 1)
    assert opened(image).size == size


def test_a_medium_without_frames_shows_nothing(tmp_path: Path) -> None:
    assert pictures(MediaReader(Media("scene", {"captions": tmp_path / "texts.json"})), 3) == ()


def test_frames_that_cannot_be_read_are_an_error_that_names_them(tmp_path: Path) -> None:
    media = frames(tmp_path / "clip", 2)
    for path in (tmp_path / "clip").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(ModalityError, match="clip"):
        pictures(MediaReader(media), 1)
