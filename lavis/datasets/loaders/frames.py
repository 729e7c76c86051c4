"""Colour frames: a folder of images per medium, ``<root>/<media_id>/%05d.jpg``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.sequence import IMAGE_SUFFIXES, SequenceLoader, read_image


class FramesLoader(SequenceLoader):
    """Loads frames [t, h, w, c] uint8 RGB.

    Args:
        size_px: (height, width) to resize to, aspect ratio not kept (bicubic); None keeps the files' size.
        convert: take greyscale, palette and alpha images as RGB; without it they are an error, because a
            folder of depth or label maps is an easy mistake.
        rate_hz: frames per s; None where unknown.
    """

    modality = "frame"
    shape = "t h w c"
    suffixes = IMAGE_SUFFIXES
    unit = "uint8 RGB"

    def __init__(
        self, *, size_px: Sequence[int] | None = None, convert: bool = False, rate_hz: float | None = None
    ) -> None:
        super().__init__(rate_hz=rate_hz)
        self.size_px = check_size(size_px, modality=self.modality)
        self.convert_modes = convert

    def decode(self, path: Path, *, media_id: str) -> Array:
        """Read one image [h, w, 3] uint8."""
        image = read_image(path, media_id=media_id, modality=self.modality)
        if image.mode != "RGB":
            if not self.convert_modes:
                raise ModalityError(
                    f"{media_id}: frame {path} is {image.mode!r}, not RGB; if it is a photograph all the same, "
                    f"set the frame option convert: true."
                )
            image = image.convert("RGB")
        if self.size_px is not None:
            height, width = self.size_px
            image = image.resize((width, height), Image.Resampling.BICUBIC)
        return np.asarray(image)


def check_size(size_px: Sequence[int] | None, *, modality: str) -> tuple[int, int] | None:
    """Return (height, width), or None.

    Raises:
        ConfigError: not two whole numbers above 0.
    """
    if size_px is None:
        return None
    if len(size_px) != 2 or any(not isinstance(side, int) or side < 1 for side in size_px):
        raise ConfigError(f"{modality}: size_px must be [height, width] in px, not {size_px!r}.")
    return int(size_px[0]), int(size_px[1])
