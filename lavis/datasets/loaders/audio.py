"""Sound: the audio track of any file that FFmpeg reads, ``<root>/<media_id>.wav`` or the video itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.audio_track import AudioTrack, open_track
from lavis.datasets.loaders.base import Array, Clip, Loader, Sampling
from lavis.datasets.loaders.packages import required
from lavis.datasets.question import path_inside

# In the order in which they are looked for: sound files, the lossless ones first, then videos.
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".oga", ".opus", ".mp4", ".mkv", ".webm", ".mov")
SAMPLE_RATE_HZ = 16000
MAX_S = 3600.0
# A span may end this much after the sound: durations in annotations are rounded.
END_TOLERANCE_S = 0.1
# What decodes may be this much shorter than declared: encoders round to whole frames.
LENGTH_TOLERANCE_S = 0.25
# Samples resampled around a span and cut away, so that the filter's edge is not heard: at the new rate
# before it, at the old rate after it (per unit of the ratio of the rates).
WARM_UP = 256
TAIL = 256
MAX_CHANNELS_S = 600.0


class AudioLoader(Loader):
    """Loads sound as a clip ``n``: float32 mono, full scale 1, at 16 kHz.

    Channels are averaged with equal weight; the rate is changed by FFmpeg's resampler. Time counts from the
    track's first sample, and a span equals the same slice of the whole. ``timestamps_s`` of the clip holds one
    time, that of its first sample. A file that is shorter than its header declares is an error; MP3 without an
    encoder's header, Ogg and ADTS declare nothing, so that a cut at a packet's border cannot be seen there.
    ``extras["channels"]`` [c=2, n] float32 holds the first two channels (front left and right) of a file that has
    two or more.

    Args:
        sample_rate_hz: rate of the result.
        start_s: where to begin; what lies before is skipped by seeking, not decoded.
        end_s: where to end; None reads to the end.
        max_s: longest sound that is loaded; a longer one is an error, which bounds memory (64 kB per s).
        max_channels_s: longest sound whose channels are given, at 128 kB more per s; 0 gives none.
    """

    modality = "audio"
    timed = False

    def __init__(
        self,
        *,
        sample_rate_hz: int = SAMPLE_RATE_HZ,
        start_s: float = 0.0,
        end_s: float | None = None,
        max_s: float = MAX_S,
        max_channels_s: float = MAX_CHANNELS_S,
    ) -> None:
        if sample_rate_hz < 1:
            raise ConfigError(f"audio: sample_rate_hz must be at least 1, not {sample_rate_hz}.")
        if not max_s > 0:
            raise ConfigError(f"audio: max_s must be above 0, not {max_s}.")
        if not max_channels_s >= 0:
            raise ConfigError(f"audio: max_channels_s must be 0 or more, not {max_channels_s}.")
        if not _is_span(start_s, end_s):
            raise ConfigError(f"audio: start_s {start_s} and end_s {end_s} enclose no time.")
        self.sample_rate_hz = int(sample_rate_hz)
        self.start_s = float(start_s)
        self.end_s = end_s
        self.max_s = float(max_s)
        self.max_channels_s = float(max_channels_s)
        rate = f"{self.sample_rate_hz / 1000:g} kHz"
        self.unit = f"{rate} mono, full scale 1"

    @classmethod
    def locate(cls, root: Path, name: str, *, annotation: str) -> Path:
        """Return the first of ``<root>/<name><suffix>`` that exists, suffixes in the order of AUDIO_SUFFIXES.

        Where none does, ``<root>/<name>.wav`` (or the name itself, if it has such a suffix).
        """
        whole = path_inside(root, name, annotation=annotation)
        if whole.suffix.lower() in AUDIO_SUFFIXES and whole.is_file():
            return whole
        candidates = [path_inside(root, name + suffix, annotation=annotation) for suffix in AUDIO_SUFFIXES]
        return next((path for path in candidates if path.is_file()), candidates[0])

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> Clip:
        """Decode the span of the options; the sampling is ignored.

        Raises:
            ModalityError: missing, no audio stream, truncated, damaged, longer than ``max_s``, or ending before
                the span does; names medium and path.
        """
        return self.load_span(path, media_id=media_id, start_s=self.start_s, end_s=self.end_s)

    def load_span(
        self, path: Path, *, media_id: str, start_s: float, end_s: float | None, may_end_early: bool = False
    ) -> Clip:
        """Decode another span than that of the options.

        Args:
            path: the file.
            media_id: named in errors.
            start_s: where to begin.
            end_s: where to end; None reads to the end.
            may_end_early: take what there is where the sound ends before ``end_s``.

        Raises:
            ModalityError: as :meth:`load`, and where the span encloses no time.
        """
        if not _is_span(start_s, end_s):
            raise ModalityError(f"{media_id}: the span {start_s} … {end_s} s of audio {path} encloses no time.")
        track = open_track(path, media_id=media_id)
        first = round(start_s * self.sample_rate_hz)
        last = None if end_s is None else max(first + 1, round(end_s * self.sample_rate_hz))
        expected_end_s = end_s if end_s is not None else track.length_s
        if expected_end_s is not None:
            self._check_length(expected_end_s - start_s, track)
        length_s = None if expected_end_s is None else expected_end_s - start_s
        with_pair = track.n_channels >= 2 and 0 < self.max_channels_s and (length_s or 0.0) <= self.max_channels_s
        resampled = self._resampled(track, first, last, with_pair=with_pair)
        samples = resampled if resampled.ndim == 1 else np.ascontiguousarray(resampled[:, 0])
        self._check_end(samples, track, start_s=start_s, last=last, may_end_early=may_end_early)
        if not np.isfinite(samples).all():
            raise ModalityError(f"{media_id}: audio {path} holds values that are no numbers; write it again.")
        return Clip(
            media_id=media_id,
            modality=self.modality,
            array=samples,
            shape="n",
            unit=self.unit,
            path=path,
            timestamps_s=(start_s,),
            rate_hz=float(self.sample_rate_hz),
            extras={} if resampled.ndim == 1 else {"channels": np.ascontiguousarray(resampled[:, 1:].T)},
        )

    def duration_s(self, path: Path, *, media_id: str) -> float:
        """Return how long the sound is, in s, without decoding it.

        Raises:
            ModalityError: missing, no audio stream, or damaged.
        """
        return open_track(path, media_id=media_id).count_s()

    def _resampled(self, track: AudioTrack, first: int, last: int | None, *, with_pair: bool) -> Array:
        """Return samples first … last at the loader's rate (fewer where the track ends before), [n] or [n, 3]."""
        # Where a whole number of samples of both rates has gone by, resampling can begin as if at 0.
        common = math.gcd(track.rate_hz, self.sample_rate_hz)
        block_in, block_out = track.rate_hz // common, self.sample_rate_hz // common
        blocks = max(0, first - WARM_UP) // block_out
        skip = first - blocks * block_out
        pieces = track.pieces_from(blocks * block_in, with_pair=with_pair)
        if last is not None:
            ratio = max(1.0, block_in / block_out)
            pieces = _up_to(pieces, math.ceil((last - blocks * block_out) * block_in / block_out + TAIL * ratio))
        wanted = None if last is None else last - blocks * block_out
        # Where the end is not declared, this is what keeps memory bounded.
        limit = skip + math.ceil(self.max_s * self.sample_rate_hz)
        pair_limit = skip + math.ceil((self.max_channels_s + LENGTH_TOLERANCE_S) * self.sample_rate_hz)
        kept: list[Array] = []
        n_kept = 0
        for piece in _resample(pieces, track.rate_hz, self.sample_rate_hz):
            n_kept += len(piece)
            if with_pair and n_kept > pair_limit:  # longer than was declared
                kept, with_pair = [one[:, 0].copy() for one in kept], False
            kept.append(piece[:, 0].copy() if piece.ndim > 1 and not with_pair else piece)
            if wanted is None and n_kept > limit + self.sample_rate_hz:
                self._check_length((n_kept - skip) / self.sample_rate_hz, track)
        whole = np.concatenate(kept) if kept else np.empty(0, dtype=np.float32)
        return whole[skip:wanted].copy() if skip or wanted is not None else whole

    def _check_length(self, seconds: float, track: AudioTrack) -> None:
        if seconds > self.max_s + LENGTH_TOLERANCE_S:
            raise ModalityError(
                f"{track.media_id}: audio {track.path} is {seconds:.0f} s long, max_s is {self.max_s:g}; set start_s "
                f"and end_s, or a larger max_s, among the audio options."
            )

    def _check_end(
        self, samples: Array, track: AudioTrack, *, start_s: float, last: int | None, may_end_early: bool
    ) -> None:
        decoded_end_s = start_s + len(samples) / self.sample_rate_hz
        asked_end_s = None if last is None else last / self.sample_rate_hz
        declared = track.length_s
        due_s = declared if asked_end_s is None or declared is None else min(declared, asked_end_s)
        if len(samples) and due_s is not None and decoded_end_s < due_s - LENGTH_TOLERANCE_S:
            raise ModalityError(
                f"{track.media_id}: audio {track.path} is truncated: its header declares {declared:.2f} s, "
                f"{decoded_end_s:.2f} s could be decoded; fetch it again."
            )
        ends_early = asked_end_s is not None and decoded_end_s < asked_end_s - END_TOLERANCE_S
        if not len(samples) or (ends_early and not may_end_early):
            length_s = decoded_end_s if len(samples) else track.count_s()
            raise ModalityError(
                f"{track.media_id}: audio {track.path} ends at {length_s:.2f} s, before the span from {start_s:g} s "
                f"to {'its end' if asked_end_s is None else f'{asked_end_s:g} s'} does; correct the span."
            )


