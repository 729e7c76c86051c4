"""Video decoders side by side: is frame i frame i, how long do 4 and 32 uniform frames take, and how much memory.

    python benchmarks/decoding.py [--cache-dir FOLDER] [--seconds 20] [--size 720 1280] [--codecs libx264 libvpx-vp9]
                                  [--gops 12 60 250] [--python decord2=/path/to/another/python]

Clips are made by PyAV; every frame carries its number. Each measurement is a fresh process that imports one decoder,
opens the clip and makes an RGB array of the frames. `lavis` is this package's reader as it is used; `pyav` is the plain
loop over the groups of pictures that hold the frames. Decoders take turns, so that other work on the machine meets all
of them; times are medians and ratios are taken within a turn. decord2 carries decord's name and needs an interpreter
of its own. What is not installed is left out and named.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# Other interpreters have neither installed.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from media import ClipSpec, has_encoder, read_numbers, write_clip

from lavis.datasets.loaders.sampling import interval_midpoints

CODECS = ("libx264", "libx265", "libvpx-vp9", "libsvtav1")
GOPS = (12, 60, 250)
FRAMES = (4, 32)
UNEVEN_STEPS_MS = (10, 33, 40, 97, 160)


def lavis(path: str) -> tuple[int, Callable[[Sequence[int]], Any]]:
    from lavis.datasets.loaders.decoders import open_video

    video = open_video(Path(path), media_id="clip")
    return video.n_frames, video.read


def pyav(path: str) -> tuple[int, Callable[[Sequence[int]], Any]]:
    import av

    container = av.open(path)
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    packets = [(packet.pts, packet.dts, packet.is_keyframe) for packet in container.demux(stream) if packet.size]
    shown = sorted(pts for pts, _, _ in packets)
    keys = [(pts, dts) for pts, dts, is_key in packets if is_key]

    def read(indices: Sequence[int]) -> Any:
        groups: dict[int, list[int]] = {}
        for index in indices:
            groups.setdefault(max(k for k, key in enumerate(keys) if key[0] <= shown[index]), []).append(shown[index])
        found = []
        for key, wanted in groups.items():
            container.seek(keys[key][0] if keys[key][1] is None else keys[key][1], stream=stream)
            for frame in container.decode(stream):
                if frame.pts in wanted:
                    found.append(np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90))
                if frame.pts >= wanted[-1]:
                    break
        return np.stack(found)

    return len(shown), read


def decord(path: str) -> tuple[int, Callable[[Sequence[int]], Any]]:
    from lavis.common.decoder import import_decord

    library = import_decord()
    reader = library.VideoReader(path, ctx=library.cpu(0))
    return len(reader), lambda indices: reader.get_batch(list(indices)).asnumpy()


def opencv(path: str) -> tuple[int, Callable[[Sequence[int]], Any]]:
    import cv2

    capture = cv2.VideoCapture(path)

    def read(indices: Sequence[int]) -> Any:
        found = []
        for index in indices:
            if int(capture.get(cv2.CAP_PROP_POS_FRAMES)) != index:
                capture.set(cv2.CAP_PROP_POS_FRAMES, index)
            decoded, picture = capture.read()
            if not decoded:
                raise RuntimeError(f"no frame {index}")
            found.append(picture[:, :, ::-1])
        return np.stack(found)

    return int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), read


def torchcodec(path: str) -> tuple[int, Callable[[Sequence[int]], Any]]:
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(path, dimension_order="NHWC", num_ffmpeg_threads=0)
    return len(decoder), lambda indices: decoder.get_frames_at(list(indices)).data.numpy()


IMPORTS = {"lavis": "av", "pyav": "av", "decord": "decord", "decord2": "decord", "torchcodec": "torchcodec.decoders"}
IMPORTS["opencv"] = "cv2"
DECODERS = {
    "lavis": lavis,
    "pyav": pyav,
    "decord": decord,
    "decord2": decord,
    "opencv": opencv,
    "torchcodec": torchcodec,
}


def peak_mb() -> float:
    """Return the most memory that this process has held; rusage would count the process that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def work(name: str, path: str, n: int, true_count: int) -> dict[str, Any]:
    """Decode once in this process and say how it went."""
    if name in ("decord", "decord2"):
        from lavis.common.decoder import import_decord

        import_decord()
    else:
        __import__(IMPORTS[name])
    before_mb = peak_mb()
    start, cpu_start = time.perf_counter(), time.process_time()
    count, read = DECODERS[name](path)
    indices = list(interval_midpoints(true_count, n))
    frames = read(indices)
    taken_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    more_mb = peak_mb() - before_mb
    is_exact = count == true_count and read_numbers(frames) == indices
    return {"s": taken_s, "cpu_s": cpu_s, "peak_mb": more_mb, "exact": is_exact, "count": count}


