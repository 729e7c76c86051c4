"""BEATs' input: the filter bank agrees with another implementation; shapes, scale, padding and coverage."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sounds import tone, write_sound

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.audio import AudioLoader
from lavis.processors import load_processor
from lavis.processors.audio_processors import BeatsAudioProcessor
from lavis.processors.kaldi_fbank import kaldi_fbank

RATE_HZ = 16000


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


def transformers_fbank(samples: np.ndarray) -> np.ndarray:
    from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the lowest of 128 filters hold no bin of 31 Hz, in Kaldi too
        filters = mel_filter_bank(257, 128, 20, 8000, RATE_HZ, None, "kaldi", True)
    window = window_function(400, "povey", periodic=False)
    return spectrogram(
        samples,
        window,
        frame_length=400,
        hop_length=160,
        fft_length=512,
        power=2.0,
        center=False,
        preemphasis=0.97,
        mel_filters=filters,
        log_mel="log",
        mel_floor=float(np.finfo(np.float32).eps),
        remove_dc_offset=True,
    ).T


@pytest.mark.parametrize(
    "samples",
    [noise(2) * 2**15, tone(2, RATE_HZ, amplitude=0.9) * 2**15, noise(2) + 3, np.zeros(4000, np.float32)],
    ids=["noise", "sine", "offset", "silence"],
)
def test_the_filter_bank_is_that_of_kaldi(samples: np.ndarray) -> None:
    ours = kaldi_fbank(torch.from_numpy(samples)).numpy()
    assert ours.shape == (1 + (len(samples) - 400) // 160, 128)
    np.testing.assert_allclose(ours, transformers_fbank(samples), atol=1e-4)


def test_a_tone_shows_in_the_filter_at_its_pitch() -> None:
    """Kaldi's mel scale: filter k is centred on 20 Hz + (k + 1) / 129 of the way to 8 kHz, in 1127 ln(1 + f / 700)."""
    mel_low, mel_high = (1127 * np.log1p(hz / 700) for hz in (20, 8000))
    for hz in (1000.0, 3000.0):
        bank = kaldi_fbank(torch.from_numpy(tone(1, RATE_HZ, hz=hz) * 2**15))
        strongest = int(bank.mean(dim=0).argmax())
        centre = (1127 * np.log1p(hz / 700) - mel_low) / (mel_high - mel_low) * 129 - 1
        assert abs(strongest - centre) <= 1


def test_the_first_windows_are_the_start_of_the_sound_normalised() -> None:
    sound = noise(20)
    expected = (transformers_fbank(sound * 2**15)[:1024] - 15.41663) / (2 * 6.55582)

    windows = load_processor("beats_audio")(sound)

    assert windows.shape == (2, 512, 128) and windows.dtype == torch.float32
    np.testing.assert_allclose(windows.numpy(), expected.reshape(2, 512, 128), atol=1e-5)


def test_rows_after_a_short_sound_are_zero_after_normalisation() -> None:
    windows = load_processor("beats_audio")(noise(1.0)).reshape(1024, 128)
    n_rows = 1 + (16000 - 400) // 160
    assert (windows[n_rows:] == 0).all()
    assert (windows[:n_rows] != 0).all()


def test_a_path_a_clip_and_samples_give_the_same(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "s.wav", noise(12)[None], RATE_HZ)
    process = load_processor("beats_audio")
    clip = AudioLoader().load(path, media_id="s")

    from_path = process(path)

    assert torch.equal(from_path, process(str(path)))
    assert torch.equal(from_path, process(clip))
    assert torch.equal(from_path, process(torch.from_numpy(clip.array)))


def test_a_span_is_the_span_of_the_sound(tmp_path: Path) -> None:
    sound = noise(12)
    path = write_sound(tmp_path / "s.wav", sound[None], RATE_HZ)
    process = load_processor("beats_audio")
    whole = AudioLoader().load(path, media_id="s").array

    expected = process(whole[4 * RATE_HZ : 7 * RATE_HZ])
    assert torch.equal(process(path, start_sec=4, end_sec=7), expected)
    assert torch.equal(process(whole, start_sec=4, end_sec=7), expected)
    later = AudioLoader(start_s=2).load(path, media_id="s")
    assert torch.equal(process(later, start_sec=4, end_sec=7), expected)
    assert torch.equal(process(later), process(whole[2 * RATE_HZ :]))


def test_uniform_coverage_reaches_the_end_of_the_sound(tmp_path: Path) -> None:
    """Two windows of 5.12 s in 40 s: around 10 s and around 30 s."""
    sound = noise(40)
    path = write_sound(tmp_path / "long.wav", sound[None], RATE_HZ)
    stored = AudioLoader().load(path, media_id="long").array
    process = BeatsAudioProcessor(coverage="uniform")
    one = BeatsAudioProcessor(n_frames=1)

    windows = process(path)

    for window, middle_s in zip(windows, (10.0, 30.0), strict=True):
        assert torch.equal(window, one(stored, start_sec=middle_s - 2.56)[0])
    assert torch.equal(process(stored), windows)
    short = noise(8)
    assert torch.equal(process(short), load_processor("beats_audio")(short))


def test_only_the_needed_part_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sound(tmp_path / "long.flac", noise(60)[None], RATE_HZ, codec="flac")
    spans = []
    load_span = AudioLoader.load_span

    def spy(self, path, **span):  # type: ignore[no-untyped-def]
        clip = load_span(self, path, **span)
        spans.append((span["start_s"], len(clip.array)))
        return clip

    monkeypatch.setattr(AudioLoader, "load_span", spy)
    load_processor("beats_audio")(path)
    BeatsAudioProcessor(coverage="uniform")(path)
    assert spans == [(0.0, 1023 * 160 + 400), (15 - 2.56, 511 * 160 + 400), (45 - 2.56, 511 * 160 + 400)]


def test_what_cannot_be_heard_is_an_error_not_zeros(tmp_path: Path) -> None:
    process = load_processor("beats_audio")
    with pytest.raises(ModalityError, match=r"absent\.wav does not exist"):
        process(tmp_path / "absent.wav")
    with pytest.raises(ModalityError, match=r"has 399 samples.* fewer than a filter bank's window of 25 ms"):
        process(np.zeros(399, np.float32))
    with pytest.raises(ModalityError, match="does not lie inside"):
        process(noise(2), start_sec=3)
    with pytest.raises(ModalityError, match="does not lie inside"):
        process(noise(2), start_sec=1, end_sec=3)
    with pytest.raises(ModalityError, match="a sound is floats"):
        process(np.zeros(8000, np.int16))
    path = write_sound(tmp_path / "s.wav", noise(1)[None], RATE_HZ)
    with pytest.raises(ModalityError, match="set the audio option sample_rate_hz"):
        process(AudioLoader(sample_rate_hz=8000).load(path, media_id="s"))


def test_options_come_from_the_configuration() -> None:
    process = BeatsAudioProcessor.from_config({"n_frames": 3, "frame_length": 100, "coverage": "uniform"})
    assert process(noise(9)).shape == (3, 100, 128)
    with pytest.raises(ConfigError, match="coverage must be first or uniform"):
        BeatsAudioProcessor.from_config({"coverage": "all"})
    with pytest.raises(ConfigError, match="start at 1"):
        BeatsAudioProcessor(n_frames=0)
