"""Computed sounds for the samples, [n] float32 at 16 kHz."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from lavis.datasets.loaders.base import Array
from lavis.datasets.sample.benchmarks.pictures import SAMPLE_RATE_HZ


def pluck(pitch_hz: float, duration_s: float, level: float = 0.5) -> Array:
    """Return a plucked string: noise in a loop that loses its edge (Karplus and Strong, 1983)."""
    period = round(SAMPLE_RATE_HZ / pitch_hz)
    string = np.random.default_rng(period).uniform(-1, 1, period)
    sounded = np.empty(round(duration_s * SAMPLE_RATE_HZ))
    for start in range(0, len(sounded), period):
        count = min(period, len(sounded) - start)
        sounded[start : start + count] = string[:count]
        string = 0.498 * (string + np.roll(string, 1))
    return (level * sounded).astype(np.float32)


def tone(pitch_hz: float, duration_s: float, level: float = 0.5) -> Array:
    """Return a steady sine."""
    times_s = np.arange(round(duration_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    return (level * np.sin(2 * np.pi * pitch_hz * times_s)).astype(np.float32)


def knocks(count: int, duration_s: float, level: float = 0.8) -> Array:
    """Return so many short bursts of noise, evenly spread."""
    sounded = np.zeros(round(duration_s * SAMPLE_RATE_HZ))
    noise = np.random.default_rng(count)
    length = round(0.08 * SAMPLE_RATE_HZ)
    for number in range(count):
        start = round((number + 0.5) / count * len(sounded)) - length // 2
        sounded[start : start + length] = noise.uniform(-1, 1, length) * np.exp(-np.linspace(0, 6, length))
    return (level * sounded).astype(np.float32)


def silence(duration_s: float) -> Array:
    """Return silence."""
    return np.zeros(round(duration_s * SAMPLE_RATE_HZ), dtype=np.float32)


def write_wav(path: Path, sound: Array) -> None:
    """Write a sound as 16-bit mono wav."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
