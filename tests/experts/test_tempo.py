"""Tempi that are known because the test beats them."""

from __future__ import annotations

import numpy as np
import pytest
from performances import drums, guitar

from lavis.experts.tempo import Tempo, count_onsets, find_tempo
from lavis.experts.yamnet.log_mel import log_mel


def clicks(times_s: np.ndarray, seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    sound = np.zeros(round(seconds * 16000), np.float32)
    for time_s in times_s:
        begin = round(time_s * 16000)
        sound[begin : begin + 800] += (rng.normal(0, 0.2, 800) * np.exp(-np.arange(800) / 150))[: len(sound) - begin]
    return sound


@pytest.mark.parametrize("bpm", [72, 96, 120, 150])
def test_even_beats_give_their_tempo_or_its_half_or_double(bpm: int) -> None:
    for sound in (
        clicks(np.arange(0.2, 15, 60 / bpm), 15),
        guitar(24, beats_per_minute=bpm),
        drums(24, beats_per_minute=bpm),
    ):
        found = find_tempo(log_mel(sound))
        assert found is not None
        assert min(abs(found.bpm / bpm - factor) for factor in (0.5, 1.0, 2.0)) < 0.02
        assert "steady" in str(found) and "not steady" not in str(found)


def test_uneven_noise_silent_and_short_sounds_have_no_beat() -> None:
    rng = np.random.default_rng(0)
    assert find_tempo(log_mel(clicks(np.cumsum(rng.uniform(0.15, 1.2, 25)), 18))) is None
    assert find_tempo(log_mel(rng.normal(0, 0.1, 160000))) is None
    assert find_tempo(log_mel(np.zeros(160000))) is None
    assert find_tempo(log_mel(clicks(np.arange(0.2, 3, 0.5), 3))) is None


def test_a_weak_beat_is_told_as_not_steady() -> None:
    assert str(Tempo(101.7, 0.2)) == "Tempo: perhaps 102 beats per minute, not steady."


def test_onsets_are_counted_also_where_the_level_stays() -> None:
    """Ground truth: 24 beats; and a held tone that changes its pitch 9 times without a pause."""
    assert count_onsets(log_mel(clicks(np.arange(0.2, 12.2, 0.5), 12.5))) == pytest.approx(24, abs=1)
    phase = np.cumsum(np.repeat([440, 550, 660, 495, 880, 440, 700, 520, 610, 450], 8000) / 16000)
    assert count_onsets(log_mel(0.3 * np.sin(2 * np.pi * phase))) == pytest.approx(9, abs=2)
