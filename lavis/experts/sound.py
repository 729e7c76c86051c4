"""Sound as words: how long and loud, when silent, how many onsets, which pitches. What sounds is not recognised."""

from __future__ import annotations

import itertools

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array, Clip
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.words import counted, listed

HOP_S, WINDOW_S = 0.01, 0.025
FLOOR_DB = -100.0
# An onset is a rise by so much within so short a time, and no other follows for a while.
RISE_DB, RISE_S, REFRACTORY_S = 9.0, 0.05, 0.12
MIN_PAUSE_S = 0.25
# What is told as a change of loudness from the first to the second half.
CHANGE_DB = 3.0
PITCH_HZ = (50.0, 2000.0)
PITCH_WINDOW_S = 0.1
# Share of the energy that must return after one period for a sound to have a pitch.
PERIODIC = 0.75
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
MAX_TOLD = 12
# Full scale is reached by single samples of loud music; by so many only where the tops are cut off.
FULL_SCALE, CLIPPED_SHARE = 0.99, 0.002


class SoundExpert(Expert):
    """Describes the course of a sound from its samples alone.

    Args:
        silence_db: what is so far below the loudest moment counts as silent, in dB.
    """

    card = ExpertCard(
        name="sound",
        modality="audio",
        skill="B2",
        summary="how long and loud the sound is, pauses, number and times of onsets, pitches; no names of sources",
        version="2",
        cost="cheap",
    )

    def __init__(self, *, silence_db: float = 40.0) -> None:
        if not 6.0 <= silence_db <= 90.0:
            raise ConfigError(f"model.experts.sound: silence_db lies between 6 and 90, not {silence_db}.")
        self.silence_db = silence_db

    def write(self, clip: Clip) -> str:
        """Describe a sound.

        Args:
            clip: audio [n] float32, full scale 1, with its rate.

        Returns:
            A line each for length and level, clipping where there is any, pauses, change of loudness, onsets, pitches.

        Raises:
            ModalityError: the clip is shorter than 25 ms or has no rate.
        """
        rate_hz = clip.rate_hz
        if not rate_hz or len(clip.array) < WINDOW_S * rate_hz:
            raise ModalityError(f"{clip.media_id}: {clip.path} holds less than 25 ms of sound.")
        length_s = len(clip.array) / rate_hz
        levels = levels_db(clip.array, rate_hz)
        loudest = float(levels.max())
        if loudest <= FLOOR_DB + 1:
            return f"The sound is {length_s:.1f} s long and silent throughout."
        sounding = levels > max(loudest - self.silence_db, -70.0)
        starts = onsets_s(levels, sounding)
        mean_db = 10 * np.log10(np.mean(10 ** (levels / 10)))
        share = clipped_share(clip)
        clipped = [f"{100 * share:.1f} % of the samples are at full scale: the recording is probably clipped."]
        return "\n".join(
            [
                f"The sound is {length_s:.1f} s long, on average {abs(mean_db):.0f} dB below full scale, "
                f"{abs(loudest):.0f} dB at its loudest.",
                *(clipped if share else []),
                _pauses(sounding, length_s),
                _change(levels),
                _onsets(starts),
                _pitches(clip.array, rate_hz, starts, sounding),
            ]
        )


def clipped_share(clip: Clip) -> float:
    """Return the share of samples at full scale in the worst channel; 0 where no tops seem cut off."""
    every = (clip.array, *clip.extras.get("channels", ()))
    share = max(float(np.mean(np.abs(channel) >= FULL_SCALE)) for channel in every)
    return share if share >= CLIPPED_SHARE else 0.0


def levels_db(sound: Array, rate_hz: float) -> Array:
    """Return the level of every 10 ms [t] in dB relative to full scale, over windows of 25 ms."""
    hop, window = round(HOP_S * rate_hz), round(WINDOW_S * rate_hz)
    energy = np.concatenate([[0.0], np.cumsum(np.square(sound, dtype=np.float64))])
    begins = np.arange(0, len(sound) - window + 1, hop)
    power = (energy[begins + window] - energy[begins]) / window
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10))))


