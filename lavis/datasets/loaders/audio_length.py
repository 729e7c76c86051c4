"""How long a sound says it is: what tells a file that was cut from one that ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

# Containers whose header counts the samples. The rest (ADTS, MPEG-TS …) are measured by reading them.
COUNTED_FORMATS = frozenset({"wav", "w64", "aiff", "caf", "flac", "mov,mp4,m4a,3gp,3g2,mj2", "ogg"})
# What writers put for "not known yet" when they cannot go back to fill it in.
UNKNOWN_BYTES = (0, 0xFFFFFFFF)


def declared_length_s(container: Any, stream: Any) -> float | None:
    """Return the length in s that a container declares for an open audio stream.

    None where the number would be an estimate: an MP3 without an encoder's header, ADTS, a Matroska track
    without its own duration beside other tracks.
    """
    name = container.format.name
    if stream.duration is not None and (name in COUNTED_FORMATS or (name == "mp3" and stream.start_time)):
        return float(stream.duration * stream.time_base)
    if name == "matroska,webm":
        tagged = _clock_s(stream.metadata.get("DURATION", ""))
        if tagged is not None:
            return tagged
        if len(container.streams) == 1 and container.duration is not None:
            return float(container.duration) / 1e6
    return None


def wav_shortfall(path: Path) -> int:
    """Return how many bytes of samples a RIFF WAVE file lacks against its header; 0 for a whole or another file.

    FFmpeg reads a cut WAVE file as a shorter one, so this is checked beforehand.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] not in (b"RIFF", b"RF64") or head[8:] != b"WAVE":
            return 0
        long_bytes = None
        while len(chunk := file.read(8)) == 8:
            kind, n_bytes = chunk[:4], int.from_bytes(chunk[4:], "little")
            if kind == b"ds64":
                long_bytes = int.from_bytes(file.read(16)[8:], "little")
                file.seek(max(0, n_bytes - 16), 1)
            elif kind == b"data":
                if n_bytes == UNKNOWN_BYTES[1] and long_bytes is not None:
                    n_bytes = long_bytes
                elif n_bytes in UNKNOWN_BYTES:
                    return 0
                return max(0, file.tell() + n_bytes - size_bytes)
            else:
                file.seek(n_bytes + n_bytes % 2, 1)
    return 0


def _clock_s(text: str) -> float | None:
    """Read ``00:01:02.500000000``."""
    parts = text.split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return None
    return hours * 3600 + minutes * 60 + seconds
