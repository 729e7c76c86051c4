"""Makes clips whose every frame carries its own number, so that frame i can be told from its neighbours."""

from __future__ import annotations

import dataclasses
import functools
import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

BITS = 16
COLUMNS = 4
NO_ROTATION = (1, 0, 0, 1)
# The (a, b, c, d) of a track's display matrix, by degrees that the stored picture is turned clockwise to be shown.
DISPLAY = {0: NO_ROTATION, 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


@dataclasses.dataclass(frozen=True)
class ClipSpec:
    """What a clip is like.

    Attributes:
        codec: an encoder of FFmpeg (``libx264``, ``libx265``, ``libvpx-vp9``, ``libsvtav1``, ``mpeg4`` …).
        n_frames: how many.
        size_px: (height, width) as shown, even numbers.
        rate_hz: frames per s.
        gop: frames from one keyframe to the next.
        b_frames: between two reference frames, where the codec has them.
        times_ms: when each frame is shown, where the rate is not constant.
        rotation: degrees that a player turns the stored picture clockwise; mp4 and mov only.
        audio: add a tone of 440 Hz.
        noise: how busy the picture is, 0 … 1; busy pictures cost more to decode.
        extra: further options of the encoder.
    """

    codec: str = "libx264"
    n_frames: int = 40
    size_px: tuple[int, int] = (96, 128)
    rate_hz: int = 25
    gop: int = 12
    b_frames: int = 2
    times_ms: Sequence[int] | None = None
    rotation: int = 0
    audio: bool = False
    noise: float = 0.1
    extra: Mapping[str, str] = dataclasses.field(default_factory=dict)


def numbered(number: int, size_px: tuple[int, int], noise: float = 0.0) -> np.ndarray:
    """Draw a picture [h, w, 3] uint8 that carries a number below 2 ** 16 as a grid of black and white blocks."""
    picture = np.roll(_texture(number // 8, size_px, noise), number % 8 * 2, axis=1)
    for bit, (top, left, bottom, right) in enumerate(_blocks(size_px)):
        picture[top:bottom, left:right] = 235 if number >> bit & 1 else 16
    return picture


@functools.lru_cache(maxsize=4)
def _texture(seed: int, size_px: tuple[int, int], noise: float) -> np.ndarray:
    """Return a picture of random 8 px squares, whose contrast is the noise."""
    height, width = size_px
    low, high = int(128 - 127 * noise), int(128 + 127 * noise) + 1
    squares = np.random.default_rng(seed).integers(low, high, (-(-height // 8), -(-width // 8), 3), np.uint8)
    return np.repeat(np.repeat(squares, 8, axis=0), 8, axis=1)[:height, :width]


def read_number(picture: np.ndarray) -> int:
    """Return the number that an upright picture [h, w, 3] carries; -1 where a block is neither black nor white."""
    number = 0
    for bit, (top, left, bottom, right) in enumerate(_blocks(picture.shape[:2])):
        dy, dx = (bottom - top) // 4, (right - left) // 4
        level = float(picture[top + dy : bottom - dy, left + dx : right - dx].mean())
        if 90 < level < 165:
            return -1
        number |= int(level > 128) << bit
    return number


def read_numbers(frames: np.ndarray) -> list[int]:
    """Return the number of every frame [t, h, w, 3]."""
    return [read_number(frame) for frame in frames]


def _blocks(size_px: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """Return (top, left, bottom, right) per bit: a grid at the upper left, so that a turned picture reads otherwise."""
    height, width = size_px[0] * 3 // 4, size_px[1] * 3 // 4
    rows = BITS // COLUMNS
    edges_y = [round(row * height / rows) for row in range(rows + 1)]
    edges_x = [round(column * width / COLUMNS) for column in range(COLUMNS + 1)]
    return [
        (edges_y[bit // COLUMNS], edges_x[bit % COLUMNS], edges_y[bit // COLUMNS + 1], edges_x[bit % COLUMNS + 1])
        for bit in range(BITS)
    ]


def has_encoder(codec: str) -> bool:
    """Say whether the installed PyAV can write a codec."""
    import av

    try:
        av.codec.Codec(codec, "w")
    except Exception:
        return False
    return True


def write_clip(path: Path, spec: ClipSpec | None = None, *, options: dict[str, str] | None = None) -> Path:
    """Write a clip; frame k carries the number k. ``options`` go to the muxer (``movflags`` …)."""
    import av

    spec = spec or ClipSpec()
    time_base = Fraction(1, 1000) if spec.times_ms is not None else Fraction(1, spec.rate_hz)
    turns = spec.rotation // 90
    height, width = spec.size_px if turns % 2 == 0 else spec.size_px[::-1]
    with av.open(str(path), "w", options=options or {}) as container:
        stream: Any = container.add_stream(
            spec.codec, rate=spec.rate_hz, options=_encoder_options(spec) | dict(spec.extra)
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = spec.gop
        stream.codec_context.bit_rate = 0  # PyAV's default of 1 Mbit/s would wash the numbers out
        stream.codec_context.time_base = time_base
        if spec.codec in ("mpeg4", "libx264"):
            stream.codec_context.max_b_frames = spec.b_frames
        tone: Any = container.add_stream("aac", rate=16000, layout="mono") if spec.audio else None
        for number in range(spec.n_frames):
            upright = numbered(number, spec.size_px, spec.noise)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.rot90(upright, turns)), format="rgb24")
            frame.pts = number if spec.times_ms is None else spec.times_ms[number]
            frame.time_base = time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if tone is not None:
            _mux_tone(container, tone, spec.n_frames / spec.rate_hz)
    if turns:
        _set_rotation(path, spec.rotation)
    return path


def write_tone(path: Path, duration_s: float = 1.0) -> Path:
    """Write a file that holds sound and no picture."""
    import av

    with av.open(str(path), "w") as container:
        _mux_tone(container, container.add_stream("aac", rate=16000, layout="mono"), duration_s)
    return path


def _encoder_options(spec: ClipSpec) -> dict[str, str]:
    per_codec = {
        "libx264": {"preset": "veryfast", "crf": "20", "bf": str(spec.b_frames)},
        "libx265": {
            "preset": "ultrafast",
            "crf": "20",
            "x265-params": f"log-level=none:keyint={spec.gop}:min-keyint={spec.gop}:bframes={spec.b_frames}",
        },
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "24", "b": "0", "row-mt": "1"},
        # Faster presets leave parts of the numbers as they were.
        "libsvtav1": {"preset": "7", "crf": "20"},
        "mpeg4": {"q:v": "3"},
    }
    return per_codec.get(spec.codec, {})


def _mux_tone(container: Any, stream: Any, duration_s: float) -> None:
    import av

    n_samples = 1024
    for start in range(0, int(duration_s * 16000), n_samples):
        wave = np.sin(2 * np.pi * 440 * np.arange(start, start + n_samples) / 16000).astype(np.float32) / 4
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16000, start, Fraction(1, 16000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _set_rotation(path: Path, degrees: int) -> None:
    """Write the display matrix of the first track into an mp4's track header."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in DISPLAY[degrees])
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
