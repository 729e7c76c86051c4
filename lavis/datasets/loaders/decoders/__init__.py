"""Video decoders behind one interface; :func:`open_video` is the only door."""

from __future__ import annotations

from lavis.datasets.loaders.decoders.video_file import DECODERS, VideoFile, check_decoder, open_video

__all__ = ["DECODERS", "VideoFile", "check_decoder", "open_video"]
