"""How much of the time of a flow extraction is the flow itself.

    python benchmarks/flow_extraction.py

A clip of 10 s, 640×360 px, 30 Hz is made, then extracted (decode, DIS, write, read back), and DIS is run alone on
the same grey pictures in memory with the same threads, in turn. ``share`` is DIS alone / extraction, both the
fastest of the rounds; ``of CPU`` the same of processor time, which other work on the machine disturbs less;
``command`` is the whole command, the start of its processes included.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np

from lavis.common.cores import usable_cores
from lavis.extract import Medium, extract_medium
from lavis.extract.flow import PRESETS, FlowExtractor, make_dis

N_FRAMES, RATE_HZ, HEIGHT, WIDTH = 300, 30, 360, 640
LAYOUTS = ("float", "half", "image", "shards")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--presets", nargs="+", default=list(PRESETS))
    parser.add_argument("--layouts", nargs="+", default=["float"], help=", ".join(LAYOUTS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "in").mkdir()
        medium = Medium("clip", write_clip(base / "in" / "clip.mp4"))
        for preset in options.presets:
            for layout in options.layouts:
                measure(base, medium, preset, layout, options.rounds)


def measure(base: Path, medium: Medium, preset: str, layout: str, rounds: int) -> None:
    """Print the times of one preset and layout."""
    extractor = FlowExtractor(preset=preset, layout=layout)
    extractor.use_threads(usable_cores())
    grey = list(extractor.open(medium).read())
    assert len(grey) == N_FRAMES
    whole: list[tuple[float, float]] = []
    alone: list[tuple[float, float]] = []
    for _ in range(rounds):
        out = base / "out"
        with timed(whole):
            extract_medium(extractor, medium, out)
        shutil.rmtree(out)
        dis = make_dis(preset)
        with timed(alone):
            for before, after in pairwise(grey):
                dis.calc(before, after, None)
    start = time.perf_counter()
    command = [sys.executable, "-m", "lavis.cli", "extract", "--modality", "flow", "--preset", preset]
    command += ["--layout", layout, "--in", str(base / "in"), "--out", str(base / "out")]
    subprocess.run(command, check=True, capture_output=True)
    command_s = time.perf_counter() - start
    shutil.rmtree(base / "out")
    (whole_s, whole_cpu_s), (alone_s, alone_cpu_s) = (np.min(times, axis=0) for times in (whole, alone))
    print(
        f"{preset:<9} {layout:<6}: extraction {whole_s:.2f} s ({N_FRAMES / whole_s:.0f} frames/s), DIS alone "
        f"{alone_s:.2f} s, share {100 * alone_s / whole_s:.0f} %; of CPU {100 * alone_cpu_s / whole_cpu_s:.0f} %; "
        f"command {command_s:.2f} s",
        flush=True,
    )


@contextlib.contextmanager
def timed(times: list[tuple[float, float]]) -> Iterator[None]:
    """Add (wall s, processor s) of a block."""
    wall, processor = time.perf_counter(), time.process_time()
    yield
    times.append((time.perf_counter() - wall, time.process_time() - processor))


def write_clip(path: Path) -> Path:
    """Write a clip in which a textured plane moves across another one, as from a hand-held camera."""
    rng = np.random.default_rng(0)
    far, near = (_texture(rng, HEIGHT + 200, WIDTH + 400) for _ in range(2))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE_HZ, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(N_FRAMES):
            left = 100 + 90 * np.sin(number / 40) + rng.normal(0, 0.7)
            top = 60 + 40 * np.sin(number / 55) + rng.normal(0, 0.7)
            picture = _view(far, left, top)
            across = int(WIDTH * (0.5 + 0.4 * np.sin(number / 30)))
            picture[120:300, max(0, across - 80) : across + 80] = _view(near, left * 2, top)[
                120:300, max(0, across - 80) : across + 80
            ]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _texture(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    total = np.zeros((height, width, 3), np.float32)
    for size in (4, 16, 64):
        small = rng.uniform(0, 1, (height // size + 2, width // size + 2, 3)).astype(np.float32)
        total += cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC) * size**0.5
    total -= total.min()
    return (255 * total / total.max()).astype(np.uint8)


def _view(texture: np.ndarray, left: float, top: float) -> np.ndarray:
    moved = np.float32([[1, 0, -left], [0, 1, -top]])
    return cv2.warpAffine(texture, moved, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


if __name__ == "__main__":
    main()
