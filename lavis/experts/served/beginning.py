"""The part of a sound that a model is given, and what is said of the rest."""

from __future__ import annotations

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Array, Clip


def beginning(clip: Clip, max_s: float) -> tuple[Array, float, str]:
    """Return the first ``max_s`` of a sound [n], its rate in Hz, and words on what is left out, empty for nothing.

    Args:
        clip: audio [n] float32, full scale 1, with its rate.
        max_s: in s.

    Raises:
        ModalityError: it has no sample or no rate; names the medium and the path.
    """
    if not clip.rate_hz or not len(clip.array):
        raise ModalityError(f"{clip.media_id}: {clip.path} holds no sound that could be heard.")
    heard = clip.array[: round(max_s * clip.rate_hz)]
    if len(heard) == len(clip.array):
        return heard, clip.rate_hz, ""
    length_s = len(clip.array) / clip.rate_hz
    return heard, clip.rate_hz, f"Of {length_s:.1f} s of sound only the first {max_s:g} s were listened to."
