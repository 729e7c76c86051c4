"""Moving pictures for the samples: a camera that glides over photographs, written as frames or video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from lavis.datasets.loaders.base import Array
from lavis.datasets.sample.photographs import photograph

WIDTH_PX, HEIGHT_PX = 320, 240
RATE_HZ = 8
SAMPLE_RATE_HZ = 16_000
ZOOM = 1.15
# x264 with its macroblock tree reads memory that it never set: the same pictures then give other bytes now and then.
SAME_BYTES = {"crf": "18", "threads": "1", "x264-params": "mbtree=0"}
# what is shown → the photograph of it
PHOTOGRAPHS = {"cat": "chelsea", "cup": "coffee", "person": "astronaut"}


def glide(name: str, n_frames: int, *, backwards: bool = False) -> list[Array]:
    """Return ``n_frames`` frames [240, 320, 3] uint8 of a camera that glides to the right over a thing's photograph."""
    picture = Image.fromarray(photograph(PHOTOGRAPHS[name]))
    scale = ZOOM * max(WIDTH_PX / picture.width, HEIGHT_PX / picture.height)
    wide = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC)
    room, top = wide.width - WIDTH_PX, (wide.height - HEIGHT_PX) // 2
    lefts = [round(room * number / max(1, n_frames - 1)) for number in range(n_frames)]
    return [
        np.asarray(wide.crop((left, top, left + WIDTH_PX, top + HEIGHT_PX)))
        for left in (lefts[::-1] if backwards else lefts)
    ]


def write_frames(folder: Path, frames: Sequence[Array]) -> None:
    """Write frames as ``%05d.jpg`` from 1, as ffmpeg numbers them."""
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=1):
        Image.fromarray(frame).save(folder / f"{number:05d}.jpg", quality=92)


def write_video(path: Path, frames: Sequence[Array], sound: Array | None = None) -> None:
    """Write H.264 video of frames [h, w, 3] uint8 at 8 per s, with AAC sound [n] float32 at 16 kHz if given."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=RATE_HZ, options=dict(SAME_BYTES))
        picture.width, picture.height, picture.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        voice = None if sound is None else container.add_stream("aac", rate=SAMPLE_RATE_HZ)
        for frame in frames:
            container.mux(picture.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(picture.encode())
        if voice is not None and sound is not None:
            for start in range(0, len(sound), 1024):
                block = np.ascontiguousarray(sound[None, start : start + 1024], dtype=np.float32)
                heard = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
                heard.sample_rate, heard.pts = SAMPLE_RATE_HZ, start
                container.mux(voice.encode(heard))
            container.mux(voice.encode())
