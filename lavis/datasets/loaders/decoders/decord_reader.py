"""Video through decord, or decord2, which carries the same name and newer codecs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lavis.common.cores import usable_cores
from lavis.common.decoder import import_decord
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.decoders.base import Decoder, UndecodableError, first_line

# Its errors begin with the time of day and a place in its source: "[12:00:00] /src/video_reader.cc:151: …".
PLACE = re.compile(r"^\[[\d:]+\] \S+: ")


class DecordDecoder(Decoder):
    """Reads with decord, without its seeking, and only where every frame has a time of its own."""

    name = "decord"

    def __init__(self, path: Path) -> None:
        decord = import_decord()
        self._errors = (decord.DECORDError, RuntimeError, IndexError)
        self._reader: Any = None
        try:
            self._reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=usable_cores())
            n_frames = len(self._reader)
            if not n_frames:
                raise UndecodableError("it has no frames")
            self.timestamps_s = np.asarray(self._reader.get_frame_timestamp(list(range(n_frames))), np.float64)[:, 0]
        except self._errors as error:
            raise UndecodableError(_cause(error)) from error
        # Without times of their own (B-frames in avi) it seeks to wrong frames.
        if not (np.isfinite(self.timestamps_s).all() and (np.diff(self.timestamps_s) > 0).all()):
            raise UndecodableError("decord finds no ascending times in it")
        stated_hz = float(self._reader.get_avg_fps())
        self.stated_hz = stated_hz if np.isfinite(stated_hz) and stated_hz > 0 else None

    def frames(self, indices: Sequence[int]) -> Iterator[Array]:
        """Decode frames by number, from the first on: decord seeks to wrong frames of open groups of pictures."""
        try:
            self._reader.seek(0)
            at = 0
            for index in indices:
                for _ in range(at, index):
                    self._reader.next()  # its skip_frames seeks too
                picture = self._reader.next()
                at = index + 1
                # Another library may have set decord's bridge to torch, which changes what a picture is.
                yield np.asarray(picture.asnumpy() if hasattr(picture, "asnumpy") else picture)
        except (*self._errors, StopIteration) as error:
            raise UndecodableError(_cause(error)) from error

    def close(self) -> None:
        """Give the file back."""
        self._reader = None


def _cause(error: Exception) -> str:
    return PLACE.sub("", first_line(error))
