"""The pictures of a medium in order, out of a video file or a folder of images, one at a time."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.frames import FramesLoader
from lavis.datasets.loaders.video import VIDEO_SUFFIXES, VideoLoader
from lavis.extract.resample import Rule, pick_frames
from lavis.extract.video_stream import VideoStream


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Pictures of one medium, not decoded yet.

    Attributes:
        count: how many there will be.
        rate_hz: of them; None where unknown.
        read: yields them in order, uint8 RGB [h, w, 3], or grey [h, w].
    """

    count: int
    rate_hz: float | None
    read: Callable[[], Iterator[Array]]


@dataclasses.dataclass(frozen=True)
class Sampler:
    """How pictures are taken from a medium.

    Attributes:
        fps: pictures per s; None takes every frame.
        rule: which frame stands for a time (:func:`lavis.extract.resample.pick_frames`).
        rate_hz: frames per s of folders, which do not say it.
        size_px: (height, width) to resize to, aspect ratio not kept; None keeps the medium's size.
        grey: take the luma alone.
        n_threads: that decode.
    """

    fps: Fraction | None = None
    rule: Rule = "shown"
    rate_hz: float | None = None
    size_px: tuple[int, int] | None = None
    grey: bool = False
    n_threads: int = 1

    def open(self, path: Path, *, media_id: str) -> Pictures:
        """Look at a medium without decoding it.

        Raises:
            ModalityError: missing, damaged, or of another number of frames than its loader counts; a folder of
                which another rate is wanted and its own is not known. Names medium and path.
        """
        pictures = self._folder(path, media_id) if path.is_dir() else self._video(path, media_id)
        if self.size_px is None:
            return pictures
        return dataclasses.replace(pictures, read=functools.partial(_resized, pictures.read, self.size_px))

    def _video(self, path: Path, media_id: str) -> Pictures:
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            raise ModalityError(f"{media_id}: {path} is no video; expected {'/'.join(VIDEO_SUFFIXES)}.")
        stream = VideoStream(path, media_id=media_id, n_threads=self.n_threads)
        count, _ = VideoLoader().count(path, media_id=media_id)
        if count != len(stream):
            raise ModalityError(
                f"{media_id}: video {path} holds {len(stream)} frames, its loader counts {count}; what is extracted "
                f"would not be aligned with it. Encode it again."
            )
        if self.fps is None:
            return Pictures(count, stream.rate_hz, lambda: (one for _, one in stream.pictures(grey=self.grey)))
        picks = pick_frames(stream.times_s, stream.end_s, self.fps, rule=self.rule)
        return Pictures(len(picks), float(self.fps), lambda: _repeated(stream, picks, self.grey))

    def _folder(self, path: Path, media_id: str) -> Pictures:
        loader = FramesLoader(convert=True)
        files = loader.files(path, media_id=media_id)
        rate_hz = self.rate_hz
        if self.fps is not None:
            if rate_hz is None:
                raise ModalityError(
                    f"{media_id}: {path} is a folder, which does not say its rate; name it with --rate-hz, or take "
                    f"every frame with --fps all."
                )
            step_s = 1 / Fraction(str(rate_hz))
            times_s = [number * step_s for number in range(len(files))]
            files = [files[pick] for pick in pick_frames(times_s, len(files) * step_s, self.fps, rule=self.rule)]
            rate_hz = float(self.fps)
        return Pictures(len(files), rate_hz, lambda: _decoded(loader, files, media_id, self.grey))


def _decoded(loader: FramesLoader, files: Sequence[Path], media_id: str, grey: bool) -> Iterator[Array]:
    """Yield the pictures of a folder, all of one size."""
    first: Array | None = None
    for file in files:
        picture = loader.decode(file, media_id=media_id)
        if first is not None and picture.shape != first.shape:
            raise ModalityError(
                f"{media_id}: {file} is {picture.shape[1]}×{picture.shape[0]} px, {files[0]} is {first.shape[1]}×"
                f"{first.shape[0]}; bring the frames to one size."
            )
        first = picture if first is None else first
        yield _luma(picture) if grey else picture


def _luma(picture: Array) -> Array:
    import cv2

    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


def _repeated(stream: VideoStream, picks: Sequence[int], grey: bool) -> Iterator[Array]:
    """Yield the picked frames; decodes one after the other from the first to the last that is needed."""
    position = 0
    for number, picture in stream.pictures(picks[0], picks[-1], wanted=frozenset(picks), grey=grey):
        while position < len(picks) and picks[position] == number:
            yield picture
            position += 1


def _resized(read: Callable[[], Iterator[Array]], size_px: tuple[int, int]) -> Iterator[Array]:
    import cv2

    height, width = size_px
    for picture in read():
        if picture.shape[:2] == size_px:
            yield picture
            continue
        shrinks = picture.shape[0] > height or picture.shape[1] > width
        yield cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
