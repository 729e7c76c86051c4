"""Events named on real speech, noise and synthesised drums, at the times at which they are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hearing import clip, need, two_cities
from performances import drums, flute
from sounds import write_sound

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.audio import AudioLoader
from lavis.experts.sound_events import SoundEventsExpert
from lavis.experts.yamnet import CLASSES, MODEL


@pytest.fixture(autouse=True)
def weights() -> None:
    need(MODEL, CLASSES)


def times_s(text: str, name: str) -> tuple[float, float]:
    """Return from the first to the last moment of an event."""
    line = next(line for line in text.splitlines() if line.startswith(f"- {name}: "))
    found = re.findall(r"([\d.]+) to ([\d.]+) s", line)
    return float(found[0][0]), float(found[-1][1])


def test_speech_is_named_at_its_times_between_silences() -> None:
    """Ground truth: 3 s of silence, 4 s of a man reading, 3 s of silence."""
    pause = np.zeros(48000, np.float32)
    text = SoundEventsExpert().write(clip(np.concatenate([pause, two_cities(1, 5).array, pause])))
    start_s, end_s = times_s(text, "Speech")
    assert start_s == pytest.approx(3.0, abs=0.7) and end_s == pytest.approx(7.0, abs=0.7)
    assert "Most likely over the whole: Speech (" in text


def test_two_events_follow_each_other_and_parents_are_not_repeated() -> None:
    """Ground truth: 4 s of flute, then white noise; Music and Wind instrument are the flute's parents."""
    noise = np.random.default_rng(0).normal(0, 0.1, 64000).astype(np.float32)
    text = SoundEventsExpert().write(clip(np.concatenate([flute()[:64000], noise])))
    events = [line.split(":")[0] for line in text.splitlines() if line.startswith("- ")]
    assert events[0] == "- Flute" and "- White noise" in events
    assert "- Wind instrument / woodwind instrument" not in events and "- Musical instrument" not in events
    assert times_s(text, "Flute")[1] == pytest.approx(4.0, abs=0.8)
    assert times_s(text, "White noise")[0] == pytest.approx(4.0, abs=1.0)


def test_at_most_so_many_kinds_are_told_and_what_is_left_out_is_counted() -> None:
    sound = np.concatenate([drums(), np.random.default_rng(0).normal(0, 0.1, 64000).astype(np.float32)])
    text = SoundEventsExpert(max_events=2, min_probability=0.1).write(clip(sound))
    events = [line for line in text.splitlines() if line.startswith("- ")]
    assert len(events) == 3 and re.fullmatch(r"- \d+ shorter or less certain kinds are left out", events[-1])


def test_silence_and_what_no_name_fits_are_said_as_such() -> None:
    assert SoundEventsExpert().write(clip(np.zeros(32000))) == (
        "The sound is 2.0 s long and silent throughout: nothing is heard."
    )
    faint = np.random.default_rng(0).normal(0, 0.1, 32000)
    text = SoundEventsExpert(min_probability=0.95).write(clip(faint))
    assert "Nothing is heard with a probability of 0.95 or more." in text and "Most likely over the whole: " in text


def test_clipped_short_and_too_short_sounds() -> None:
    loud = np.clip(two_cities(1, 4).array * 40, -1, 1)
    text = SoundEventsExpert().write(clip(loud))
    assert "the recording is probably clipped" in text and "- Speech: " in text
    assert "clipped" not in SoundEventsExpert().write(two_cities(1, 4))
    assert "only 0.30 s long; names are less certain" in SoundEventsExpert().write(two_cities(1, 1.3))
    with pytest.raises(ModalityError, match=r"a1: data/audio/a1\.wav holds less than 25 ms of sound"):
        SoundEventsExpert().write(clip(np.zeros(300)))
    with pytest.raises(ModalityError, match=r"loaded at 8000 Hz; this expert hears 16000 Hz: leave sample_rate_hz out"):
        SoundEventsExpert().write(clip(np.zeros(16000), rate_hz=8000))
    with pytest.raises(ConfigError, match=r"model\.experts\.sound_events: min_probability"):
        SoundEventsExpert(min_probability=1.5)


def test_a_telephone_s_8_khz_and_eight_channels_are_heard_alike(tmp_path: Path) -> None:
    """The recording stored at 8 kHz, and as the centre of 7.1 with the other channels silent."""
    speech = two_cities(1, 6).array
    write_sound(tmp_path / "telephone.wav", speech[None, ::2], 8000)
    surround = np.zeros((8, len(speech)), np.float32)
    surround[2] = speech * 4
    write_sound(tmp_path / "cinema.wav", surround, 16000)
    for name in ("telephone", "cinema"):
        loaded = AudioLoader().load(tmp_path / f"{name}.wav", media_id=name)
        start_s, end_s = times_s(SoundEventsExpert().write(loaded), "Speech")
        assert start_s < 0.7 and end_s > 4.3
