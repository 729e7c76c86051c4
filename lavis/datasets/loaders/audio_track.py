"""The audio track of any container: opened, measured and decoded at its own rate, from any sample on."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.audio_length import declared_length_s, wav_shortfall
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.packages import required

if TYPE_CHECKING:
    import av

# Decoded and thrown away after seeking: a codec needs earlier packets before what it gives is right
# (Opus 80 ms, MP3's bit reservoir, AAC's overlap). The second is for containers that seek badly.
PREROLLS_S = (0.5, 5.0)
# PyAV 18 finds a ninth plane in planar frames of eight channels or more and crashes on reading it.
MANY_CHANNELS = 8
# Timestamps that run this far from the samples counted mean that packets are missing.
GAP_S = 0.1


@dataclasses.dataclass(frozen=True)
class AudioTrack:
    """The best audio track of a file; :func:`open_track` makes it.

    Attributes:
        path: the file.
        media_id: named in errors.
        rate_hz: samples per s as decoded.
        length_s: what the container declares, None where its format declares nothing reliable.
        head: samples in each of the first frames.
        n_channels: of the first frame.
    """

    path: Path
    media_id: str
    rate_hz: int
    length_s: float | None
    head: tuple[int, ...]
    n_channels: int

    def pieces_from(self, first: int, *, with_pair: bool = False) -> Iterator[Array]:
        """Decode from a sample on to the end, without decoding what lies far before it.

        Channels are averaged, every one with the same weight. Time counts from the track's first sample.

        Args:
            first: index of the first sample wanted, at the track's own rate.
            with_pair: give the first two channels beside their average; the track has two or more.

        Yields:
            Pieces [n] float32, full scale 1, or [n, 3] of average, first and second channel; nothing where the
            track ends before ``first``.

        Raises:
            ModalityError: damaged, with a gap, or changing its rate or channels; names medium and path.
        """
        for position, piece in self._frames(first, with_pair):
            if position + len(piece) > first:
                yield piece[max(0, first - position) :]

    def mono_from(self, first: int) -> Iterator[Array]:
        """Decode the average of the channels alone, [n]; as :meth:`pieces_from`."""
        return self.pieces_from(first)

    def count_s(self) -> float:
        """Return the length in s: declared, or else found by reading the packets without decoding them."""
        if self.length_s is not None:
            return self.length_s
        end = 0.0
        with _opened(self.path, self.media_id) as (container, stream):
            start = stream.start_time or 0
            for packet in container.demux(stream):
                if packet.pts is not None and stream.time_base is not None:
                    end = max(end, float((packet.pts + (packet.duration or 0) - start) * stream.time_base))
        return end

    def _frames(self, first: int, with_pair: bool) -> Iterator[tuple[int, Array]]:
        """Yield (index of the first sample, samples) from somewhere at or before ``first`` on."""
        for preroll_s in PREROLLS_S:
            target = first - round(preroll_s * self.rate_hz)
            if target <= 0:
                break
            frames = self._frames_after_seek(target, with_pair)
            leading = next(frames, None)
            if leading is not None and leading[0] <= first:
                yield leading
                yield from frames
                return
            frames.close()
        with _opened(self.path, self.media_id) as (container, stream):
            yield from self._counted(0, self._decoded(container, stream, lenient=0), stream, with_pair)

    def _frames_after_seek(self, target: int, with_pair: bool) -> Generator[tuple[int, Array], None, None]:
        with _opened(self.path, self.media_id) as (container, stream):
            start = stream.start_time or 0
            container.seek(start + int(target / self.rate_hz / stream.time_base), stream=stream)
            frames = self._decoded(container, stream, lenient=2)
            next(frames, None)  # the first frame after seeking may be cut by the decoder
            leading = next(frames, None)
            position = None if leading is None else self._position(leading, stream)
            if leading is not None and position is not None:
                yield from self._counted(position, itertools.chain([leading], frames), stream, with_pair)

    def _decoded(self, container: Any, stream: Any, *, lenient: int) -> Iterator[av.AudioFrame]:
        """Decode; the first ``lenient`` packets may fail, because a codec can miss what came before them."""
        av = required("av", modality="audio")
        for number, packet in enumerate(container.demux(stream)):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                if number >= lenient:
                    raise
                continue
            for frame in frames:
                if frame.sample_rate != self.rate_hz:
                    raise ModalityError(
                        f"{self.media_id}: audio of {self.path} changes from {self.rate_hz} to {frame.sample_rate} Hz "
                        f"on its way; write it at one rate."
                    )
                yield frame

    def _counted(
        self, position: int, frames: Iterator[av.AudioFrame], stream: Any, with_pair: bool
    ) -> Iterator[tuple[int, Array]]:
        ahead = None
        samples_per_tick = float(stream.time_base) * self.rate_hz
        packed = _packer()
        for frame in frames:
            if frame.pts is not None:
                stamp = (frame.pts - (stream.start_time or 0)) * samples_per_tick
                ahead = stamp - position if ahead is None else ahead
                if abs(stamp - position - ahead) > GAP_S * self.rate_hz:
                    raise ModalityError(
                        f"{self.media_id}: audio of {self.path} has a gap at {position / self.rate_hz:.2f} s "
                        f"({(stamp - position - ahead) / self.rate_hz:+.2f} s); write it again without."
                    )
            if with_pair and len(frame.layout.channels) < 2:
                raise ModalityError(
                    f"{self.media_id}: audio of {self.path} changes to one channel at {position / self.rate_hz:.2f} s; "
                    f"write it with the same channels throughout."
                )
            yield position, _samples(packed(frame), with_pair)
            position += frame.samples

    def _position(self, frame: av.AudioFrame, stream: Any) -> int | None:
        """Return the index of a frame's first sample, None where its timestamp is too coarse to tell."""
        if frame.pts is None:
            return None
        samples_per_tick = float(stream.time_base) * self.rate_hz
        stamp = (frame.pts - (stream.start_time or 0)) * samples_per_tick
        if samples_per_tick <= 1:
            return round(stamp)
        # Matroska keeps whole ms. Where all frames are of one size the count of frames is exact all the same.
        partial, *full = self.head
        if len(set(full)) != 1 or frame.samples != full[0]:
            return None
        position: int = partial + round((stamp - partial) / full[0]) * full[0]
        return position if abs(position - stamp) <= 2 * samples_per_tick else None


