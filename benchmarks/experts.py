"""What every embedded expert takes: from nothing to its first evidence, and per medium once it is warm.

    python benchmarks/experts.py [--experts depth ocr …] [--repeats 1]

Media are the project's own: its samples, drawn pictures, rendered pages and synthesised sounds; the speech is the
recording of the weights list, in stretches of 10 s. Each expert runs in a process of its own. "Start" is what the first
evidence takes from before the first import on, less a warm look; "warm" is the median over the
other media, each looked at once and read from disk. CPU is over all cores, and counts where others use the machine too.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from runs import ROOT

sys.path.insert(0, str(ROOT / "tests" / "support"))

ROOMS = tuple(f"sample000{number}_00" for number in range(8))
N_MADE = 6
LOOKING = """
import pickle, sys, time
wall, cpu = time.perf_counter(), time.process_time()
from lavis.common.registry import registry
from lavis.datasets.loaders.reader import MediaReader
expert = registry.require("expert", sys.argv[1])()
asked, options = pickle.load(open(sys.argv[2], "rb"))
rows = []
for number in (0, *range(1, len(asked)), 0):
    if rows:
        wall, cpu = time.perf_counter(), time.process_time()
    text = expert.look(asked[number], MediaReader(asked[number].media, n_frames=8, modalities=options)).text
    rows.append((time.perf_counter() - wall, time.process_time() - cpu, len(text)))
import json
print(json.dumps(rows))
"""
Asked = tuple[list[Any], dict[str, dict[str, Any]]]


def sample(name: str, media: tuple[str, ...]) -> Asked:
    """Return a question on each of some media of a sample, with how they are read."""
    from lavis.datasets.question import Question
    from lavis.datasets.sample_medium import sample_medium

    found = [sample_medium(name, medium=medium) for medium in media]
    asked = [Question("q", "What is left of me?", one.media, situation=one.situation) for one in found]
    return asked, {modality: dict(options) for modality, options in found[0].loader_options.items()}


def made(modality: str, paths: list[Path], text: str = "What is it?") -> Asked:
    """Return a question on each of some files."""
    from lavis.datasets.question import Media, Question

    return [Question("q", text, Media(path.stem, {modality: path})) for path in paths], {}


def captions(folder: Path) -> Asked:
    """Forty texts a scene."""
    texts = {f"scene{n}": [f"the {k}th chair of room {n} is brown" for k in range(40)] for n in range(N_MADE)}
    (folder / "captions.json").write_text(json.dumps(texts))
    from lavis.datasets.question import Media, Question

    media = [Media(scene, {"captions": folder / "captions.json"}) for scene in texts]
    return [Question("q", "What colour is the chair?", one) for one in media], {}


def subtitles(folder: Path) -> Asked:
    """Three hundred cues a film."""
    paths = []
    for n in range(N_MADE):
        cues = [
            f"{k + 1}\n00:{k // 12:02}:{k % 12 * 5:02},000 --> 00:{k // 12:02}:{k % 12 * 5 + 4:02},000\n"
            f"Line {k} of {n}.\n"
            for k in range(300)
        ]
        paths.append(folder / f"film{n}.srt")
        paths[-1].write_text("\n".join(cues))
    return made("subtitles", paths, "What is said in line 200?")


def music(folder: Path) -> Asked:
    """Strings, drums and a flute-like tone of 5 to 8 s."""
    from performances import RATE_HZ, drums, flute, guitar
    from sounds import write_sound

    played = [guitar(), drums(), flute(), guitar(root=45), drums(beats_per_minute=90), flute(root=72)]
    return made("audio", [write_sound(folder / f"music{n}.wav", one[None], RATE_HZ) for n, one in enumerate(played)])


def speech(folder: Path) -> Asked:
    """Cut a man's reading into stretches of 10 s."""
    from sounds import write_sound

    from lavis.common.weights import weights_path
    from lavis.datasets.loaders.audio import AudioLoader

    whole = weights_path("speech_two_cities")
    paths = []
    for n in range(4):
        clip = AudioLoader(start_s=10.0 * n, end_s=10.0 * n + 10).load(whole, media_id="speech")
        paths.append(write_sound(folder / f"speech{n}.wav", clip.array[None], 16_000))
    return made("audio", paths, "What is said?")


def pictures(folder: Path) -> Asked:
    """Eight frames a film, each a slide of a title and three lines."""
    from drawings import drawn
    from PIL import Image

    films = []
    for n in range(N_MADE):
        films.append(folder / f"film{n}")
        films[-1].mkdir()
        for k in range(8):
            body = [(f"- line {line} of slide {k // 4} in film {n}", 60, 110 + 50 * line, 24) for line in range(3)]
            slide = drawn((640, 400), [(f"Chapter {n}.{k // 4}", 40, 20, 46), *body])
            Image.fromarray(slide).save(films[-1] / f"{k:04d}.png")
    return made("frame", films, "What does it say?")