def _is_span(start_s: float, end_s: float | None) -> bool:
    ends = [start_s] if end_s is None else [start_s, end_s]
    return all(math.isfinite(end) and end >= 0 for end in ends) and (end_s is None or start_s < end_s)


def _up_to(pieces: Iterable[Array], n: int) -> Iterator[Array]:
    for piece in pieces:
        yield piece[:n]
        n -= len(piece)
        if n <= 0:
            return


def _joined(pieces: Iterable[Array], n: int) -> Iterator[Array]:
    """Join pieces to at least ``n`` samples each (the last one aside): a call costs more than a codec's frame."""
    waiting: list[Array] = []
    for piece in pieces:
        waiting.append(piece)
        if sum(map(len, waiting)) >= n:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)


def _resample(pieces: Iterable[Array], from_hz: int, to_hz: int) -> Iterator[Array]:
    """Change the rate of a sound that comes in pieces [n] or [n, 3] float32."""
    if from_hz == to_hz:
        yield from pieces
        return
    av = required("av", modality="audio")
    resampler = None
    shape: tuple[int, ...] = (-1,)
    for piece in _joined(pieces, from_hz):
        # A layout of three channels that keeps its layout: each is resampled on its own.
        layout, shape = ("mono", (-1,)) if piece.ndim == 1 else ("3.0", (-1, 3))
        resampler = resampler or av.AudioResampler(format="flt", layout=layout, rate=to_hz)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece.reshape(1, -1)), format="flt", layout=layout)
        frame.sample_rate = from_hz
        for out in resampler.resample(frame):
            yield out.to_ndarray()[0].reshape(shape)
    for out in resampler.resample(None) if resampler is not None else ():
        yield out.to_ndarray()[0].reshape(shape)
