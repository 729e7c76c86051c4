"""Video files: ``<root>/<media_id>.mp4``, decoded at exact frame numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lavis.common.decoder import import_decord
from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Clip, Loader, Sampling
from lavis.datasets.loaders.frames import check_size

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")


class VideoLoader(Loader):
    """Loads frames [t, h, w, c] uint8 RGB out of a video file; the rate is the container's.

    Args:
        size_px: (height, width) to decode to, aspect ratio not kept; None keeps the video's size.
    """

    modality = "video"
    suffix = ".mp4"

    def __init__(self, *, size_px: Sequence[int] | None = None) -> None:
        self.size_px = check_size(size_px, modality=self.modality)

    def count(self, path: Path, *, media_id: str) -> tuple[int, float | None]:
        """Return (number of frames, frames per s)."""
        reader = self._open(path, media_id=media_id)
        return len(reader), _rate_hz(reader)

    def load(self, path: Path, *, media_id: str, sampling: Sampling | None = None) -> Clip:
        """Decode the frames of the sampling (every frame without one).

        Raises:
            ModalityError: missing, truncated, short, or no video; names medium and path.
        """
        decord_error = import_decord().DECORDError
        reader = self._open(path, media_id=media_id)
        n_frames, rate_hz = len(reader), _rate_hz(reader)
        if sampling is None:
            indices = tuple(range(n_frames))
            sampling = Sampling(indices, tuple(index / rate_hz for index in indices) if rate_hz else (), rate_hz)
        needed = max(sampling.indices, default=-1) + 1
        if not sampling.indices or n_frames < needed:
            raise ModalityError(
                f"{media_id}: video {path} has {n_frames} frames, the sampling needs {needed}; "
                f"use the video that the other modalities were made from."
            )
        try:
            batch = reader.get_batch(list(sampling.indices))
        except (decord_error, RuntimeError, IndexError) as error:
            raise ModalityError(
                f"{media_id}: video {path} cannot be decoded at frames {list(sampling.indices)} "
                f"({_first_line(error)}); it may be truncated, fetch it again."
            ) from error
        # Another library may have set decord's bridge to torch, which changes what a batch is.
        array = np.asarray(batch.asnumpy() if hasattr(batch, "asnumpy") else batch)
        return Clip(
            media_id=media_id,
            modality=self.modality,
            array=array,
            shape="t h w c",
            unit="uint8 RGB",
            path=path,
            indices=sampling.indices,
            timestamps_s=sampling.timestamps_s,
            rate_hz=sampling.rate_hz,
        )

    def _open(self, path: Path, *, media_id: str) -> Any:
        if not path.is_file():
            raise ModalityError(
                f"{media_id}: video {path} does not exist; check the storage of 'video' in the data set's build_info."
            )
        if path.suffix.lower() not in VIDEO_SUFFIXES:
            raise ModalityError(f"{media_id}: {path} is no video; expected {'/'.join(VIDEO_SUFFIXES)}.")
        decord = import_decord()
        height, width = self.size_px or (-1, -1)
        try:
            reader = decord.VideoReader(str(path), ctx=decord.cpu(0), height=height, width=width, num_threads=1)
            n_frames = len(reader)
        except (decord.DECORDError, RuntimeError) as error:
            raise ModalityError(
                f"{media_id}: video {path} cannot be opened ({_first_line(error)}); it may be "
                f"truncated, fetch it again."
            ) from error
        if not n_frames:
            raise ModalityError(f"{media_id}: video {path} has no frames; fetch it again.")
        return reader


def _rate_hz(reader: Any) -> float | None:
    rate_hz = float(reader.get_avg_fps())
    return rate_hz if np.isfinite(rate_hz) and rate_hz > 0 else None


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
