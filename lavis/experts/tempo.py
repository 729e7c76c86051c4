"""How fast music goes: beats per minute from the rhythm of its onsets, and how steady they are."""

from __future__ import annotations

import dataclasses

import numpy as np

from lavis.datasets.loaders.base import Array

FRAMES_PER_S = 100
SLOWEST_BPM, FASTEST_BPM = 40.0, 220.0
# Of several multiples of one tempo listeners tap the one near this; the width is in octaves (after Parncutt, 1994).
PREFERRED_BPM, PREFERENCE_OCTAVES = 110.0, 1.0
# Two frames apart a rise is seen whatever the phase of the window.
RISE_FRAMES = 2
SMOOTH_S = 1.0
STEADY, UNSTEADY = 0.35, 0.15
MIN_S = 4.0
# An onset is a peak this many times above the mean of what rises, and no other is near.
ONSET_RATIO, ONSET_APART_S = 1.5, 0.16


@dataclasses.dataclass(frozen=True)
class Tempo:
    """A tempo.

    Attributes:
        bpm: beats per minute.
        strength: likeness of the rhythm to itself one beat later, 0 … 1.
    """

    bpm: float
    strength: float

    def __str__(self) -> str:
        if self.strength >= STEADY:
            return f"Tempo: about {self.bpm:.0f} beats per minute, steady (or half or double of it)."
        return f"Tempo: perhaps {self.bpm:.0f} beats per minute, not steady."


def find_tempo(spectrogram: Array) -> Tempo | None:
    """Return the tempo of a sound, None where it has no rhythm or is shorter than 4 s.

    Args:
        spectrogram: log-mel [t, m], 100 rows per s.
    """
    if len(spectrogram) < MIN_S * FRAMES_PER_S:
        return None
    onsets = onset_strength(spectrogram)
    centred = onsets - onsets.mean()
    spectrum = np.fft.rfft(centred, 2 * len(centred))
    likeness = np.fft.irfft(np.abs(spectrum) ** 2)[: len(centred)]
    if likeness[0] <= 0:
        return None
    # Later lags sum fewer products.
    likeness = likeness / likeness[0] * len(centred) / (len(centred) - np.arange(len(centred)))
    shortest, longest = int(60 * FRAMES_PER_S / FASTEST_BPM), int(60 * FRAMES_PER_S / SLOWEST_BPM)
    longest = min(longest, len(centred) // 2 - 2)
    peaks = [k for k in range(shortest, longest + 1) if likeness[k - 1] < likeness[k] >= likeness[k + 1]]
    if not peaks:
        return None
    octaves = np.log2(60 * FRAMES_PER_S / np.array(peaks) / PREFERRED_BPM)
    # A beat is also found two and four beats later; three half beats are not.
    later = [
        sum(
            likeness[(k - 1) * beats + 1 : (k + 1) * beats].max()
            for beats in (1, 2, 4)
            if k * beats < len(likeness) // 2
        )
        for k in peaks
    ]
    liked = np.array(later) * np.exp(-0.5 * (octaves / PREFERENCE_OCTAVES) ** 2)
    best = peaks[int(np.argmax(liked))]
    strength = float(min(1.0, likeness[best]))
    if strength < UNSTEADY:
        return None
    # Many beats later the peak lies many times farther off, so its place is finer.
    lag = _refined(likeness, best)
    for beats in (2, 4, 8):
        near = round(lag * beats)
        if near + 3 >= len(centred) * 2 // 3:
            break
        window = likeness[near - 3 : near + 4]
        if window.max() < 0.5 * strength:
            break
        lag = _refined(likeness, near - 3 + int(window.argmax())) / beats
    return Tempo(60 * FRAMES_PER_S / lag, strength)


def onset_strength(spectrogram: Array) -> Array:
    """Return how much begins in each 10 ms [t]: rises over all bands, less the local mean."""
    rises = np.maximum(0.0, spectrogram[RISE_FRAMES:] - spectrogram[:-RISE_FRAMES]).mean(axis=1)
    width = round(SMOOTH_S * FRAMES_PER_S)
    sums = np.concatenate([[0.0], np.cumsum(np.pad(rises, (width // 2, width - width // 2), mode="edge"))])
    local = (sums[width:] - sums[:-width])[: len(rises)] / width
    return np.asarray(np.maximum(0.0, rises - local), dtype=np.float64)


def count_onsets(spectrogram: Array) -> int:
    """Return how many notes or strokes begin: peaks of what rises in the spectrum, so slurred notes count too.

    Args:
        spectrogram: log-mel [t, m], 100 rows per s.
    """
    onsets = onset_strength(spectrogram)
    apart = round(ONSET_APART_S * FRAMES_PER_S)
    near = np.lib.stride_tricks.sliding_window_view(np.pad(onsets, apart), 2 * apart + 1).max(axis=1)
    peaks = (onsets == near) & (onsets > ONSET_RATIO * onsets.mean()) & (onsets > 0.4 * np.percentile(onsets, 99))
    return int(peaks.sum())


def _refined(values: Array, peak: int) -> float:
    """Return the place of a peak between samples, by a parabola."""
    left, middle, right = values[peak - 1 : peak + 2]
    bend = left - 2 * middle + right
    return float(peak + (0.5 * (left - right) / bend if bend < 0 else 0.0))
