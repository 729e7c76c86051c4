"""Frames of a medium as pictures for a selector's prompt."""

from __future__ import annotations

from lavis.datasets.loaders.reader import MediaReader
from lavis.experts.pictures import chosen, encoded
from lavis.reasoners.base import PromptImage


def pictures(reader: MediaReader, n: int) -> tuple[PromptImage, ...]:
    """Return up to ``n`` evenly spread frames as JPEG, at most 512 px on a side; none where a medium has no frames.

    Raises:
        ModalityError: the frames cannot be read.
    """
    if reader.media.serving("frame") is None:
        return ()
    frames = reader.load("frame").array
    return tuple(encoded(frames[position]) for position in chosen(frames, n))
