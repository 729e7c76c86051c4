"""Touch: pictures of a gel sensor's skin, ``<root>/<question_id>/%05d.jpg`` as CREMA's tools write them."""

from __future__ import annotations

from lavis.datasets.loaders.frames import FramesLoader


class TouchLoader(FramesLoader):
    """Loads touch frames [t, h, w, c] uint8 RGB; options, order and errors are those of ``frame``.

    The tools cut 3 frames per s and count from 1: ``touch_frames/<question_id>/00001.jpg`` is frame 0 at 0 s.
    """

    modality = "touch"
