"""Video files: ``<root>/<media_id>.mp4``, decoded at exact frame numbers."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Array, Clip, Loader, Sampling
from lavis.datasets.loaders.decoders import VideoFile, check_decoder, open_video
from lavis.datasets.loaders.frames import check_size

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")


@dataclasses.dataclass(frozen=True)
class Course:
    """When a file shows its frames.

    Attributes:
        times_s: one a frame [n] float64, in s after the first.
        rate_hz: frames per s; None for one frame without a rate.
    """

    times_s: Array
    rate_hz: float | None


# Frames are counted, timed and read in three steps, and the first two are the same for every question on a video.
REMEMBERED_COURSES = 16
_COURSES: OrderedDict[tuple[Path, int, int, str], Course] = OrderedDict()
_LOCK = threading.Lock()


class VideoLoader(Loader):
    """Loads frames [t, h, w, c] uint8 RGB out of a video file, upright; times and rate are the file's.

    Args:
        size_px: (height, width) to resize to, aspect ratio not kept (bicubic); None keeps the video's size.
        decoder: ``auto`` takes the first that reads the file; ``pyav``, ``decord`` or ``opencv`` is that one alone.
    """

    modality = "video"
    suffix = ".mp4"

    def __init__(self, *, size_px: Sequence[int] | None = None, decoder: str = "auto") -> None:
        self.size_px = check_size(size_px, modality=self.modality)
        self.decoder = check_decoder(decoder)

    def count(self, path: Path, *, media_id: str) -> tuple[int, float | None]:
        """Return (number of frames, frames per s)."""
        course = self._course(path, media_id=media_id)
        return len(course.times_s), course.rate_hz

    def times_s(self, path: Path, indices: Sequence[int], *, media_id: str, rate_hz: float | None) -> tuple[float, ...]:
        """Return when the file shows frames, in s after its first; true where the rate varies."""
        return tuple(self._course(path, media_id=media_id).times_s[list(indices)].tolist())

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> Clip:
        """Decode the frames of the sampling (every frame without one).

        The clip's times are when the file shows these frames, in s after its first, whatever the sampling says.

        Raises:
            ModalityError: missing, truncated, short, or no video; names medium and path.
        """
        with self._open(path, media_id=media_id) as video:
            indices = tuple(range(video.n_frames)) if sampling is None else sampling.indices
            needed = max(indices, default=-1) + 1
            if not indices or video.n_frames < needed:
                raise ModalityError(
                    f"{media_id}: video {path} has {video.n_frames} frames, the sampling needs {needed}; "
                    f"use the video that the other modalities were made from."
                )
            return Clip(
                media_id=media_id,
                modality=self.modality,
                array=video.read(indices),
                shape="t h w c",
                unit="uint8 RGB",
                path=path,
                indices=indices,
                timestamps_s=tuple(video.timestamps_s[list(indices)].tolist()),
                rate_hz=video.rate_hz,
            )

    def _course(self, path: Path, *, media_id: str) -> Course:
        try:
            stat = path.stat()
            key = (path, stat.st_size, stat.st_mtime_ns, self.decoder)
        except OSError:
            key = None  # opening it says what is wrong
        course = _COURSES.get(key) if key is not None else None
        if course is None:
            with self._open(path, media_id=media_id) as video:
                course = Course(video.timestamps_s, video.rate_hz)
            if key is not None:
                with _LOCK:
                    _COURSES[key] = course
                    if len(_COURSES) > REMEMBERED_COURSES:
                        _COURSES.popitem(last=False)
        return course

    def _open(self, path: Path, *, media_id: str) -> VideoFile:
        if not path.is_file():
            raise ModalityError(
                f"{media_id}: video {path} does not exist; check the storage of 'video' in the data set's build_info."
            )
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            raise ModalityError(f"{media_id}: {path} is no video; expected {'/'.join(VIDEO_SUFFIXES)}.")
        return open_video(path, media_id=media_id, size_px=self.size_px, decoder=self.decoder)
