"""A video opened with the first decoder that can read it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import TracebackType

import numpy as np

from lavis.common.errors import ModalityError, unknown_name
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.decoders.base import DamagedError, Decoder, UndecodableError
from lavis.datasets.loaders.decoders.containers import defect
from lavis.datasets.loaders.resizing import resize

# In the order in which they are tried; docs/design/decoding.md says why.
DECODERS = {
    "pyav": "lavis.datasets.loaders.decoders.pyav:PyAVDecoder",
    "decord": "lavis.datasets.loaders.decoders.decord_reader:DecordDecoder",
    "opencv": "lavis.datasets.loaders.decoders.opencv:OpenCVDecoder",
}
AUTO = "auto"
# A stated rate that differs by more than this from the frames' own times is not theirs.
RATE_TOLERANCE = 0.01

logger = logging.getLogger(__name__)
_said: set[tuple[str, str]] = set()


def check_decoder(name: str) -> str:
    """Return the name of a decoder, or ``auto``.

    Raises:
        ConfigError: no such decoder; names the nearest.
    """
    if name != AUTO and name not in DECODERS:
        raise unknown_name("decoder", name, [AUTO, *DECODERS])
    return name


def open_video(path: Path, *, media_id: str, size_px: tuple[int, int] | None = None, decoder: str = AUTO) -> VideoFile:
    """Open a video file.

    Args:
        path: the file.
        media_id: named in errors.
        size_px: (height, width) to resize to, bicubic, aspect ratio not kept; None keeps the size.
        decoder: ``auto`` tries every installed one in the order of the table; a name is that one alone.

    Raises:
        ConfigError: no such decoder.
        ModalityError: the file is missing, truncated, without a picture, or none of the decoders reads it.
    """
    return VideoFile(path, media_id=media_id, size_px=size_px, decoder=check_decoder(decoder))


class VideoFile:
    """A video whose frames are counted and timed in the order of their display.

    Close it, or use it in a ``with`` statement.

    Attributes:
        decoder: the name of the one that serves.
        n_frames: how many frames are shown.
        rate_hz: frames per s, as stated or where that is wrong as measured; None for one frame without a rate.
        timestamps_s: when each is shown [n] float64, in s after the first; true where the rate varies.
    """

    def __init__(self, path: Path, *, media_id: str, size_px: tuple[int, int] | None, decoder: str) -> None:
        self.path = path
        self.media_id = media_id
        self.size_px = size_px
        self._names = list(DECODERS) if decoder == AUTO else [decoder]
        self._causes: list[str] = []
        try:
            with path.open("rb") as stream:
                reason = defect(stream)
        except OSError as error:
            raise ModalityError(f"{media_id}: video {path} cannot be read ({error.strerror or error}).") from error
        if reason is not None:
            raise self._damaged(reason)
        self._decoder = self._next_decoder()
        times_s = self._decoder.timestamps_s
        self.decoder = self._decoder.name
        self.n_frames = len(times_s)
        if not self.n_frames:
            self.close()
            raise self._damaged("it has no frames")
        self.timestamps_s: Array = times_s - times_s[0]
        self.rate_hz = _rate_hz(self.timestamps_s, self._decoder.stated_hz)

    def read(self, indices: Sequence[int]) -> Array:
        """Decode frames by number, in any order.

        Returns:
            Pictures [t, h, w, 3] uint8 RGB, upright, resized where a size was given.

        Raises:
            ModalityError: an index past the end, or the data of a frame are damaged.
        """
        if not len(indices) or not all(0 <= index < self.n_frames for index in indices):
            raise ModalityError(
                f"{self.media_id}: video {self.path} has {self.n_frames} frames, not frames {list(indices)}."
            )
        while True:
            try:
                return self._stacked(list(indices))
            except UndecodableError as error:
                self._give_up(self._decoder.name, error)
            except DamagedError as error:
                raise self._damaged(str(error)) from error
            self.close()
            self._decoder = self._next_decoder()
            if len(self._decoder.timestamps_s) != self.n_frames:
                raise self._damaged(
                    f"{self._decoder.name} finds {len(self._decoder.timestamps_s)} frames in it and "
                    f"{self.decoder} {self.n_frames}"
                )
            self.decoder = self._decoder.name

    def close(self) -> None:
        """Give the file back."""
        self._decoder.close()

    def __enter__(self) -> VideoFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next_decoder(self) -> Decoder:
        """Open the file with the next decoder of the list that is installed and can."""
        while self._names:
            name = self._names.pop(0)
            module, _, cls = DECODERS[name].partition(":")
            try:
                decoder: Decoder = getattr(import_module(module), cls)(self.path)
                return decoder
            except ImportError as error:
                self._causes.append(f"{name} is not installed ({error})")
            except UndecodableError as error:
                self._give_up(name, error)
            except DamagedError as error:
                raise self._damaged(str(error)) from error
        raise ModalityError(
            f"{self.media_id}: video {self.path} cannot be decoded: {'; '.join(self._causes)}. "
            f"Install PyAV (pip install av), or write the video again as H.264 in mp4."
        )

    def _give_up(self, name: str, error: UndecodableError) -> None:
        cause = str(error)
        self._causes.append(f"{name}: {cause}")
        is_new = (name, cause) not in _said
        _said.add((name, cause))
        if is_new and self._names:
            logger.info("%s does not read %s (%s); the next decoder is tried.", name, self.path, cause)

    def _damaged(self, reason: str) -> ModalityError:
        return ModalityError(
            f"{self.media_id}: video {self.path} is truncated, damaged or no video: {reason}; fetch it again."
        )

    def _stacked(self, indices: list[int]) -> Array:
        """Decode frames straight into one array [t, h, w, 3]; two copies of a long clip would be gigabytes."""
        slots: dict[int, list[int]] = {}
        for slot, index in enumerate(indices):
            slots.setdefault(index, []).append(slot)
        ordered = sorted(slots)
        stacked: Array | None = None
        for index, picture in zip(ordered, self._decoder.frames(ordered), strict=True):
            sized = picture if self.size_px is None else resize(picture, self.size_px)
            if stacked is None:
                stacked = np.empty((len(indices), *sized.shape), np.uint8)
            if sized.shape != stacked.shape[1:]:
                raise DamagedError("its pictures change their size; set the video option size_px")
            stacked[slots[index]] = sized
        if stacked is None:
            raise DamagedError("it has no frames")
        return stacked


def _rate_hz(timestamps_s: Array, stated_hz: float | None) -> float | None:
    if len(timestamps_s) < 2:
        return stated_hz
    measured_hz = float((len(timestamps_s) - 1) / timestamps_s[-1])
    if stated_hz is not None and abs(stated_hz - measured_hz) <= RATE_TOLERANCE * measured_hz:
        return stated_hz
    return measured_hz
