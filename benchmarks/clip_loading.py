"""What it costs to load the clips of every question, against a loop that starts anew for each question.

    python benchmarks/clip_loading.py [--cache-dir FOLDER] [--media 4]

The loop lists the folder, sorts it, opens, decodes and resizes the frames again for each question (Pillow), or opens a
new decord reader and decodes the frames to that size (video). This package keeps a reader open for a medium (`reader`),
or asks a clip cache as a data set's items do (`cache`). Ratios are medians of alternating repetitions in one run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from media import ClipSpec, numbered, write_clip

from lavis.common.decoder import import_decord
from lavis.datasets.loaders.clip_cache import ClipCache
from lavis.datasets.loaders.decoders.video_file import resize
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.loaders.sampling import interval_midpoints
from lavis.datasets.question import Media

SIZE_PX = (224, 224)
PICTURE_PX = (480, 640)
N_PICTURES = 180
N_VIDEO_FRAMES = 750
# Questions a medium: a set with one, the average of NExT-QA's validation set, and of SQA3D's test set.
QUESTIONS = (1.0, 8.8, 52.0)
REPETITIONS = 3


def write_media(root: Path, n_media: int) -> tuple[list[Path], list[Path]]:
    """Write frame folders (180 JPEG of 640×480) and videos (30 s of 640×480 H.264), unless they are there."""
    folders, videos = [], []
    for number in range(n_media):
        folder, video = root / f"frames{number}", root / f"video{number}.mp4"
        if not folder.is_dir():
            folder.mkdir(parents=True)
            for frame in range(N_PICTURES):
                Image.fromarray(numbered(frame, PICTURE_PX, 0.5)).save(folder / f"{frame:05d}.jpg", quality=90)
        if not video.is_file():
            write_clip(video, ClipSpec(n_frames=N_VIDEO_FRAMES, size_px=PICTURE_PX, gop=250, b_frames=3, noise=0.3))
        folders.append(folder)
        videos.append(video)
    return folders, videos


def naive_frames(folder: Path, n: int) -> np.ndarray:
    names = sorted(name for name in os.listdir(folder) if name.endswith((".jpg", ".png")))
    size = SIZE_PX[::-1]
    pictures = []
    for index in interval_midpoints(len(names), n):
        with Image.open(folder / names[index]) as image:
            pictures.append(np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC)))
    return np.stack(pictures)


def naive_video(path: Path, n: int) -> np.ndarray:
    decord = import_decord()
    reader = decord.VideoReader(str(path), ctx=decord.cpu(0), height=SIZE_PX[0], width=SIZE_PX[1])
    return reader.get_batch(list(interval_midpoints(len(reader), n))).asnumpy()


def with_naive(load: Callable[[Path, int], np.ndarray], questions: list[Path], n: int) -> None:
    for path in questions:
        load(path, n)


def with_reader(modality: str, questions: list[Path], n: int) -> None:
    reader: MediaReader | None = None
    for path in questions:
        if reader is None or reader.media.sources[modality] != path:
            media = Media(path.name, {modality: path})
            reader = MediaReader(media, n_frames=n, modalities={modality: {"size_px": SIZE_PX}})
        reader.load(modality)


def with_cache(modality: str, questions: list[Path], n: int) -> None:
    cache = ClipCache(2**30)
    samplings = {}
    for path in questions:
        if path not in samplings:
            reader = MediaReader(
                Media(path.name, {modality: path}), n_frames=n, modalities={modality: {"size_px": SIZE_PX}}
            )
            samplings[path] = reader.sampling(), reader._loader(modality)
        sampling, loader = samplings[path]
        cache.load(path, loader, sampling, media_id=path.name)


def duration_s(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def row(modality: str, naive: Callable[[Path, int], np.ndarray], paths: list[Path], n: int, per_medium: float) -> None:
    """Time the three side by side, so that other work on the machine meets all of them."""
    n_questions = round(per_medium * len(paths))
    questions = sorted((paths[k % len(paths)] for k in range(n_questions)), key=paths.index)
    ways: dict[str, Callable[[], None]] = {
        "naive": lambda: with_naive(naive, questions, n),
        "reader": lambda: with_reader(modality, questions, n),
        "cache": lambda: with_cache(modality, questions, n),
    }
    repetitions = 1 if per_medium > 10 else REPETITIONS if per_medium > 1 else 3 * REPETITIONS
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repetitions):
        for name, work in ways.items():
            taken[name].append(duration_s(work))
    ratios = {
        name: statistics.median(a / b for a, b in zip(taken["naive"], taken[name], strict=True))
        for name in ("reader", "cache")
    }
    ms = statistics.median(taken["naive"]) / n_questions * 1000
    print(
        f"| {modality} | {n} | {per_medium:g} | {ms:.1f} | {ratios['reader']:.2f} | {ratios['cache']:.2f} |", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache-dir", type=Path, help="keep the media here for the next run")
    parser.add_argument("--media", type=int, default=4, help="how many of each kind")
    parser.add_argument("--questions", type=float, nargs="+", default=QUESTIONS, help="questions a medium")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folders, videos = write_media(arguments.cache_dir or Path(scratch), arguments.media)
        kinds = {"frame": (naive_frames, folders)}
        try:
            import_decord()
            kinds["video"] = (naive_video, videos)
        except ImportError:
            print("decord is not installed; there is no loop to compare videos with.")
        resize(np.zeros((8, 8, 3), np.uint8), (4, 4))  # imports torch, once per process
        n = 8
        ours = MediaReader(Media("m", {"frame": folders[0]}), n_frames=n, modalities={"frame": {"size_px": SIZE_PX}})
        apart = np.abs(ours.load("frame").array.astype(int) - naive_frames(folders[0], n)).max()
        print(f"frames differ from the loop's by at most {apart} of 255")
        print("\n| modality | frames | questions a medium | loop, ms a question | reader, times | cache, times |")
        print("|---|---|---|---|---|---|")
        for modality, (naive, paths) in kinds.items():
            for n in (4, 32):
                for per_medium in arguments.questions:
                    row(modality, naive, paths, n, per_medium)


if __name__ == "__main__":
    main()
