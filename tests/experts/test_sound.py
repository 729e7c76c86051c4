"""The sound expert against sounds whose course is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.base import Array, Clip
from lavis.datasets.sample.benchmarks.sounds import knocks, pluck, silence, tone
from lavis.experts.sound import SoundExpert, note, pitch_hz


def clip(*parts: Array, rate_hz: float | None = 16_000.0) -> Clip:
    return Clip("m", "audio", np.concatenate(parts), "n", "full scale 1", Path("m.wav"), rate_hz=rate_hz)


def said(*parts: Array) -> str:
    return SoundExpert().write(clip(*parts))


@pytest.mark.parametrize("count", [1, 2, 3, 6, 9])
def test_knocks_are_counted(count: int) -> None:
    words = "zero one two three four five six seven eight nine".split()
    noun = "onset" if count == 1 else "onsets"
    assert f"{words[count].capitalize()} {noun}, at" in said(knocks(count, 4.0))


def test_even_knocks_have_a_tempo() -> None:
    assert "evenly spaced, 120 a minute" in said(knocks(8, 4.0))


@pytest.mark.parametrize(("pitch", "name"), [(110, "A2"), (261.63, "C4"), (440, "A4"), (1046.5, "C6")])
def test_a_steady_tone_has_its_note(pitch: float, name: str) -> None:
    assert f"Pitches in order: {name} (" in said(tone(pitch, 1.0))
    found = pitch_hz(tone(pitch, 0.2), 16_000)
    assert found == pytest.approx(pitch, rel=0.005)


def test_plucked_notes_are_told_in_order() -> None:
    assert "Pitches in order: A4" in said(pluck(440, 1), pluck(330, 1))
    assert said(pluck(440, 1), pluck(330, 1)).endswith("(330 Hz).")


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 32_000).astype(np.float32)
    assert "None of it has a clear pitch." in said(noise)


def test_pauses_have_their_times() -> None:
    text = said(tone(220, 1), silence(2), tone(220, 1), silence(0.5))
    assert "Silent from 1.0 to 3.0 s and 4.0 to 4.5 s." in text
    assert "It sounds throughout." in said(tone(220, 1))


def test_loudness_is_compared_between_the_halves() -> None:
    assert "second half is 20 dB louder" in said(tone(440, 2, 0.05), tone(440, 2, 0.5))
    softer = said(tone(440, 2, 0.5), tone(440, 2, 0.05))  # one window of 25 ms holds both
    assert "second half is 19 dB softer" in softer or "second half is 20 dB softer" in softer
    assert "about as loud" in said(tone(440, 2))


def test_silence_is_said_and_a_level_is_relative_to_full_scale() -> None:
    assert said(silence(2)) == "The sound is 2.0 s long and silent throughout."
    assert "9 dB below full scale" in said(tone(440, 1, 0.5))


@pytest.mark.parametrize(
    "short", [clip(silence(0.01)), clip(tone(440, 1), rate_hz=None), clip(np.zeros(0, np.float32))]
)
def test_too_little_sound_is_an_error(short: Clip) -> None:
    with pytest.raises(ModalityError, match=r"m\.wav"):
        SoundExpert().write(short)


@pytest.mark.parametrize("options", [{"silence_db": 0.0}, {"silence_db": 200.0}])
def test_an_impossible_option_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="silence_db"):
        SoundExpert(**options)


@pytest.mark.parametrize("rate_hz", [8_000.0, 16_000.0, 48_000.0])
def test_any_content_gives_a_text(rate_hz: float) -> None:
    generator = np.random.default_rng(1)
    for sound in (np.ones(9_000), np.sign(generator.normal(size=9_000)), generator.normal(size=9_000) * 1e-6):
        assert SoundExpert().write(clip(sound.astype(np.float32), rate_hz=rate_hz))


def test_notes_are_named_from_440_hz() -> None:
    assert [note(hz) for hz in (27.5, 261.63, 440.0, 466.16)] == ["A0", "C4", "A4", "A#4"]
