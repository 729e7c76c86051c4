"""The photographs on the walls of the sample: listed weights files, fetched like any other."""

from __future__ import annotations

import functools

import numpy as np
from PIL import Image

from lavis.common.weights import fetch
from lavis.datasets.loaders.base import Array

# Wide enough for the nearest picture in any view; larger originals only alias.
WIDTH_PX = 256


@functools.lru_cache(maxsize=8)
def photograph(name: str) -> Array:
    """Return a photograph [h, w, 3] uint8 RGB, 256 px wide, fetching its file if it is not there yet.

    Args:
        name: as listed in ``weights.yaml``, without ``photo_``.

    Raises:
        WeightsError: no source has the file; says what to do.
    """
    with Image.open(fetch(f"photo_{name}")) as image:
        height_px = round(image.height * WIDTH_PX / image.width)
        return np.asarray(image.convert("RGB").resize((WIDTH_PX, height_px), Image.Resampling.LANCZOS))
