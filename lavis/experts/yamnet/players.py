"""Which instrument plays when: a sound cut into windows of two seconds, each compared with every instrument."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from lavis.datasets.loaders.base import Array
from lavis.experts.listening import SILENT_DB
from lavis.experts.sound import PITCH_WINDOW_S, pitch_hz
from lavis.experts.yamnet.instruments import INSTRUMENTS, VOICED, Physics, heard, scores, shares
from lavis.experts.yamnet.log_mel import RATE_HZ
from lavis.experts.yamnet.tagger import Tags

WINDOW_S, WINDOW_HOP_S = 2.0, 1.0
LEVEL_HOP_S = 0.01
# A moment this far below the loudest one is a pause.
PAUSE_DB = 35.0
FADE_S = 0.2
PITCH_HOP_S = 0.05
# An instrument counts in a window from this confidence on, the best fitting one from the lower.
PRESENT, BEST = 0.4, 0.2
# And altogether where it holds for this share of the time that anything sounds, and for more than one window.
LASTING = 0.1
TALK, NO_MUSIC = 0.5, 0.1

Floats = npt.NDArray[np.floating]


@dataclasses.dataclass(frozen=True)
class Players:
    """Which instruments play in which windows.

    Attributes:
        spans_s: (from, to) of each window, without overlap.
        confidence: [w, i] for each of INSTRUMENTS, 0 … 1; 0 in a pause and beside speech alone.
        overall: [i] share of each instrument over the whole.
        beside: [i] the same by the names alone; fading and pitch, which are those of the loudest, aside.
        sounding: [w] of bool; speech without music is no sounding.
    """

    spans_s: list[tuple[float, float]]
    confidence: Floats
    overall: Floats
    beside: Floats
    sounding: npt.NDArray[np.bool_]

    def present(self) -> npt.NDArray[np.bool_]:
        """Return which instruments count as playing in which windows [w, i]."""
        best = self.confidence == self.confidence.max(axis=1, keepdims=True)
        rare = np.array([one.prior < 0 for one in INSTRUMENTS.values()])
        counts = ((self.confidence >= PRESENT) & (best | ~rare)) | (best & (self.confidence >= BEST))
        needed = 1 if self.sounding.sum() < 3 else max(2, round(LASTING * int(self.sounding.sum())))
        lasting = counts.sum(axis=0) >= needed
        return np.asarray(counts & lasting)


def find_players(sound: Array, levels: Array, tags: Tags) -> Players:
    """Compare a sound with every instrument, window by window.

    Args:
        sound: [n] at 16 kHz.
        levels: level of every 10 ms [t] in dB.
        tags: of the sound.
    """
    length_s = len(sound) / RATE_HZ
    middles_s = np.arange(WINDOW_HOP_S / 2, max(length_s - WINDOW_HOP_S / 4, WINDOW_HOP_S), WINDOW_HOP_S)
    starts_s = np.clip(middles_s - WINDOW_S / 2, 0.0, max(0.0, length_s - WINDOW_S))
    floor_db = float(levels.max()) - PAUSE_DB
    pitches = _pitches(sound, levels, floor_db)
    fades = _fades(levels, floor_db)
    fit = np.zeros((len(starts_s), len(INSTRUMENTS)))
    tagged = np.zeros_like(fit)
    sounding = np.zeros(len(starts_s), dtype=np.bool_)
    for number, start_s in enumerate(starts_s):
        begin, end = round(start_s / LEVEL_HOP_S), round((start_s + WINDOW_S) / LEVEL_HOP_S)
        middle = round(middles_s[number] / LEVEL_HOP_S)
        half = round(WINDOW_HOP_S / 2 / LEVEL_HOP_S)
        loudest = float(levels[max(0, middle - half) : middle + half].max(initial=SILENT_DB))
        part = tags.within(start_s, start_s + WINDOW_S)
        sounding[number] = loudest > max(floor_db, SILENT_DB) and not _is_talk(part)
        fit[number] = scores(part, _physics(fades[begin:end], pitches, start_s))
        tagged[number] = heard(part)
    spans_s = [(float(m - WINDOW_HOP_S / 2), float(min(m + WINDOW_HOP_S / 2, length_s))) for m in middles_s]
    spans_s[-1] = (spans_s[-1][0], length_s)
    if not sounding.any():
        none = np.zeros(len(INSTRUMENTS))
        return Players(spans_s, np.zeros_like(fit), none, none, sounding)
    confidence = np.zeros_like(fit)
    for number in map(int, np.flatnonzero(sounding)):
        near = [k for k in (number - 1, number, number + 1) if 0 <= k < len(fit) and sounding[k]]
        confidence[number] = np.maximum(shares(fit[near].mean(axis=0)), tagged[near].mean(axis=0))
    overall = shares(fit[sounding].mean(axis=0))
    return Players(spans_s, confidence, overall, shares(scores(tags, Physics(None, None))), sounding)


def _is_talk(tags: Tags) -> bool:
    """Return whether a stretch is speech without music: whatever instrument it resembles, none plays."""
    speech, music = (float(tags.probabilities[:, tags.names.index(name)].mean()) for name in ("Speech", "Music"))
    return speech > TALK and music < NO_MUSIC


def _pitches(sound: Array, levels: Array, floor_db: float) -> list[tuple[float, float | None]]:
    """Return (time in s, pitch in Hz or None) every 50 ms while it sounds."""
    window = round(PITCH_WINDOW_S * RATE_HZ)
    found = []
    for begin in range(0, len(sound) - window + 1, round(PITCH_HOP_S * RATE_HZ)):
        time_s = begin / RATE_HZ
        if levels[min(round(time_s / LEVEL_HOP_S), len(levels) - 1)] > floor_db:
            found.append((time_s, pitch_hz(sound[begin : begin + window], RATE_HZ)))
    return found


def _fades(levels: Array, floor_db: float) -> Floats:
    """Return the change of level from each 10 ms on, in dB per s [t]; NaN in pauses."""
    ahead = round(FADE_S / LEVEL_HOP_S)
    later = np.concatenate([levels[ahead:], np.full(min(ahead, len(levels)), np.nan)])
    return np.asarray(np.where(levels > floor_db, (later - levels) / FADE_S, np.nan))


def _physics(fades: Floats, pitches: list[tuple[float, float | None]], start_s: float) -> Physics:
    known = fades[~np.isnan(fades)]
    inside = [pitch for time_s, pitch in pitches if start_s <= time_s < start_s + WINDOW_S]
    voiced = [pitch for pitch in inside if pitch is not None]
    return Physics(
        fade_db_per_s=float(np.median(known)) if len(known) else None,
        pitch_hz=float(np.median(voiced)) if inside and len(voiced) >= VOICED * len(inside) else None,
    )
