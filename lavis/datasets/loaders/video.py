"""Video files: ``<root>/<media_id>.mp4``, decoded at exact frame numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Clip, Loader, Sampling
from lavis.datasets.loaders.decoders import VideoFile, check_decoder, open_video
from lavis.datasets.loaders.frames import check_size

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")


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
        with self._open(path, media_id=media_id) as video:
            return video.n_frames, video.rate_hz

    def times_s(self, path: Path, indices: Sequence[int], *, media_id: str, rate_hz: float | None) -> tuple[float, ...]:
        """Return when the file shows frames, in s after its first; true where the rate varies."""
        with self._open(path, media_id=media_id) as video:
            return tuple(video.timestamps_s[list(indices)].tolist())

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

    def _open(self, path: Path, *, media_id: str) -> VideoFile:
        if not path.is_file():
            raise ModalityError(
                f"{media_id}: video {path} does not exist; check the storage of 'video' in the data set's build_info."
            )
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            raise ModalityError(f"{media_id}: {path} is no video; expected {'/'.join(VIDEO_SUFFIXES)}.")
        return open_video(path, media_id=media_id, size_px=self.size_px, decoder=self.decoder)
