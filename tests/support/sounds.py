"""Sounds that tests write for themselves, in any container and codec that FFmpeg writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


def tone(seconds: float, rate_hz: int, *, hz: float = 440.0, amplitude: float = 0.25) -> np.ndarray:
    """Return a sine [n] float32 that begins at 0."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (amplitude * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def write_sound(
    path: Path,
    channels: np.ndarray,
    rate_hz: int,
    *,
    codec: str = "pcm_s16le",
    sample_format: str = "s16",
    video_frames: int = 0,
    **container_options: str,
) -> Path:
    """Encode channels [c, n] float32, full scale 1; with a black video beside them on request."""
    import av

    layout = LAYOUTS[len(channels)]
    with av.open(str(path), "w", options=container_options) as container:
        if video_frames:
            video = container.add_stream("mpeg4", rate=10)
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        stream.format = sample_format
        for _ in range(video_frames):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        if video_frames:
            container.mux(video.encode(None))
        convert = av.AudioResampler(format=sample_format, layout=layout, rate=rate_hz)
        for start in range(0, channels.shape[1], 1024):
            # Packed: PyAV 18 takes planar frames of eight channels for more.
            piece = np.ascontiguousarray(channels[:, start : start + 1024].T, dtype=np.float32).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(piece, format="flt", layout=layout)
            frame.sample_rate, frame.pts = rate_hz, start
            for converted in convert.resample(frame):
                container.mux(stream.encode(converted))
        container.mux(stream.encode(None))
    return path


def frequency_hz(samples: np.ndarray, rate_hz: float) -> float:
    """Return the strongest frequency, to a fraction of a Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), n=1 << 20))
    return float(spectrum.argmax() * rate_hz / (1 << 20))
