"""A video file read in order: exact times of all its frames first, then their pictures from any frame on."""

from __future__ import annotations

import bisect
import contextlib
import itertools
from collections.abc import Container, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Array

# Not what a file claims to be beside: a playlist called .mp4 would have other files read.
CONTAINERS = {"format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi"}


class VideoStream:
    """One video file, of which a few frames at a time are in memory.

    The times come from the container's packets, so nothing is decoded for them; frame numbers are those of
    :class:`lavis.datasets.loaders.video.VideoLoader`.

    Args:
        path: the file.
        media_id: named in errors.
        n_threads: that decode.

    Attributes:
        times_s: of every frame after the first one's, in s, ascending.
        end_s: when the last frame's time is over.
        rate: mean frames per s of the container, exactly; None where it names none.
        time_base: the unit in s that every time is a multiple of.

    Raises:
        ModalityError: missing, no video, truncated, or without frame times; names medium and path.
    """

    def __init__(self, path: Path, *, media_id: str, n_threads: int = 1) -> None:
        self.path = path
        self.media_id = media_id
        self.n_threads = n_threads
        with self._opened() as (container, stream):
            self.time_base = Fraction(stream.time_base or 0)
            self.rate = Fraction(stream.average_rate) if stream.average_rate else None
            pts, n_packets, duration = self._packet_times(container, stream)
            if n_packets < stream.frames:
                raise self._error(f"holds {n_packets} of the {stream.frames} frames that it names; it is truncated")
            if not n_packets:
                raise self._error("has no frames")
            self._pts = pts
            step_s = 1 / self.rate if self.rate else None
        if self._pts is None:
            if step_s is None:
                raise self._error("names neither the times of its frames nor their rate")
            self.time_base = step_s
            self.times_s = tuple(step_s * number for number in range(n_packets))
        else:
            self.times_s = tuple((one - self._pts[0]) * self.time_base for one in self._pts)
        last_s = duration * self.time_base or step_s
        if len(self.times_s) > 1:
            last_s = last_s or self.times_s[-1] / (len(self.times_s) - 1)
        if not last_s:
            raise self._error("has one frame and names no rate")
        self.end_s = self.times_s[-1] + last_s

    @property
    def rate_hz(self) -> float | None:
        """Mean frames per s; None where the container names none."""
        return float(self.rate) if self.rate else None

    def __len__(self) -> int:
        return len(self.times_s)

    def pictures(
        self, first: int = 0, last: int | None = None, *, wanted: Container[int] | None = None, grey: bool = False
    ) -> Iterator[tuple[int, Array]]:
        """Yield (frame number, picture) from frame ``first`` to ``last``, both included.

        Args:
            first: the first frame.
            last: the last one; None for that of the video.
            wanted: of them, those that are yielded; None for all.
            grey: yield the luma [h, w] uint8 instead of RGB [h, w, 3].

        Raises:
            ModalityError: a frame is missing or damaged; names medium, path and frame.
        """
        from av.video.reformatter import VideoReformatter

        # One for all frames: making a converter for each takes longer than converting.
        converter, pixel_format = VideoReformatter(), "gray" if grey else "rgb24"
        expected = first
        last = len(self) - 1 if last is None else last
        for number, frame in self._decoded(first):
            if number < first:
                continue
            if number != expected:
                break
            if wanted is None or number in wanted:
                yield number, _upright(converter.reformat(frame, format=pixel_format), frame.rotation)
            if number == last:
                return
            expected += 1
        raise self._error(f"cannot be decoded at frame {expected} of {len(self)}; it is truncated or damaged")

    # -- how ---------------------------------------------------------------------------------

    def _decoded(self, first: int) -> Iterator[tuple[int, Any]]:
        """Yield (number, decoded frame) in order, beginning at ``first`` or before it."""
        with self._opened() as (container, stream):
            if first and self._pts is not None:
                container.seek(self._pts[first], stream=stream, backward=True, any_frame=False)
                frames = self._numbered(container.decode(stream))
                head = next(frames, None)
                if head is not None and head[0] <= first:
                    yield head
                    yield from frames
                    return
        # From the beginning: asked for, or the seek went too far, or there are no times to seek by.
        with self._opened() as (container, stream):
            yield from self._numbered(container.decode(stream))

    def _numbered(self, frames: Iterator[Any]) -> Iterator[tuple[int, Any]]:
        import av

        count = 0
        try:
            for frame in frames:
                if self._pts is None:
                    yield count, frame
                elif frame.pts is not None:
                    number = bisect.bisect_left(self._pts, frame.pts)
                    if number < len(self._pts) and self._pts[number] == frame.pts:
                        yield number, frame
                count += 1
        except av.error.FFmpegError as error:
            raise self._error(
                f"cannot be decoded after {count} frames ({error.strerror}); it may be damaged"
            ) from error

    def _packet_times(self, container: Any, stream: Any) -> tuple[list[int] | None, int, int]:
        """Return (ascending times of all frames or None, their number, length of the last), in time-base units."""
        import av

        known: list[tuple[int, int]] = []
        n_packets = 0
        try:
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_discard:  # the flush at the end; cut off by an edit list
                    continue
                n_packets += 1
                if packet.pts is not None:
                    known.append((packet.pts, packet.duration or 0))
        except av.error.FFmpegError as error:
            raise self._error(f"cannot be read ({error.strerror}); it may be truncated") from error
        known.sort()
        pts = [one for one, _ in known]
        if len(pts) < n_packets or any(one == other for one, other in itertools.pairwise(pts)) or not self.time_base:
            return None, n_packets, 0
        return pts, n_packets, known[-1][1] if known else 0

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[Any, Any]]:
        import av

        if not self.path.is_file():
            raise ModalityError(f"{self.media_id}: video {self.path} does not exist; fetch it.")
        try:
            container = av.open(str(self.path), options=CONTAINERS)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise self._error(f"cannot be opened ({reason}); it may be truncated") from error
        with container:
            if not container.streams.video:
                raise self._error("holds no video")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO" if self.n_threads > 1 else "NONE"
            stream.codec_context.thread_count = self.n_threads
            yield container, stream

    def _error(self, what: str) -> ModalityError:
        return ModalityError(f"{self.media_id}: video {self.path} {what}. Fetch it again.")


def _upright(converted: Any, rotation: float) -> Array:
    """Return the picture as a player shows it: phones store a turned picture and the turn."""
    picture: Array = converted.to_ndarray()
    quarter_turns = round(rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(picture, quarter_turns)) if quarter_turns else picture