def open_track(path: Path, *, media_id: str) -> AudioTrack:
    """Open the best audio track of a file.

    Raises:
        ModalityError: missing, no media file, without an audio track, truncated or damaged.
    """
    if not path.is_file():
        raise ModalityError(
            f"{media_id}: audio {path} does not exist; check the storage of 'audio' in the data set's build_info."
        )
    missing_bytes = wav_shortfall(path)
    if missing_bytes:
        raise ModalityError(
            f"{media_id}: audio {path} is truncated: its header promises {missing_bytes} bytes more; fetch it again."
        )
    with _opened(path, media_id) as (container, stream):
        frames = list(itertools.islice((frame for packet in container.demux(stream) for frame in packet.decode()), 4))
        if not frames or not frames[0].sample_rate:
            raise ModalityError(f"{media_id}: the audio stream of {path} holds no samples; fetch it again.")
        return AudioTrack(
            path=path,
            media_id=media_id,
            rate_hz=frames[0].sample_rate,
            length_s=declared_length_s(container, stream),
            head=tuple(frame.samples for frame in frames[:3]),
            n_channels=len(frames[0].layout.channels),
        )


@contextlib.contextmanager
def _opened(path: Path, media_id: str) -> Iterator[tuple[Any, Any]]:
    av = required("av", modality="audio")
    try:
        with (
            path.open("rb") as file,
            # A playlist or concat script in disguise would open other files; no protocol is allowed to.
            av.open(file, mode="r", container_options={"protocol_whitelist": "none"}) as container,
        ):
            stream: Any = container.streams.best("audio")
            if stream is None:
                raise ModalityError(
                    f"{media_id}: {path} has no audio stream; leave audio out for this medium, or give a file with one."
                )
            for other in container.streams:
                if other.index != stream.index:
                    other.discard = av.stream.Discard.all
            yield container, stream
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise ModalityError(
            f"{media_id}: audio {path} cannot be decoded ({error}); it is truncated, damaged or no sound: "
            f"fetch it again."
        ) from error


def _packer() -> Callable[[av.AudioFrame], av.AudioFrame]:
    """Return what gives a frame whose samples can be read: itself, or packed where it is planar with many channels."""
    resampler: Any = None

    def packed(frame: av.AudioFrame) -> av.AudioFrame:
        nonlocal resampler
        if not frame.format.is_planar or len(frame.layout.channels) < MANY_CHANNELS:
            return frame
        if resampler is None:
            resampler = required("av", modality="audio").AudioResampler(
                format=frame.format.packed, layout=frame.layout, rate=frame.sample_rate
            )
        same: av.AudioFrame
        (same,) = resampler.resample(frame)
        return same

    return packed


def _samples(frame: av.AudioFrame, with_pair: bool) -> Array:
    """Return the mean of a frame's channels [n] float32, full scale 1; with the first two beside it [n, 3]."""
    samples: Array = frame.to_ndarray()
    n_channels = len(frame.layout.channels)
    channels = samples if frame.format.is_planar else samples.reshape(-1, n_channels).T
    if channels.dtype == np.uint8:
        channels = (channels.astype(np.float32) - 128) / 128
    elif channels.dtype.kind == "i":
        full_scale = -float(np.iinfo(channels.dtype).min)
        channels = channels.astype(np.float32 if channels.dtype.itemsize <= 2 else np.float64)
        channels /= full_scale
    mono: Array = channels.mean(axis=0) if n_channels > 1 else channels[0]
    mono = mono.astype(np.float32, copy=False)
    return np.stack([mono, *channels[:2].astype(np.float32, copy=False)], axis=1) if with_pair else mono
