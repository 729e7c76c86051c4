"""Reads the pictures of a clip; a picture that shows the same as the one before is not read again."""

from __future__ import annotations

import numpy as np

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Array, Clip
from lavis.experts.reading.engine import TextLine, shared_reader

# A letter changes some block by much more, a codec's noise by less.
BLOCK_PX, SAME_BLOCK = 8, 2.0  # px, and mean difference of a block, of 255


def read_views(clip: Clip) -> list[tuple[TextLine, ...]]:
    """Return the lines of every picture of a clip, in reading order.

    Args:
        clip: frames [t, h, w, 3] uint8 RGB.

    Raises:
        ModalityError: the clip has no picture; names the medium and the path.
        ConfigError: the package that reads is not installed.
    """
    if 0 in clip.array.shape:
        raise ModalityError(f"{clip.media_id}: there is no {clip.modality} to read ({clip.path}).")
    reader = shared_reader()
    read: list[tuple[TextLine, ...]] = []
    shown: Array | None = None
    for picture in clip.array:
        if shown is not None and shows_the_same(shown, picture):
            read.append(read[-1])
        else:
            shown = picture
            read.append(reader.read(picture))
    return read


def shows_the_same(one: Array, other: Array) -> bool:
    """Return whether no block of 8 px differs by more than noise between two pictures [h, w, 3] uint8."""
    difference = np.abs(one.astype(np.int16) - other.astype(np.int16)).max(axis=2)
    height, width = difference.shape
    padded = np.pad(difference, ((0, -height % BLOCK_PX), (0, -width % BLOCK_PX)))
    blocks = padded.reshape(padded.shape[0] // BLOCK_PX, BLOCK_PX, padded.shape[1] // BLOCK_PX, BLOCK_PX)
    return float(blocks.mean(axis=(1, 3)).max()) <= SAME_BLOCK
