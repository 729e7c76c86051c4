"""Real photographs out of the weights cache, and clips made of pictures; absent files skip a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lavis.common.errors import WeightsError
from lavis.common.weights import weights_path
from lavis.datasets.loaders.base import Clip

Picture = npt.NDArray[np.uint8]


def fetched(*names: str) -> Path:
    """Return the file of the first name; skip the test where one of them is not in the cache."""
    try:
        paths = [weights_path(name) for name in names]
    except WeightsError as error:
        pytest.skip(str(error))
    return paths[0]


def photo(name: str, size_px: tuple[int, int] | None = None) -> Picture:
    """Return a photograph [h, w, 3], scaled to (width, height) where one is given."""
    with Image.open(fetched(name)) as image:
        picture = image.convert("RGB")
        return np.asarray(picture.resize(size_px) if size_px else picture)


def clip_of(modality: str, *views: npt.NDArray[np.generic], shape: str = "t h w c", unit: str = "uint8 RGB") -> Clip:
    """Return a clip of views 0.5 s apart at 10 frames per s."""
    indices = tuple(5 * n for n in range(len(views)))
    times = tuple(0.5 * n for n in range(len(views)))
    return Clip("room1", modality, np.stack(views), shape, unit, Path(f"data/{modality}/room1"), indices, times, 10.0)
