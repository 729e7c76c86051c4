"""What is made of one question's part of one video: a clip and a folder of frames, whole or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Collection
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.base import Array
from lavis.datasets.loaders.frames import FramesLoader
from lavis.datasets.loaders.video import VideoLoader
from lavis.extract.layouts import FolderSink, jpeg
from lavis.extract.record import written_whole
from lavis.extract.resample import Rule, pick_frames
from lavis.extract.video_stream import VideoStream

# Keyframes this often, and none that looks ahead: every reader finds every frame of a clip, and quickly.
KEYFRAME_EVERY = 30


@dataclasses.dataclass(frozen=True)
class CutSettings:
    """How clips and frames are made.

    Attributes:
        fps: frames per s of the folders.
        rule: which frame stands for a time (:func:`lavis.extract.resample.pick_frames`).
        quality: of JPEG.
        crf: of libx264; smaller is better.
        clips: whether clips are made at all.
    """

    fps: Fraction = Fraction(3)
    rule: Rule = "shown"
    quality: int = 95
    crf: int = 18
    clips: bool = True


class Cut:
    """Takes the frames of a part, in order, and makes what is missing of its clip and its folder.

    ``needed`` are the numbers of the frames that it has to be given, from ``first`` to ``last``.

    Args:
        question_id: named in errors.
        stream: the video.
        first: the part's first frame.
        last: its last one.
        end_s: when it is over.
        clip: where the clip goes; None if it is not wanted, or there.
        frames: where the frames go; None if they are there.
        partials: folder of temporary names.
        settings: how.
    """

    def __init__(
        self,
        question_id: str,
        stream: VideoStream,
        first: int,
        last: int,
        end_s: Fraction,
        *,
        clip: Path | None,
        frames: Path | None,
        partials: Path,
        settings: CutSettings,
    ) -> None:
        self.question_id = question_id
        self.first, self.last = first, last
        self._stream = stream
        self._clip, self._frames = clip, frames
        self._partials = partials
        self._settings = settings
        self._stack = contextlib.ExitStack()
        self._opened = False
        self._encoder: _ClipEncoder | None = None
        self._sink: FolderSink | None = None
        picks = pick_frames(stream.times_s[first : last + 1], end_s, settings.fps, rule=settings.rule)
        self._picks = [first + pick for pick in picks]
        self._position = 0
        self.needed: Collection[int] = range(first, last + 1) if clip is not None else {*self._picks, last}

    def take(self, number: int, picture: Array) -> bool:
        """Take a frame of the video; returns True once the part is whole and in its place.

        Raises:
            ModalityError: what was written cannot be read back.
        """
        if not self.first <= number <= self.last:
            return False
        if not self._opened:
            self._open(picture)
        if self._encoder is not None:
            self._encoder.add(picture, self._stream.times_s[number] - self._stream.times_s[self.first])
        if self._sink is not None and self._position < len(self._picks) and self._picks[self._position] == number:
            data = jpeg(self._settings.quality)(picture)
            while self._position < len(self._picks) and self._picks[self._position] == number:
                self._sink.write(data)
                self._position += 1
        if number < self.last:
            return False
        self._check()
        self._stack.close()
        return True

    def abandon(self, error: BaseException) -> None:
        """Remove what was begun."""
        self._encoder = None
        with contextlib.suppress(type(error)):
            with self._stack:
                raise error

    def _open(self, picture: Array) -> None:
        self._opened = True
        if self._frames is not None:
            self._frames_path = self._stack.enter_context(written_whole(self._frames, self._partials))
            self._sink = FolderSink(self._frames_path, ".jpg")
        if self._clip is not None:
            self._clip_path = self._stack.enter_context(written_whole(self._clip, self._partials))
            self._encoder = _ClipEncoder(self._clip_path, self._stream, picture, self._settings.crf)

    def _check(self) -> None:
        if self._sink is not None:
            count, _ = FramesLoader().count(self._frames_path, media_id=self.question_id)
            self._same(count, len(self._picks), self._frames_path)
        if self._encoder is not None:
            self._encoder.close()
            count, _ = VideoLoader().count(self._clip_path, media_id=self.question_id)
            self._same(count, self.last - self.first + 1, self._clip_path)

    def _same(self, read: int, written: int, path: Path) -> None:
        if read != written:
            raise ModalityError(
                f"{self.question_id}: {written} frames were written to {path} and {read} are read back; look whether "
                f"the disk is full, and start again."
            )


class _ClipEncoder:
    """Writes an mp4 whose frames have the times that they have in the source."""

    def __init__(self, path: Path, stream: VideoStream, picture: Array, crf: int) -> None:
        import av

        height, width = picture.shape[:2]
        self._container = av.open(str(path), "w", format="mp4")
        # x264 gives other bytes with other numbers of threads (the processes share out the cores), and with its
        # macroblock tree, which reads memory that it never set.
        options = {"crf": str(crf), "preset": "veryfast", "bf": "0", "threads": "1", "g": str(KEYFRAME_EVERY)}
        options["x264-params"] = "mbtree=0"
        self._video: Any = self._container.add_stream("libx264", rate=stream.rate or 25, options=options)
        self._video.width, self._video.height = width, height
        # Chroma of half the size needs even sides.
        self._video.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
        self._time_base = stream.time_base
        self._video.codec_context.time_base = stream.time_base

    def add(self, picture: Array, time_s: Fraction) -> None:
        import av

        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.time_base = self._time_base
        frame.pts = int(time_s / self._time_base)
        self._container.mux(self._video.encode(frame))

    def close(self) -> None:
        self._container.mux(self._video.encode(None))
        self._container.close()
