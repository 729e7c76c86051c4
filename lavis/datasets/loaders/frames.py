"""Colour frames: a folder of images per medium, ``<root>/<media_id>/%05d.jpg``."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import ExifTags, Image

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.resizing import resize
from lavis.datasets.loaders.sequence import IMAGE_SUFFIXES, Order, SequenceLoader, read_image

# Modes of cameras and print, which only photographs have.
PHOTOGRAPH_MODES = ("RGB", "CMYK", "YCbCr")
# Depth and label maps are stored in the other modes too, which is why they are taken only where the user says so.
TRANSPARENT_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
# How a picture of each EXIF orientation is brought upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class FramesLoader(SequenceLoader):
    """Loads frames [t, h, w, c] uint8 RGB, upright as their EXIF orientation says.

    Args:
        size_px: (height, width) to resize to, aspect ratio not kept (bicubic); None keeps the files' size.
        resampling: ``torch`` as for video, or ``pillow``, which CREMA uses: four times slower, and never more
            than two of 255 levels away.
        convert: take greyscale, palette and transparent images as RGB; without it they are an error, because a
            folder of depth or label maps is an easy mistake. See :func:`to_rgb` for how.
        rate_hz: frames per s; None where unknown.
        order: ``natural`` or ``lexicographic``, see :class:`SequenceLoader`.
        follow_links: read links that lead out, see :class:`SequenceLoader`.
    """

    modality = "frame"
    shape = "t h w c"
    suffixes = IMAGE_SUFFIXES
    unit = "uint8 RGB"

    def __init__(
        self,
        *,
        size_px: Sequence[int] | None = None,
        resampling: Literal["torch", "pillow"] = "torch",
        convert: bool = False,
        rate_hz: float | None = None,
        order: Order = "natural",
        follow_links: bool = False,
    ) -> None:
        super().__init__(rate_hz=rate_hz, order=order, follow_links=follow_links)
        self.size_px = check_size(size_px, modality=self.modality)
        if resampling not in ("torch", "pillow"):
            raise ConfigError(f"{self.modality}: resampling is {resampling!r}; say torch or pillow.")
        self.resampling = resampling
        self.convert_modes = convert

    def decode(self, path: Path, *, media_id: str) -> Array:
        """Read one image [h, w, 3] uint8."""
        image = read_image(path, media_id=media_id, modality=self.modality)
        if image.mode not in PHOTOGRAPH_MODES and not self.convert_modes:
            raise ModalityError(
                f"{media_id}: {self.modality} {path} is {image.mode!r}, not RGB; if it is a photograph all the same, "
                f"set the {self.modality} option convert: true."
            )
        try:
            picture = to_rgb(image)
        except ValueError as error:
            raise ModalityError(f"{media_id}: {self.modality} {path} cannot be taken as RGB: {error}.") from error
        if (turn := stored_turn(image)) is not None:
            picture = picture.transpose(turn)
        if self.size_px is None:
            return np.asarray(picture)
        if self.resampling == "torch":
            return resize(np.array(picture), self.size_px)
        height, width = self.size_px
        return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))


def to_rgb(image: Image.Image) -> Image.Image:
    """Return an image as 8-bit RGB.

    16-bit grey is divided by 257, so that 65535 becomes 255; transparency is laid over white, on which drawings and
    text are made to be seen; CMYK is converted by Pillow's formula, without a colour profile.

    Raises:
        ValueError: numbers without a known range (floats, or integers past 16 bits).
    """
    if image.mode == "RGB":
        return image
    if image.mode == "F":
        raise ValueError("it holds floats, whose white is not known")
    if image.mode.startswith("I"):
        stored = np.asarray(image).astype(np.int64)
        if stored.min() < 0 or stored.max() > 65535:
            raise ValueError(f"it holds {stored.min()} … {stored.max()}, which is not 16-bit grey")
        grey = ((stored + 128) // 257).astype(np.uint8)
        return Image.fromarray(grey).convert("RGB")
    if image.mode in TRANSPARENT_MODES or (image.mode in ("L", "P", "1") and "transparency" in image.info):
        seen = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, seen).convert("RGB")
    return image.convert("RGB")


def stored_turn(image: Image.Image) -> Image.Transpose | None:
    """Return what brings an image upright; None where its EXIF says nothing, or is damaged."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except (SyntaxError, ValueError, TypeError, LookupError, EOFError, OSError, struct.error):
        return None
    return TURNS.get(orientation) if isinstance(orientation, int) else None


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
