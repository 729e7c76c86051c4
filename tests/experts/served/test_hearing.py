"""Sound as a model is sent it, and one more witness that sees and hears."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from provider import Provider, reply

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.audio import AudioLoader
from lavis.datasets.loaders.base import Clip
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.question import Media, Question
from lavis.experts.served.hearing import (
    MusicDescriptionExpert,
    SoundDescriptionExpert,
    SpeechDescriptionExpert,
    TranscriptionExpert,
)
from lavis.experts.served.omni import OmniExpert

from frames_on_disk import grey_frames, shown_frames, words_of  # isort: skip
from sounds import frequency_hz, tone, write_sound  # isort: skip

Make = Callable[..., Any]
RATE_HZ = 16000


@pytest.fixture
def sound(tmp_path: Path) -> Clip:
    return AudioLoader().load(write_sound(tmp_path / "one.wav", tone(2.0, RATE_HZ)[None], RATE_HZ), media_id="one")


def heard(body: dict[str, Any]) -> tuple[np.ndarray, int]:
    """Return (samples [n], full scale 1, rate in Hz) of a request's one sound."""
    (part,) = [part for part in body["messages"][-1]["content"] if part["type"] == "input_audio"]
    assert part["input_audio"]["format"] == "wav"
    with wave.open(io.BytesIO(base64.b64decode(part["input_audio"]["data"]))) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767.0
        return samples, file.getframerate()


@pytest.mark.parametrize("cls", [SoundDescriptionExpert, MusicDescriptionExpert, SpeechDescriptionExpert])
def test_a_sound_arrives_as_a_wav_of_the_same_samples(make: Make, provider: Provider, sound: Clip, cls: Any) -> None:
    provider.script = [reply("A steady tone.")]
    assert make(cls).write(sound) == "A steady tone."
    samples, rate_hz = heard(provider.requests[0].body)
    assert (rate_hz, len(samples)) == (RATE_HZ, 2 * RATE_HZ)
    assert np.abs(samples - sound.array).max() < 1 / 32000
    assert frequency_hz(samples, rate_hz) == pytest.approx(440, abs=1)
    assert words_of(provider.requests[0].body).endswith(f"The sound is 2.0 s long.\n{cls.instruction}")


def test_a_longer_sound_is_cut_and_both_the_model_and_the_reader_of_the_evidence_are_told(
    make: Make, provider: Provider, sound: Clip
) -> None:
    provider.script = [reply("A tone.")]
    text = make(SoundDescriptionExpert, max_s=0.5).write(sound)
    assert text == "Of 2.0 s of sound only the first 0.5 s were listened to.\nA tone."
    assert len(heard(provider.requests[0].body)[0]) == RATE_HZ // 2


def test_a_sound_out_of_the_middle_says_where_its_times_begin(make: Make, provider: Provider, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "one.wav", tone(2.0, RATE_HZ)[None], RATE_HZ)
    later = AudioLoader(start_s=1.5).load(path, media_id="one")
    assert make(SpeechDescriptionExpert).write(later).startswith("Times count from 1.5 s of the recording.\n")


def test_no_sound_and_no_time_are_refused(make: Make, sound: Clip) -> None:
    silent = Clip("one", "audio", sound.array[:0], "n", sound.unit, sound.path, rate_hz=16000.0)
    with pytest.raises(ModalityError, match=r"one: .*one\.wav holds no sound"):
        make(SoundDescriptionExpert).write(silent)
    with pytest.raises(ConfigError, match=r"audio_sound\.max_s"):
        SoundDescriptionExpert(max_s=0)
    with pytest.raises(ConfigError, match=r"transcription\.reasoner hears no sound; set hears_audio"):
        TranscriptionExpert(reasoner={"type": "openai", "model": "m", "sees_images": True})


# -- the witness -------------------------------------------------------------------------------


@pytest.fixture
def question(tmp_path: Path) -> Question:
    sources = {
        "frame": grey_frames(tmp_path / "clip", 5),
        "audio": write_sound(tmp_path / "one.wav", tone(2.0, RATE_HZ)[None], RATE_HZ),
    }
    return Question("q", "Which is it?", Media("one", sources), ("a dog", "a cat"), "I sit.", ("a cat",))


def test_the_witness_sees_hears_and_is_asked_the_question_without_its_gold(
    make: Make, provider: Provider, question: Question
) -> None:
    provider.script = [reply("Seen and heard: a tone.\nAnswer: a dog\nSure: hardly.")]
    evidence = make(OmniExpert).look(question, MediaReader(question.media, n_frames=4))
    body = provider.requests[0].body
    assert shown_frames(body) == [0, 1, 2, 3]
    assert len(heard(body)[0]) == 2 * RATE_HZ
    assert [part["type"] for part in body["messages"][-1]["content"]][-2:] == ["input_audio", "text"]
    asked = "The sound is 2.0 s long.\nSituation: I sit.\nQuestion: Which is it?\nOptions:\n- a dog\n- a cat\n"
    assert asked in words_of(body)
    assert evidence.text.startswith("This witness saw frames and heard the sound.\nSeen and heard: a tone.")


def test_a_medium_without_sound_has_a_witness_that_only_saw(make: Make, provider: Provider, question: Question) -> None:
    silent = Question("q", "Which?", Media("one", {"frame": question.media.sources["frame"]}))
    evidence = make(OmniExpert).look(silent, MediaReader(silent.media, n_frames=4))
    assert evidence.text.startswith("This witness saw frames and heard no sound.")
    assert "input_audio" not in str(provider.requests[0].body)
    assert "There is no sound." in words_of(provider.requests[0].body)
