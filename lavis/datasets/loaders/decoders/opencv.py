"""Video through OpenCV, read from the first frame on: its seeking and its count are guesses where the rate varies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.decoders.base import Decoder, UndecodableError


class OpenCVDecoder(Decoder):
    """Reads with OpenCV, decoding every frame once to list them and again up to the last one asked for."""

    name = "opencv"

    def __init__(self, path: Path) -> None:
        import cv2

        self.path = path
        self._open()
        stated_hz = float(self._capture.get(cv2.CAP_PROP_FPS))
        self.stated_hz = stated_hz if np.isfinite(stated_hz) and stated_hz > 0 else None
        times_s = []
        while self._capture.grab():
            times_s.append(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        if not times_s:
            self.close()
            raise UndecodableError("OpenCV decodes no frame of it")
        self.timestamps_s = np.asarray(times_s, dtype=np.float64)
        self._next = len(times_s)
        if not (np.diff(self.timestamps_s) > 0).all():
            if self.stated_hz is None:
                self.close()
                raise UndecodableError("OpenCV finds no ascending times in it")
            self.timestamps_s = np.arange(len(times_s)) / self.stated_hz

    def frames(self, indices: Sequence[int]) -> Iterator[Array]:
        """Decode frames by number; never seeks."""
        for index in indices:
            if self._next > index:
                self.close()
                self._open()
            while self._next <= index:
                if not self._capture.grab():
                    raise UndecodableError(f"OpenCV cannot decode frame {self._next} a second time")
                self._next += 1
            decoded, picture = self._capture.retrieve()
            if not decoded:
                raise UndecodableError(f"OpenCV cannot decode frame {index}")
            yield np.ascontiguousarray(picture[:, :, ::-1])

    def close(self) -> None:
        """Give the file back."""
        self._capture.release()

    def _open(self) -> None:
        import cv2

        try:
            self._capture = cv2.VideoCapture(str(self.path), cv2.CAP_FFMPEG)
        except cv2.error as error:
            raise UndecodableError(str(error)) from error
        self._next = 0
        if not self._capture.isOpened():
            raise UndecodableError("OpenCV cannot open it")
