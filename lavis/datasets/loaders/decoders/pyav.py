"""Video through PyAV (FFmpeg's own libraries): exact by presentation time, and it decodes no more than it must."""

from __future__ import annotations

import array
import collections
import itertools
import os
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lavis.common.cores import usable_cores
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.decoders.base import DamagedError, Decoder, UndecodableError, first_line
from lavis.datasets.loaders.decoders.packet_index import KEPT, Index

# FFmpeg's decoders that leave out single pictures on demand; libdav1d (AV1) takes the first demand for all of a file.
SKIPPING_CODECS = ("h264", "hevc", "mpeg4")


class PyAVDecoder(Decoder):
    """Reads with PyAV: an index of the packets first, then only the packets that the frames asked for need."""

    name = "pyav"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: Any = None
        self._container: Any = None
        self._open()
        try:
            self._index = self._indexed()
        except BaseException:
            self.close()
            raise
        self._position_of = {pts: position for position, pts in enumerate(self._index.pts)}
        self.timestamps_s = np.asarray(self._index.shown, dtype=np.float64) * float(self._stream.time_base)
        rate = self._stream.average_rate or self._stream.guessed_rate
        self.stated_hz = float(rate) if rate else None

    def close(self) -> None:
        """Give the file back."""
        if self._container is not None:
            self._container.close()
        if self._file is not None:
            self._file.close()

    def frames(self, indices: Sequence[int]) -> Iterator[Array]:
        """Decode frames by number; pictures that nothing refers to are skipped unless they are asked for."""
        import av

        try:
            for picture in self._pictures(indices):
                yield _rgb(picture)
        except av.InvalidDataError as error:
            raise DamagedError(first_line(error)) from error
        except (av.FFmpegError, MemoryError) as error:
            raise UndecodableError(first_line(error)) from error

    def _open(self) -> None:
        import av

        try:
            # On a disk FFmpeg reads by itself; a path object that stands for a part of an archive is read through.
            self._file = None if os.path.isfile(self.path) else self.path.open("rb")
            options = {"protocol_whitelist": "file"} if self._file is None else {}
            self._container = av.open(str(self.path) if self._file is None else self._file, options=options)
        except (av.FFmpegError, OSError, ValueError) as error:
            self.close()
            raise UndecodableError(first_line(error)) from error
        if not self._container.streams.video:
            self.close()
            raise DamagedError("it has no video stream")
        self._stream: Any = self._container.streams.video[0]
        if self._stream.codec_context is None:
            self.close()
            raise UndecodableError("FFmpeg has no decoder for its codec")
        self._stream.codec_context.thread_type = "AUTO"
        self._stream.codec_context.thread_count = usable_cores()

    def _indexed(self) -> Index:
        stat = self.path.stat()
        key = (str(self.path), stat.st_size, stat.st_mtime_ns)
        index = KEPT.get(key)
        if index is None:
            index = self._read_index()
            KEPT.keep(key, index)
        return index

    def _read_index(self) -> Index:
        import av

        n_stated = len(self._stream.index_entries) if "mp4" in self._container.format.name else 0
        pts, seek_pts, keys, shown = (array.array("q") for _ in range(4))
        try:
            for packet in self._container.demux(self._stream):
                if not packet.size:
                    continue  # the end of the stream
                if packet.is_corrupt:
                    raise DamagedError(f"the data of frame {len(pts)} are cut off")
                if packet.pts is None:
                    raise UndecodableError("it does not say when its frames are shown")
                if packet.is_keyframe:
                    keys.append(len(pts))
                pts.append(packet.pts)
                seek_pts.append(packet.pts if packet.dts is None else min(packet.pts, packet.dts))
                if not packet.is_discard:
                    shown.append(packet.pts)
        except av.FFmpegError as error:
            raise DamagedError(first_line(error)) from error
        if len(pts) < n_stated:
            raise DamagedError(f"it lists {n_stated} frames and holds {len(pts)}")
        if len(set(pts)) < len(pts):
            raise UndecodableError("it shows two frames at one time")
        reorders = bool(self._stream.codec_context.reorder_depth)
        if reorders and "avi" in self._container.format.name and list(pts) == sorted(pts):
            # An avi file says when frames are decoded; when they are shown is guessed, and not for every codec.
            raise UndecodableError("it does not say in which order its frames are shown")
        return Index(pts, seek_pts, keys, array.array("q", sorted(shown)))

    def _pictures(self, indices: Sequence[int]) -> Iterator[Any]:
        """Decode frames by number, ascending, and yield them in the same order."""
        shown = self._index.shown
        positions = {number: self._position_of[shown[number]] for number in indices}
        for start, group in itertools.groupby(indices, key=lambda number: self._index.start_of(positions[number])):
            numbers = list(group)
            last = max(positions[number] for number in numbers)
            for begin in (start, 0):
                found = self._segment([shown[number] for number in numbers], begin, last)
                while numbers and (picture := next(found, None)) is not None and not picture.is_corrupt:
                    yield picture
                    del numbers[0]
                found.close()
                if not numbers:
                    break
                # A keyframe that a decoder cannot begin at (intra refresh): once more from the start of the file.
            else:
                raise DamagedError(f"the data of frame {numbers[0]} are damaged")

    def _segment(self, wanted: Sequence[int], start: int, last: int) -> Generator[Any, None, None]:
        """Decode the packets from start to last and yield the frames of the presentation times wanted."""
        chosen = set(wanted)
        waiting = collections.deque(wanted)
        found: dict[int, Any] = {}
        for position, packet in self._packets(start):
            context = self._stream.codec_context
            if context.codec.name in SKIPPING_CODECS:
                # Pictures that no other refers to are left out, which changes no other picture.
                context.skip_frame = "DEFAULT" if packet.pts in chosen else "NONREF"
            decoded = context.decode(packet)
            if position == last:
                decoded += context.decode(None)
            found.update((frame.pts, frame) for frame in decoded if frame.pts in chosen)
            while waiting and waiting[0] in found:
                yield found.pop(waiting.popleft())
            if position == last:
                return

    def _packets(self, start: int) -> Iterator[tuple[int, Any]]:
        """Yield (position, packet) from a position on."""
        for attempt in range(3):
            if attempt < 2:
                self._container.seek(
                    self._index.seek_pts[start] if not attempt else min(self._index.seek_pts), stream=self._stream
                )
            else:
                self.close()
                self._open()
            packets = (packet for packet in self._container.demux(self._stream) if packet.size)
            first = next(packets, None)
            if first is not None and self._position_of.get(first.pts, start + 1) <= start:
                break
        else:
            raise UndecodableError("it cannot be read from its start a second time")
        for packet in itertools.chain([first], packets):
            position = self._position_of.get(packet.pts)
            if position is None:
                raise UndecodableError("its packets change from one reading to the next")
            if position >= start:
                yield position, packet


def _rgb(picture: Any) -> Array:
    """Return [h, w, 3] uint8 RGB, upright."""
    stored: Array = picture.to_ndarray(format="rgb24", src_color_range=picture.color_range)
    return np.ascontiguousarray(turned(stored, picture))


def turned(stored: Array, picture: Any) -> Array:
    """Turn and mirror a picture [h, w, 3] the way its display matrix says."""
    matrix = next((data for data in picture.side_data if data.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return stored
    a, b, _, c, d = (int(value) for value in np.frombuffer(bytes(matrix), np.int32)[:5])
    if abs(b) > abs(a):
        # x and y change places; the signs say which way each then runs.
        stored = stored.transpose(1, 0, 2)
        a, d = c, b
    stored = stored[:, ::-1] if a < 0 else stored
    return stored[::-1] if d < 0 else stored