def onsets_s(levels: Array, sounding: Array) -> list[float]:
    """Return when something begins to sound, in s: where the level rises by 9 dB within 50 ms."""
    back = round(RISE_S / HOP_S)
    padded = np.concatenate([np.full(back, FLOOR_DB), levels])
    before = np.min(np.lib.stride_tricks.sliding_window_view(padded[:-1], back), axis=1)
    rising = (levels - before >= RISE_DB) & sounding
    found: list[float] = []
    for position in np.flatnonzero(rising):
        time_s = float(position * HOP_S)
        if not found or time_s - found[-1] >= REFRACTORY_S:
            found.append(time_s)
    return found


def pitch_hz(sound: Array, rate_hz: float) -> float | None:
    """Return the pitch of a short stretch by autocorrelation, or None where it has none."""
    centred = sound.astype(np.float64) - sound.mean()
    longest = min(len(centred) // 2, int(rate_hz / PITCH_HZ[0]))
    shortest = int(rate_hz / PITCH_HZ[1])
    spectrum = np.fft.rfft(centred, 2 * len(centred))
    likeness = np.fft.irfft(np.abs(spectrum) ** 2)[: longest + 1]
    if longest <= shortest or likeness[0] <= 0:
        return None
    # Later lags sum fewer products.
    likeness = likeness / likeness[0] * len(centred) / (len(centred) - np.arange(longest + 1))
    peaks = [k for k in range(shortest, longest) if likeness[k - 1] < likeness[k] >= likeness[k + 1]]
    best = next((k for k in peaks if likeness[k] >= PERIODIC), None)
    if best is None:
        return None
    left, middle, right = likeness[best - 1 : best + 2]
    shift = 0.5 * (left - right) / (left - 2 * middle + right)
    return float(rate_hz / (best + shift))


def note(pitch: float) -> str:
    """Return the name of the nearest note (``A4`` is 440 Hz)."""
    number = round(69 + 12 * np.log2(pitch / 440.0))
    return f"{NOTES[number % 12]}{number // 12 - 1}"


def _pauses(sounding: Array, length_s: float) -> str:
    pauses = []
    for silent, group in itertools.groupby(enumerate(~sounding), key=lambda item: bool(item[1])):
        positions = [position for position, _ in group]
        start_s, end_s = positions[0] * HOP_S, (positions[-1] + 1) * HOP_S
        if positions[-1] == len(sounding) - 1:
            end_s = length_s
        if silent and end_s - start_s >= MIN_PAUSE_S:
            pauses.append(f"{start_s:.1f} to {end_s:.1f} s")
    if not pauses:
        return "It sounds throughout."
    more = f" and {len(pauses) - MAX_TOLD} more" if len(pauses) > MAX_TOLD else ""
    return f"Silent from {listed(pauses[:MAX_TOLD])}{more}."


def _change(levels: Array) -> str:
    power = 10 ** (levels / 10)
    half = len(power) // 2
    change_db = 10 * np.log10(power[half:].mean() / power[:half].mean()) if half else 0.0
    if abs(change_db) < CHANGE_DB:
        return "The second half is about as loud as the first."
    return f"The second half is {abs(change_db):.0f} dB {'louder' if change_db > 0 else 'softer'} than the first."


def _onsets(starts: list[float]) -> str:
    if not starts:
        return "No onset is heard."
    told = ", ".join(f"{time_s:.1f}" for time_s in starts[:MAX_TOLD]) + (", …" if len(starts) > MAX_TOLD else "")
    steps = np.diff(starts)
    steady = len(steps) >= 3 and float(steps.std()) < 0.15 * float(steps.mean())
    tempo = f"; evenly spaced, {60 / float(steps.mean()):.0f} a minute" if steady else ""
    return f"{counted(len(starts), 'onset')}, at {told} s{tempo}.".capitalize()


def _pitches(sound: Array, rate_hz: float, starts: list[float], sounding: Array) -> str:
    window = round(PITCH_WINDOW_S * rate_hz)
    at_s = starts or [float(np.flatnonzero(sounding)[0] * HOP_S)]
    found = []
    for time_s in at_s[:MAX_TOLD]:
        # The attack itself is noise.
        begin = round((time_s + WINDOW_S) * rate_hz)
        stretch = sound[begin : begin + window]
        pitch = pitch_hz(stretch, rate_hz) if len(stretch) == window else None
        found.append("no pitch" if pitch is None else f"{note(pitch)} ({pitch:.0f} Hz)")
    if set(found) == {"no pitch"}:
        return "None of it has a clear pitch."
    return f"Pitches in order: {', '.join(found)}."
