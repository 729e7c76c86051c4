"""A real reading of a text that is known; music, noise and silence are not turned into words."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hearing import clip, need, two_cities
from performances import drums, flute
from sounds import write_sound

from lavis.common.errors import ConfigError, ModalityError, WeightsError
from lavis.datasets.loaders.audio import AudioLoader
from lavis.experts import speech
from lavis.experts.speech import SpeechExpert, only
from lavis.experts.yamnet import CLASSES, MODEL

OPENING = "it was the best of times it was the worst of times it was the age of wisdom".split()


@pytest.fixture(autouse=True)
def weights() -> None:
    pytest.importorskip("faster_whisper")
    need(MODEL, CLASSES, *speech.WHISPER)


def words(text: str) -> list[str]:
    quoted = " ".join(line.split(" s: ", 1)[1] for line in text.splitlines() if line.startswith("- "))
    return re.findall(r"[a-z]+", quoted.lower())


def test_the_words_and_their_times_are_told() -> None:
    """Ground truth: the reader's first three clauses, between 0.8 and 6.9 s."""
    text = SpeechExpert().write(two_cities(0, 7))
    assert words(text)[: len(OPENING)] == OPENING
    assert re.match(r"Somebody speaks: 0\.\d to [67]\.\d s \(probability 0\.\d\d\)\.", text)
    assert "by Whisper tiny.en, English is assumed" in text
    assert text == SpeechExpert().write(two_cities(0, 7))


def test_speech_after_music_keeps_its_time_and_the_music_stays_wordless() -> None:
    """Ground truth: 6 s of drums, then the reader from 0.8 s of his recording on."""
    sound = np.concatenate([drums()[:96000], two_cities(0, 7).array])
    text = SpeechExpert().write(clip(sound))
    assert words(text)[: len(OPENING)] == OPENING
    first_s = float(re.search(r"^- ([\d.]+) to", text, re.MULTILINE).group(1))  # type: ignore[union-attr]
    assert first_s == pytest.approx(6.8, abs=1.0)


@pytest.mark.parametrize("sound", [drums(), flute(), np.random.default_rng(0).normal(0, 0.1, 48000)])
def test_music_and_noise_have_no_words(sound: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> list[object]:
        raise AssertionError("Whisper was asked")

    monkeypatch.setattr(speech, "_transcribe", refuse)
    assert SpeechExpert().write(clip(sound)).startswith("No speech is recognised (probability at most 0.")


def test_silence_is_nobody_speaking() -> None:
    text = SpeechExpert().write(clip(np.zeros(32000)))
    assert text == "The sound is 2.0 s long and silent throughout: nobody speaks."


def test_telephone_and_clipped_cinema_speech_are_understood(tmp_path: Path) -> None:
    """The recording stored at 8 kHz, and much too loud as the centre of 7.1 with the other channels silent."""
    sound = two_cities(0, 4).array
    write_sound(tmp_path / "telephone.wav", sound[None, ::2], 8000)
    surround = np.zeros((8, len(sound)), np.float32)
    surround[2] = sound
    surround[0] = np.clip(60 * sound, -1, 1)
    write_sound(tmp_path / "cinema.wav", surround, 16000)
    for name in ("telephone", "cinema"):
        text = SpeechExpert(beam_size=1).write(AudioLoader().load(tmp_path / f"{name}.wav", media_id=name))
        assert words(text)[:6] == OPENING[:6]
        assert ("probably clipped" in text) is (name == "cinema")


def test_torch_keeps_its_number_of_threads() -> None:
    """CTranslate2 and torch share OpenMP; a sum of torch may depend on how many threads it has."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        speech._load.cache_clear()
        speech.shared_whisper()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_what_is_outside_the_spans_is_silent_and_times_stay() -> None:
    kept = only(np.ones(10 * 16000, np.float32), [(0.0, 1.0), (5.0, 6.0)])
    assert len(kept) == 160000 and kept[:27200].all() and not kept[27200:68800].any() and kept[68800:107200].all()


def test_too_short_sounds_wrong_options_and_absent_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModalityError, match="less than 25 ms"):
        SpeechExpert().write(clip(np.zeros(10)))
    assert "only 0.30 s long" in SpeechExpert().write(clip(flute()[:4800]))
    for options in ({"min_speech": 0.0}, {"beam_size": 0}):
        with pytest.raises(ConfigError, match=r"model\.experts\.speech: "):
            SpeechExpert(**options)
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path))
    with pytest.raises(WeightsError, match="weights fetch whisper_tiny_en_model"):
        speech.shared_whisper()
