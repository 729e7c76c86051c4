"""Audio: what the loader reads from the medium itself, as a file of 16-bit samples."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from media import ClipSpec, write_clip, write_tone

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.audio import AudioLoader
from lavis.extract import Medium, extract_medium
from lavis.extract.audio import AudioExtractor


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Medium:
    """1.6 s with a tone of 440 Hz at a quarter of full scale."""
    return Medium("a/m", write_clip(tmp_path_factory.mktemp("film") / "m.mp4", ClipSpec(audio=True)))


@pytest.mark.parametrize("rate_hz", [16_000, 8_000, 22_050])
def test_the_track_becomes_mono_pcm(film: Medium, tmp_path: Path, rate_hz: int) -> None:
    made = extract_medium(AudioExtractor(sample_rate_hz=rate_hz), film, tmp_path)
    with wave.open(str(tmp_path / "a" / "m.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, rate_hz)
        assert file.getnframes() == made.n_frames == pytest.approx(1.6 * rate_hz, abs=0.15 * rate_hz)
    loader = AudioLoader(sample_rate_hz=rate_hz)
    stored = loader.load(tmp_path / "a" / "m.wav", media_id="m").array
    direct = loader.load(film.path, media_id="m").array
    assert len(stored) == len(direct)
    np.testing.assert_allclose(stored, direct, atol=1.1 / 32768)
    loudest = np.abs(np.fft.rfft(stored[:rate_hz])).argmax()
    assert loudest == pytest.approx(440, abs=1)


def test_no_track_and_cut_files_are_failures(film: Medium, tmp_path: Path) -> None:
    silent = write_clip(tmp_path / "silent.mp4")
    with pytest.raises(ModalityError, match=r"^s: .*silent\.mp4"):
        extract_medium(AudioExtractor(), Medium("s", silent), tmp_path / "out")
    tone = write_tone(tmp_path / "tone.mp4")
    tone.write_bytes(tone.read_bytes()[:2000])
    with pytest.raises(ModalityError, match=r"^t: .*tone\.mp4"):
        extract_medium(AudioExtractor(), Medium("t", tone), tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.wav"))
    with pytest.raises(ConfigError, match="sample_rate_hz"):
        AudioExtractor(sample_rate_hz=1)
