"""Clips of sound for listening experts, and the real recording whose words are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lavis.common.errors import WeightsError
from lavis.common.weights import weights_path
from lavis.datasets.loaders.audio import AudioLoader
from lavis.datasets.loaders.base import Clip

RATE_HZ = 16000


def need(*names: str) -> None:
    """Skip a test whose weights are not in the cache."""
    for name in names:
        try:
            weights_path(name)
        except WeightsError as error:
            pytest.skip(f"{name} is not in the cache: {error}")


def clip(sound: np.ndarray, right: np.ndarray | None = None, *, rate_hz: float = RATE_HZ) -> Clip:
    """Return a clip of one channel, or of the average of two with both beside it."""
    path = Path("data/audio/a1.wav")
    if right is None:
        return Clip("a1", "audio", sound.astype(np.float32), "n", "16 kHz mono, full scale 1", path, rate_hz=rate_hz)
    n_samples = min(len(sound), len(right))
    both = np.stack([sound[:n_samples], right[:n_samples]]).astype(np.float32)
    extras = {"channels": both}
    return Clip("a1", "audio", both.mean(axis=0), "n", "16 kHz mono", path, rate_hz=rate_hz, extras=extras)


def two_cities(start_s: float = 0.0, end_s: float | None = None) -> Clip:
    """Return a man reading the opening of A Tale of Two Cities; the first words begin at 0.8 s."""
    need("speech_two_cities")
    loader = AudioLoader(start_s=start_s, end_s=end_s)
    return loader.load(weights_path("speech_two_cities"), media_id="two_cities")
