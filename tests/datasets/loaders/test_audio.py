"""Sound: rates, channels and codecs come out right; a span equals the slice; what is damaged is an error."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from sounds import frequency_hz, tone, write_sound

from lavis.common.errors import AnnotationError, ConfigError, ModalityError
from lavis.datasets.loaders.audio import AUDIO_SUFFIXES, AudioLoader
from lavis.datasets.loaders.audio_track import AudioTrack
from lavis.datasets.loaders.clip_cache import ClipCache

SECONDS = 3.0
HZ, AMPLITUDE = 440.0, 0.25

# name: (suffix, Hz, channels, codec, sample format, tolerated extra s of codec priming and padding)
SOUNDS = {
    "wav_44k_stereo": (".wav", 44100, 2, "pcm_s16le", "s16", 0.0),
    "wav_8k_mono": (".wav", 8000, 1, "pcm_s16le", "s16", 0.0),
    "wav_24bit": (".wav", 48000, 1, "pcm_s24le", "s32", 0.0),
    "wav_8bit": (".wav", 16000, 1, "pcm_u8", "u8", 0.0),
    "wav_float": (".wav", 32000, 2, "pcm_f32le", "flt", 0.0),
    "wav_48k_surround": (".wav", 48000, 6, "pcm_s16le", "s16", 0.0),
    "flac": (".flac", 48000, 2, "flac", "s16", 0.0),
    "mp3": (".mp3", 44100, 2, "libmp3lame", "s16p", 0.0),
    "aac_m4a": (".m4a", 44100, 2, "aac", "fltp", 0.03),
    "aac_mp4": (".mp4", 48000, 1, "aac", "fltp", 0.03),
    "opus_ogg": (".ogg", 48000, 2, "libopus", "s16", 0.01),
    "opus_webm": (".webm", 48000, 2, "libopus", "s16", 0.01),
    "aac_mkv": (".mkv", 44100, 2, "aac", "fltp", 0.03),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sounds")
    for name, (suffix, rate_hz, n_channels, codec, sample_format, _) in SOUNDS.items():
        one = tone(SECONDS, rate_hz, hz=HZ, amplitude=AMPLITUDE)
        write_sound(
            root / (name + suffix), np.stack([one] * n_channels), rate_hz, codec=codec, sample_format=sample_format
        )
    return root


def path_of(folder: Path, name: str) -> Path:
    return folder / (name + SOUNDS[name][0])


@pytest.mark.parametrize("name", SOUNDS)
def test_length_frequency_and_amplitude_are_kept(folder: Path, name: str) -> None:
    clip = AudioLoader().load(path_of(folder, name), media_id=name)

    assert clip.array.dtype == np.float32 and clip.shape == "n" and clip.rate_hz == 16000
    assert clip.unit == "16 kHz mono, full scale 1" and clip.timestamps_s == (0.0,) and clip.indices == ()
    assert -1e-3 <= len(clip.array) / 16000 - SECONDS <= SOUNDS[name][5] + 1e-3
    middle = clip.array[8000:40000]
    assert frequency_hz(middle, 16000) == pytest.approx(HZ, abs=0.1)
    rel = 0.01 if SOUNDS[name][3].startswith(("pcm", "flac")) else 0.06
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(AMPLITUDE, rel=rel)


@pytest.mark.parametrize("name", ["wav_44k_stereo", "wav_8k_mono", "wav_24bit", "wav_48k_surround", "flac"])
def test_lossless_sound_is_the_sine_sample_by_sample(folder: Path, name: str) -> None:
    clip = AudioLoader().load(path_of(folder, name), media_id=name)

    np.testing.assert_allclose(clip.array[500:-500], tone(SECONDS, 16000)[500:-500], atol=3e-4)


@pytest.mark.parametrize("name", SOUNDS)
@pytest.mark.parametrize("span_s", [(0.0, 0.5), (1.23456, 1.5), (2.00001, 2.9)])
def test_a_span_equals_the_slice_of_the_whole(folder: Path, name: str, span_s: tuple[float, float]) -> None:
    start_s, end_s = span_s
    whole = AudioLoader().load(path_of(folder, name), media_id=name).array
    clip = AudioLoader(start_s=start_s, end_s=end_s).load(path_of(folder, name), media_id=name)

    np.testing.assert_allclose(clip.array, whole[round(start_s * 16000) : round(end_s * 16000)], atol=1e-5)
    assert clip.timestamps_s == (start_s,)


@pytest.mark.parametrize(
    ("suffix", "codec", "sample_format"),
    [
        (".wav", "pcm_s16le", "s16"),
        (".m4a", "aac", "fltp"),
        (".mp3", "libmp3lame", "s16p"),
        (".webm", "libopus", "s16"),
        (".aac", "aac", "fltp"),
    ],
)
def test_a_late_span_decodes_little_and_is_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, codec: str, sample_format: str
) -> None:
    chirp = 0.3 * np.sin(2 * np.pi * (100 + 20 * np.arange(30 * 48000) / 48000) * np.arange(30 * 48000) / 48000)
    path = write_sound(
        tmp_path / f"long{suffix}", chirp[None].astype(np.float32), 48000, codec=codec, sample_format=sample_format
    )
    whole = AudioLoader().load(path, media_id="long").array
    decoded_s = []
    counted = AudioTrack._counted

    def spy(self, position, frames, stream, with_pair):  # type: ignore[no-untyped-def]
        for at, piece in counted(self, position, frames, stream, with_pair):
            decoded_s.append(len(piece) / self.rate_hz)
            yield at, piece

    monkeypatch.setattr(AudioTrack, "_counted", spy)
    late = AudioLoader(start_s=25.0, end_s=26.0).load(path, media_id="long").array

    assert sum(decoded_s) < 8  # WebM can only be entered every 5 s
    np.testing.assert_allclose(late, whole[400000:416000], atol=1e-5)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = np.full(16000, 0.5), np.full(16000, -0.25)
    path = write_sound(tmp_path / "two.wav", np.stack([left, right]).astype(np.float32), 16000)

    np.testing.assert_allclose(AudioLoader().load(path, media_id="two").array, 0.125, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "n_channels", "rate_hz", "codec", "sample_format"),
    [
        ("same_rate.wav", 2, 16000, "pcm_s16le", "s16"),
        ("cd.flac", 2, 44100, "flac", "s16"),
        ("cinema.wav", 8, 48000, "pcm_s16le", "s16"),
        ("clip.m4a", 2, 44100, "aac", "fltp"),
        ("cinema.m4a", 8, 48000, "aac", "fltp"),
    ],
)
def test_the_first_two_channels_are_beside_the_same_average(
    tmp_path: Path, name: str, n_channels: int, rate_hz: int, codec: str, sample_format: str
) -> None:
    """Ground truth: 300 Hz on the left, 500 Hz on the right, 900 Hz on every other channel."""
    hertz = [300.0, 500.0, *[900.0] * (n_channels - 2)]
    channels = np.stack([tone(2, rate_hz, hz=hz) for hz in hertz])
    path = write_sound(tmp_path / name, channels, rate_hz, codec=codec, sample_format=sample_format)
    clip = AudioLoader().load(path, media_id="two")
    pair = clip.extras["channels"]

    assert pair.shape == (2, len(clip.array)) and pair.dtype == np.float32
    for channel, hz in zip(pair, hertz, strict=False):
        assert frequency_hz(channel[4000:28000], 16000) == pytest.approx(hz, abs=0.2)
    if n_channels == 2:
        np.testing.assert_allclose(pair.mean(axis=0), clip.array, atol=1e-4)
    without = AudioLoader(max_channels_s=0).load(path, media_id="two")
    assert "channels" not in without.extras
    np.testing.assert_array_equal(without.array, clip.array)
    if codec != "aac":  # which cuts the low-frequency channel off at 120 Hz
        assert clip.array.std() == pytest.approx(channels.mean(axis=0).std(), rel=0.01)
    late = AudioLoader(start_s=0.5, end_s=1.5).load(path, media_id="two")
    np.testing.assert_allclose(late.extras["channels"], pair[:, 8000:24000], atol=1e-5)


def test_channels_are_left_out_of_mono_and_long_sounds_and_count_in_the_cache(folder: Path, tmp_path: Path) -> None:
    assert "channels" not in AudioLoader().load(path_of(folder, "wav_8k_mono"), media_id="m").extras
    assert "channels" not in AudioLoader(max_channels_s=2.5).load(path_of(folder, "flac"), media_id="m").extras
    # Nothing is declared here: the length is found while decoding.
    opus = path_of(folder, "opus_webm")
    long = AudioLoader(max_channels_s=1.0).load(opus, media_id="m")
    assert "channels" not in long.extras
    np.testing.assert_array_equal(long.array, AudioLoader().load(opus, media_id="m").array)
    cache = ClipCache()
    kept = cache.load(path_of(folder, "flac"), AudioLoader(), media_id="m")
    assert cache.n_bytes == 3 * kept.array.nbytes and not kept.extras["channels"].flags.writeable
    with pytest.raises(ConfigError, match="max_channels_s must be 0 or more"):
        AudioLoader(max_channels_s=-1)


def test_sound_of_a_video_and_the_rate_asked_for(tmp_path: Path) -> None:
    path = write_sound(
        tmp_path / "v.mp4", tone(2, 44100)[None], 44100, codec="aac", sample_format="fltp", video_frames=20
    )
    clip = AudioLoader(sample_rate_hz=8000).load(path, media_id="v")

    assert clip.rate_hz == 8000 and clip.unit.startswith("8 kHz")
    assert len(clip.array) / 8000 == pytest.approx(2, abs=0.03)
    assert frequency_hz(clip.array[2000:14000], 8000) == pytest.approx(HZ, abs=0.1)
    assert AudioLoader().duration_s(path, media_id="v") == pytest.approx(2, abs=0.03)


def test_a_video_without_sound_is_no_silence(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "mute.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(ModalityError, match=r"mute: .*mute\.mp4 has no audio stream"):
        AudioLoader().load(tmp_path / "mute.mp4", media_id="mute")


@pytest.mark.parametrize("name", ["wav_44k_stereo", "flac", "mp3", "aac_mp4", "opus_webm"])
def test_a_cut_file_is_an_error(folder: Path, tmp_path: Path, name: str) -> None:
    whole = path_of(folder, name)
    cut = tmp_path / whole.name
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(ModalityError, match="truncated"):
        AudioLoader().load(cut, media_id="cut")


def test_a_cut_wave_file_is_an_error_even_for_a_span_that_is_there(folder: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.wav"
    cut.write_bytes(path_of(folder, "wav_8k_mono").read_bytes()[:-100])
    with pytest.raises(ModalityError, match="promises 100 bytes more"):
        AudioLoader(end_s=0.5).load(cut, media_id="cut")


def test_a_wave_file_whose_length_was_left_open_is_read_to_its_end(tmp_path: Path) -> None:
    path = write_sound(tmp_path / "open.wav", tone(1, 16000)[None], 16000)
    stored = bytearray(path.read_bytes())
    at = stored.index(b"data")
    stored[at + 4 : at + 8] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(stored)
    assert len(AudioLoader().load(path, media_id="open").array) == 16000


def test_bad_files_name_medium_and_path(tmp_path: Path) -> None:
    with pytest.raises(ModalityError, match=r"m: .*absent\.wav does not exist"):
        AudioLoader().load(tmp_path / "absent.wav", media_id="m")
    (tmp_path / "notes.wav").write_text("no sound at all")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "noise.mp3").write_bytes(np.random.default_rng(0).bytes(5000))
    for name in ("notes.wav", "empty.wav", "noise.mp3"):
        with pytest.raises(ModalityError, match=f"m: audio .*{name}"):
            AudioLoader().load(tmp_path / name, media_id="m")
    write_sound(tmp_path / "nan.wav", np.full((1, 1600), np.nan), 16000, codec="pcm_f32le", sample_format="flt")
    with pytest.raises(ModalityError, match="no numbers"):
        AudioLoader().load(tmp_path / "nan.wav", media_id="m")


def test_a_playlist_in_disguise_opens_no_other_file(folder: Path, tmp_path: Path) -> None:
    secret = path_of(folder, "wav_8k_mono")
    (tmp_path / "secret.wav").write_bytes(secret.read_bytes())
    for text in (
        "ffconcat version 1.0\nfile secret.wav\n",
        f"ffconcat version 1.0\nfile {secret}\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{secret}\n#EXT-X-ENDLIST\n",
    ):
        (tmp_path / "list.wav").write_text(text)
        with pytest.raises(ModalityError, match="cannot be decoded"):
            AudioLoader().load(tmp_path / "list.wav", media_id="m")


def test_spans_outside_and_sounds_over_the_bound(folder: Path) -> None:
    path = path_of(folder, "wav_8k_mono")
    with pytest.raises(ModalityError, match=r"ends at 3\.00 s, before the span from 5 s to its end"):
        AudioLoader(start_s=5).load(path, media_id="m")
    with pytest.raises(ModalityError, match=r"ends at 3\.00 s, before the span from 1 s to 9 s"):
        AudioLoader(start_s=1, end_s=9).load(path, media_id="m")
    assert len(AudioLoader(start_s=1, end_s=3.05).load(path, media_id="m").array) == 32000
    with pytest.raises(ModalityError, match="set start_s and end_s, or a larger max_s"):
        AudioLoader(max_s=2).load(path, media_id="m")
    with pytest.raises(ModalityError, match="larger max_s"):  # nothing is declared here: found while decoding
        AudioLoader(max_s=1).load(path_of(folder, "opus_webm"), media_id="m")
    for options in ({"start_s": 2, "end_s": 1}, {"start_s": -1}, {"max_s": 0}, {"sample_rate_hz": 0}):
        with pytest.raises(ConfigError, match="audio: "):
            AudioLoader(**options)


def test_the_first_suffix_that_exists_is_taken(tmp_path: Path) -> None:
    def locate(name: str = "a") -> Path:
        return AudioLoader.locate(tmp_path, name, annotation="record 1")

    assert locate() == tmp_path / "a.wav"
    for suffix in reversed(AUDIO_SUFFIXES):
        (tmp_path / f"a{suffix}").touch()
        assert locate() == tmp_path / f"a{suffix}"
    assert locate("a.mp3") == tmp_path / "a.mp3"
    with pytest.raises(AnnotationError, match="record 1"):
        locate("../a")


def test_a_missing_package_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match=r"audio needs the package av.*pip install 'salesforce-lavis\[media\]'"):
        AudioLoader().load(path_of(folder, "flac"), media_id="m")
