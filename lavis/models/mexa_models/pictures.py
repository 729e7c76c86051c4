"""Frames of a medium as pictures for a prompt."""

from __future__ import annotations

import io

from lavis.datasets.loaders.reader import MediaReader
from lavis.reasoners.base import PromptImage

# What served models look at for the price of a few hundred tokens.
LONGEST_SIDE_PX = 512
JPEG_QUALITY = 85


def pictures(reader: MediaReader, n: int) -> tuple[PromptImage, ...]:
    """Return up to ``n`` evenly spread frames as JPEG, at most 512 px on a side; none where a medium has no frames.

    Raises:
        ModalityError: the frames cannot be read.
    """
    from PIL import Image

    from lavis.experts.words import spread

    modality = next((name for name in ("frame", "video") if name in reader.media.sources), None)
    if modality is None:
        return ()
    frames = reader.load(modality).array
    found = []
    for index in spread(len(frames), n):
        image = Image.fromarray(frames[index])
        image.thumbnail((LONGEST_SIDE_PX, LONGEST_SIDE_PX))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=JPEG_QUALITY)
        found.append(PromptImage(buffer.getvalue(), "image/jpeg"))
    return tuple(found)