def pages(folder: Path) -> Asked:
    """Print scans, two pages a document, without a text layer."""
    from drawings import drawn
    from PIL import Image

    paths = []
    for n in range(N_MADE):
        lines = [[(f"Line {k} of page {p}, document {n}", 40, 60 + 40 * k, 24) for k in range(12)] for p in range(2)]
        scans = [Image.fromarray(drawn((600, 800), one)) for one in lines]
        paths.append(folder / f"document{n}.pdf")
        scans[0].save(paths[-1], save_all=True, append_images=scans[1:], resolution=100)
    return made("page", paths, "What is in line 7?")


def charts(folder: Path) -> Asked:
    """Bars over a scale from 0 to 40."""
    from PIL import Image, ImageDraw, ImageFont

    paths = []
    for n in range(N_MADE):
        image = Image.new("RGB", (640, 480), "white")
        draw = ImageDraw.Draw(image)
        font = ImageFont.load_default(size=18)
        for k in range(5):
            draw.text((78, 400 - 80 * k), str(10 * k), fill="black", font=font, anchor="rm")
        draw.line((88, 60, 88, 401, 600, 401), fill="black")
        for k, name in enumerate(("Apples", "Pears", "Plums")):
            left = 140 + 150 * k
            draw.rectangle((left, 400 - 30 * (k + 1) - 20 * n, left + 60, 400), fill=(200, 40, 40))
            draw.text((left + 30, 424), name, fill="black", font=font, anchor="mm")
        paths.append(folder / f"chart{n}.png")
        image.save(paths[-1])
    return made("chart", paths, "Which is highest?")


def tables(folder: Path) -> Asked:
    """Write a thousand rows of four columns."""
    paths = []
    for n in range(N_MADE):
        paths.append(folder / f"table{n}.csv")
        with paths[-1].open("w", newline="", encoding="utf-8") as stream:
            rows = [[f"item {k}", k * n, k / 10, "A" if k % 3 else "B"] for k in range(1000)]
            csv.writer(stream).writerows([["name", "amount", "share", "kind"], *rows])
    return made("table", paths, "What is the amount of item 700?")


Maker = Callable[[Path], Asked]
BY_MODALITY: dict[str, Maker] = {
    **dict.fromkeys(("frame", "depth", "norm", "flow", "instances"), lambda _: sample("sqa3d", ROOMS)),
    "touch": lambda _: sample("touchqa", ("0", "1", "2", "3")),
    "thermal": lambda _: sample("thermalqa", ("0", "1", "2", "3")),
    **{"captions": captions, "subtitles": subtitles, "audio": music, "page": pages, "chart": charts, "table": tables},
}
# Experts whose time depends on there being what they look for.
BY_NAME: dict[str, Maker] = {"speech": speech, "ocr": pictures, "slides": pictures}


def measured(name: str, modality: str, folder: Path) -> str:
    """Return an expert's row of the table."""
    folder.mkdir()
    asked, options = BY_NAME.get(name, BY_MODALITY[modality])(folder)
    stored = folder / "asked.pickle"
    stored.write_bytes(pickle.dumps((asked, options)))
    ran = subprocess.run(
        [sys.executable, "-c", LOOKING, name, str(stored)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        return f"| {name} | {modality} | {len(asked)} | failed: {ran.stderr.strip().splitlines()[-1][:120]} | | | | |"
    rows = json.loads(ran.stdout.splitlines()[-1])
    first, *others, again = rows
    wall_s, cpu_s, n_chars = (statistics.median(column) for column in zip(*others, strict=True))
    # What an expert remembers of a medium it is not given again: then the others stand for it.
    start = [one - max(same, warm) for one, same, warm in zip(first[:2], again[:2], (wall_s, cpu_s), strict=True)]
    times = " | ".join(f"{one:.3f}" for one in (*start, wall_s, cpu_s))
    return f"| {name} | {modality} | {len(others)} | {times} | {n_chars:.0f} |"


def embedded() -> dict[str, str]:
    """Return the experts that work here without a model being named, with what they look at."""
    from lavis.common.registry import registry

    found = {name: registry.require("expert", name) for name in registry.list_names("expert")}
    return {name: one.card.modality for name, one in found.items() if not one.lacks({}) and one.card.cost != "served"}


def load() -> str:
    """Return the machine's load averages."""
    return ", ".join(f"{one:.1f}" for one in os.getloadavg())


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experts", nargs="*", metavar="NAME", help="default: every embedded one")
    arguments = parser.parse_args()
    there = embedded()
    if unknown := sorted(set(arguments.experts or ()) - set(there)):
        parser.error(f"not embedded: {', '.join(unknown)}; there: {', '.join(there)}")
    print(f"{os.cpu_count()} cores, numpy {np.__version__}; load averages at the start: {load()}")
    print("| expert | looks at | n | start wall, s | start CPU, s | warm wall, s | warm CPU, s | characters |")
    print("|---|---|---|---|---|---|---|---|")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.experts or there:
            print(measured(name, there[name], Path(folder) / name), flush=True)
    print(f"load averages at the end: {load()}; {time.perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
