"""The sound of a medium as 16 kHz mono PCM, which audio experts and BEATs-like encoders read."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.audio import LENGTH_TOLERANCE_S, AudioLoader
from lavis.datasets.loaders.audio_track import AudioTrack, open_track
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.video import VIDEO_SUFFIXES
from lavis.extract.base import Extractor, Made, Report
from lavis.extract.media import Medium

AUDIO_SUFFIXES = (".wav", ".mp3", ".m4a", ".aac", ".flac", ".ogg", ".opus")
SAMPLE_BYTES = 2
FULL_SCALE = 32768
CHECKED_S = 1.0


class AudioExtractor(Extractor):
    """Writes ``<media_id>.wav``, 16-bit PCM, one channel (the mean of all), from the track's first sample on:
    what :class:`lavis.datasets.loaders.audio.AudioLoader` reads from the medium itself.

    Args:
        sample_rate_hz: of the file.
    """

    loader_name = "audio"
    files = (*VIDEO_SUFFIXES, *AUDIO_SUFFIXES)
    folders = ()
    counts = "samples"
    suffix = ".wav"

    def __init__(self, *, sample_rate_hz: int = 16_000) -> None:
        if sample_rate_hz < 1000:
            raise ConfigError(f"audio: sample_rate_hz must be at least 1000, not {sample_rate_hz}.")
        self.sample_rate_hz = sample_rate_hz
        self.loader_options = {}

    def settings(self) -> dict[str, Any]:
        """Return everything that decides what the files hold."""
        return {"layout": "wav", "sample_rate_hz": self.sample_rate_hz, "channels": 1}

    def write(self, medium: Medium, target: Path, report: Report) -> Made:
        """Decode the track to the end.

        Raises:
            ModalityError: no audio track, or one that is damaged, truncated or empty; names medium and path.
        """
        track = open_track(medium.path, media_id=medium.media_id)
        expected = round((track.length_s or 0.0) * self.sample_rate_hz)
        n_samples = 0
        target.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(target), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(SAMPLE_BYTES)
            file.setframerate(self.sample_rate_hz)
            for piece in _resampled(track, self.sample_rate_hz):
                codes = np.clip(np.rint(piece * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1)
                file.writeframesraw(codes.astype("<i2").tobytes())
                n_samples += len(piece)
                report(n_samples, max(n_samples, expected))
        if not n_samples or n_samples < expected - LENGTH_TOLERANCE_S * self.sample_rate_hz:
            raise ModalityError(
                f"{medium.media_id}: the audio track of {medium.path} ends at {n_samples / self.sample_rate_hz:.2f} s "
                f"of {expected / self.sample_rate_hz:.2f} s; fetch it again."
            )
        return Made(n_samples)

    def check(self, made: Made, target: Path, *, media_id: str) -> None:
        """Read the file back: its length, and its end through the loader."""
        with wave.open(str(target), "rb") as file:
            count = file.getnframes()
        self.same(count, made.n_frames, target, media_id=media_id)
        loader = AudioLoader(sample_rate_hz=self.sample_rate_hz)
        end_s = count / self.sample_rate_hz
        loader.load_span(target, media_id=media_id, start_s=max(0.0, end_s - CHECKED_S), end_s=None)


def _resampled(track: AudioTrack, sample_rate_hz: int) -> Iterator[Array]:
    """Yield the track's samples [n] float32, mono, at another rate."""
    if track.rate_hz == sample_rate_hz:
        yield from track.mono_from(0)
        return
    import av

    resampler = av.AudioResampler(format="flt", layout="mono", rate=sample_rate_hz)
    for piece in track.mono_from(0):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece[None]), format="flt", layout="mono")
        frame.sample_rate = track.rate_hz
        for part in resampler.resample(frame):
            yield part.to_ndarray()[0]
    for part in resampler.resample(None):
        yield part.to_ndarray()[0]
