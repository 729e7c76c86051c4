"""Musical sounds that tests synthesise: plucked strings, a drum kit, a flute-like tone."""

from __future__ import annotations

import numpy as np

RATE_HZ = 16000
SCALE = (0, 2, 4, 5, 7, 5, 4, 2)


def hertz(midi: int) -> float:
    """Return the frequency of a MIDI note; 69 is 440 Hz."""
    return float(440.0 * 2 ** ((midi - 69) / 12))


def pluck(hz: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Return a plucked string by Karplus and Strong's loop (1983)."""
    period = round(RATE_HZ / hz)
    line = rng.uniform(-1, 1, period)
    out = np.empty(round(seconds * RATE_HZ))
    for k in range(0, len(out), period):
        out[k : k + period] = line[: len(out[k : k + period])]
        line = 0.498 * (line + np.roll(line, 1))
    return out


def guitar(n_notes: int = 12, *, beats_per_minute: float = 120.0, root: int = 52) -> np.ndarray:
    """Return a scale on plucked strings, a note per beat, [n] float32."""
    rng = np.random.default_rng(1)
    step_s = 60 / beats_per_minute
    out = np.zeros(round((n_notes * step_s + 1.0) * RATE_HZ))
    for number in range(n_notes):
        one = pluck(hertz(root + SCALE[number % 8]), 1.0, rng)
        begin = round(number * step_s * RATE_HZ)
        out[begin : begin + len(one)] += one[: len(out) - begin]
    return (0.3 * out / np.abs(out).max()).astype(np.float32)


def drums(n_beats: int = 12, *, beats_per_minute: float = 120.0) -> np.ndarray:
    """Return bass drum and snare drum in turn with a hi-hat between, [n] float32."""
    rng = np.random.default_rng(2)
    time_s = np.arange(round(0.3 * RATE_HZ)) / RATE_HZ
    sweep = np.cumsum(50 + 100 * np.exp(-time_s * 40)) / RATE_HZ
    kick = np.sin(2 * np.pi * sweep) * np.exp(-time_s * 12)
    noise = rng.normal(0, 1, len(time_s))
    snare = (0.5 * noise + 0.5 * np.sin(2 * np.pi * 190 * time_s)) * np.exp(-time_s * 18)
    hat = np.diff(rng.normal(0, 1, len(time_s) + 1)) * np.exp(-time_s * 70)
    step = round(60 / beats_per_minute * RATE_HZ)
    out = np.zeros(n_beats * step + RATE_HZ)
    for number in range(n_beats):
        out[number * step :][: len(kick)] += kick if number % 2 == 0 else snare
        out[number * step + step // 2 :][: len(hat)] += 0.3 * hat
    return (0.3 * out / np.abs(out).max()).astype(np.float32)


def flute(n_notes: int = 8, *, seconds: float = 0.8, root: int = 76) -> np.ndarray:
    """Return a scale of breathy tones with vibrato, [n] float32."""
    rng = np.random.default_rng(3)
    out = []
    for number in range(n_notes):
        time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
        phase = 2 * np.pi * hertz(root + SCALE[number % 8]) * (time_s + 0.0006 * np.sin(2 * np.pi * 5 * time_s) / 5)
        tone = (
            np.sin(phase) + 0.25 * np.sin(2 * phase) + 0.08 * np.sin(3 * phase) + 0.02 * rng.normal(0, 1, len(time_s))
        )
        out.append(tone * np.minimum(1, np.minimum(time_s / 0.06, (seconds - time_s) / 0.05)))
    whole = np.concatenate(out)
    return (0.3 * whole / np.abs(whole).max()).astype(np.float32)