def run(python: str, name: str, path: Path, n: int, true_count: int) -> dict[str, Any]:
    command = [python, __file__, "--worker", name, str(path), str(n), str(true_count)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if ran.returncode:
        lines = ran.stderr.strip().splitlines()
        return {"error": lines[-1][:90] if lines else f"status {ran.returncode}"}
    return json.loads(ran.stdout.splitlines()[-1])


def cases(arguments: argparse.Namespace) -> dict[str, ClipSpec]:
    size_px, n_frames = tuple(arguments.size), round(arguments.seconds * 25)
    suffixes = {"libvpx-vp9": "webm", "mpeg4": "avi"}
    grid = {
        f"{codec}_gop{gop}.{suffixes.get(codec, 'mp4')}": ClipSpec(
            codec, n_frames, size_px, gop=gop, b_frames=3, noise=0.4
        )
        for codec in arguments.codecs
        for gop in arguments.gops
    }
    if arguments.only_grid:
        return grid
    times_ms = np.cumsum([0] + [UNEVEN_STEPS_MS[k * k % 5] for k in range(149)]).tolist()
    small: dict[str, Any] = {"n_frames": 150, "size_px": (240, 320), "b_frames": 3}
    return grid | {
        "uneven.mp4": ClipSpec(**small, times_ms=times_ms),
        "uneven.mkv": ClipSpec(**small, times_ms=times_ms),
        "turned90.mp4": ClipSpec(**small, rotation=90),
        "turned180.mp4": ClipSpec(**small, rotation=180),
        "turned270.mp4": ClipSpec(**small, rotation=270),
        "with_sound.mp4": ClipSpec(**small, audio=True),
        "mpeg4_b_frames.avi": ClipSpec(**(small | {"codec": "mpeg4"})),
    }


def available(pythons: dict[str, str]) -> list[str]:
    """Return the decoders that can be imported, and say what cannot be."""
    names = []
    for name in DECODERS:
        if name == "decord2" and name not in pythons:
            print("decord2 is left out: give its interpreter with --python decord2=PATH.")
            continue
        command = [pythons.get(name, sys.executable), "-c", f"import {IMPORTS[name]}"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
        if ran.returncode:
            print(f"{name} is left out: {ran.stderr.strip().splitlines()[-1][:150]}")
        else:
            names.append(name)
    return names


def measure(path: Path, spec: ClipSpec, n: int, names: list[str], arguments: argparse.Namespace) -> None:
    pythons = dict(pair.split("=", 1) for pair in arguments.python)
    turns: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(arguments.repetitions):
        for name in names:
            turns[name].append(run(pythons.get(name, sys.executable), name, path, n, spec.n_frames))
    for name in names:
        failed = next((turn["error"] for turn in turns[name] if "error" in turn), None)
        if failed:
            print(f"| {path.name} | {n} | {name} | no: {failed} | | | | | |", flush=True)
            continue

        def middle(key: str, name: str = name) -> float:
            return statistics.median(turn[key] for turn in turns[name])

        def ratio(key: str, name: str = name) -> str:
            if "error" in turns["lavis"][0]:
                return ""
            return f"{statistics.median(a[key] / b[key] for a, b in zip(turns[name], turns['lavis'], strict=True)):.2f}"

        exact = "yes" if all(turn["exact"] for turn in turns[name]) else f"**no** (counts {turns[name][0]['count']})"
        print(
            f"| {path.name} | {n} | {name} | {exact} | {middle('s') * 1000:.0f} | {middle('cpu_s') * 1000:.0f} | "
            f"{ratio('s')} | {ratio('cpu_s')} | {middle('peak_mb'):.0f} |",
            flush=True,
        )


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        name, path, n, true_count = sys.argv[2:6]
        print(json.dumps(work(name, path, int(n), int(true_count))))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache-dir", type=Path, help="keep the clips here for the next run")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--size", type=int, nargs=2, default=(720, 1280), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--codecs", nargs="+", default=CODECS)
    parser.add_argument("--gops", nargs="+", type=int, default=GOPS)
    parser.add_argument("--frames", nargs="+", type=int, default=FRAMES)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--only-grid", action="store_true", help="leave out uneven rates, turned pictures and sound")
    parser.add_argument("--python", action="append", default=[], help="NAME=PATH of the interpreter for a decoder")
    arguments = parser.parse_args()
    names = available(dict(pair.split("=", 1) for pair in arguments.python))
    if "lavis" not in names:
        print("PyAV is not installed, and it makes the clips: pip install av.")
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.cache_dir or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print("\n| clip | frames | decoder | exact | ms | CPU ms | ms / lavis | CPU / lavis | peak MB |")
        print("|---|---|---|---|---|---|---|---|---|")
        for name, spec in cases(arguments).items():
            if not has_encoder(spec.codec):
                print(f"| {name} | | | PyAV carries no encoder {spec.codec} | | | | | |")
                continue
            height, width = arguments.size
            path = folder / f"{height}x{width}_{arguments.seconds:g}s_{name}"
            if not path.is_file():
                write_clip(path, spec)
            for n in arguments.frames:
                measure(path, spec, n, names, arguments)


if __name__ == "__main__":
    main()
