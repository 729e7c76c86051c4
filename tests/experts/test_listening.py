"""Stretches of presence and their words; what is checked before anything is named."""

from __future__ import annotations

import numpy as np
import pytest
from hearing import clip
from sounds import tone

from lavis.experts.listening import listen, spans_s, told_spans

MOMENTS = [(float(n), float(n + 1)) for n in range(8)]


def test_a_short_absence_does_not_end_a_stretch() -> None:
    present = np.array([1, 1, 0, 1, 0, 0, 0, 1], dtype=bool)
    found = [(start_s, end_s, numbers.tolist()) for start_s, end_s, numbers in spans_s(present, MOMENTS, gap_s=1.0)]
    assert found == [(0.0, 4.0, [0, 1, 3]), (7.0, 8.0, [7])]
    assert len(spans_s(present, MOMENTS, gap_s=0.5)) == 3
    assert spans_s(np.zeros(8, dtype=bool), MOMENTS, gap_s=1.0) == []


def test_the_longest_stretches_are_told_in_their_order() -> None:
    spans = [(0.0, 1.0), (2.0, 2.5), (4.0, 9.0)]
    assert told_spans(spans, 3) == "0.0 to 1.0 s, 2.0 to 2.5 s, 4.0 to 9.0 s"
    assert told_spans(spans, 2) == "0.0 to 1.0 s, 4.0 to 9.0 s and 1 shorter"


def test_clipping_is_told_and_full_scale_music_is_not() -> None:
    """Ground truth: a sine three times too loud spends two thirds of its time at full scale."""
    (note,) = listen(clip(np.clip(3 * tone(2, 16000, amplitude=1.0), -1, 1))).notes
    assert float(note.split()[0]) == pytest.approx(100 * (1 - 2 / np.pi * np.arcsin(0.33)), abs=1.0)
    assert listen(clip(tone(2, 16000, amplitude=0.98))).notes == ()
    # Clipped on one side only: the average of both is not.
    assert listen(clip(np.clip(3 * tone(2, 16000, amplitude=1.0), -1, 1), np.zeros(32000))).notes


def test_silence_is_a_recorder_s_noise_and_below() -> None:
    hiss = np.random.default_rng(0).normal(0, 1e-4, 32000)
    assert listen(clip(hiss)).is_silent and not listen(clip(100 * hiss)).is_silent
    assert listen(clip(hiss)).length_s == 2.0
