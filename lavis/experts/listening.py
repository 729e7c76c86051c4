"""What every listening expert checks first: enough sound, at the right rate, not silent, not clipped."""

from __future__ import annotations

import dataclasses

import numpy as np

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Array, Clip
from lavis.experts.sound import WINDOW_S, clipped_share, levels_db
from lavis.experts.yamnet.log_mel import PATCH_S, RATE_HZ

# A recorder's own noise lies above this; so does anything that can be heard.
SILENT_DB = -70.0
# Windows of a second that are this near each other are one stretch.
GAP_S = 1.1


@dataclasses.dataclass(frozen=True)
class Listening:
    """A sound that can be listened to.

    Attributes:
        sound: [n] float32 at 16 kHz.
        levels: level of every 10 ms [t], dB below full scale.
        notes: what makes it harder to tell what sounds; each a sentence.
    """

    sound: Array
    levels: Array
    notes: tuple[str, ...]

    @property
    def length_s(self) -> float:
        """How long it is."""
        return len(self.sound) / RATE_HZ

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to hear."""
        return float(self.levels.max()) <= SILENT_DB


def listen(clip: Clip) -> Listening:
    """Check a clip of sound.

    Raises:
        ModalityError: it is shorter than 25 ms or not at 16 kHz; names the medium and the path.
    """
    if clip.rate_hz != RATE_HZ:
        raise ModalityError(
            f"{clip.media_id}: {clip.path} was loaded at {clip.rate_hz} Hz; this expert hears {RATE_HZ} Hz: leave "
            f"sample_rate_hz out of the audio options."
        )
    if len(clip.array) < WINDOW_S * RATE_HZ:
        raise ModalityError(f"{clip.media_id}: {clip.path} holds less than 25 ms of sound.")
    notes = []
    length_s = len(clip.array) / RATE_HZ
    if length_s < PATCH_S:
        notes.append(f"The sound is only {length_s:.2f} s long; names are less certain.")
    if clipped := clipped_share(clip):
        notes.append(
            f"{100 * clipped:.1f} % of the samples are at full scale: the recording is probably clipped, and names "
            f"are less certain."
        )
    return Listening(clip.array, levels_db(clip.array, RATE_HZ), tuple(notes))


def spans_s(present: Array, moments_s: list[tuple[float, float]], *, gap_s: float) -> list[tuple[float, float, Array]]:
    """Return the stretches in which something is present.

    Args:
        present: [t] of bool.
        moments_s: (from, to) of each moment, ascending.
        gap_s: a shorter absence does not end a stretch.

    Returns:
        From, to in s, and the numbers of the moments in which it is present.
    """
    found: list[tuple[float, float, list[int]]] = []
    for number in np.flatnonzero(present):
        start_s, end_s = moments_s[number]
        if found and start_s - found[-1][1] <= gap_s:
            found[-1] = (found[-1][0], end_s, [*found[-1][2], int(number)])
        else:
            found.append((start_s, end_s, [int(number)]))
    return [(start_s, end_s, np.array(numbers)) for start_s, end_s, numbers in found]


def told_spans(spans: list[tuple[float, float]], most: int) -> str:
    """Return ``0.0 to 3.4 s and 5.0 to 6.1 s``; the longest are told where there are more than ``most``."""
    kept = sorted(sorted(spans, key=lambda span: span[0] - span[1])[:most])
    told = ", ".join(f"{start_s:.1f} to {end_s:.1f} s" for start_s, end_s in kept)
    return told + (f" and {len(spans) - most} shorter" if len(spans) > most else "")
