"""Whether memory grows with the number of questions: resident memory while a run works, at 1,000 and at 100,000.

    python benchmarks/memory.py

What the parsed annotation takes (questions, and the one file that holds the texts about all media) is measured in a
process that reads both and does nothing else, and taken off.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runs import ROOT
from serving import CONFIG, SYNTHETIC, synthetic_root

SIZES = (1_000, 100_000)
OPTIONS = [
    *SYNTHETIC,
    "model.reasoner.type=scripted",
    "model.reasoner.default=wall",
    "model.reasoner.max_connections=32",
]
BUILD = """
import ctypes, gc, sys
from argparse import Namespace
from lavis.cli.launch import build_runner
from lavis.datasets.loaders.captions import CaptionsLoader
runner = build_runner(Namespace(cfg_path=sys.argv[1], options=sys.argv[2:]))
medium = next(runner.splits())[1].question(0).media
texts = CaptionsLoader().load(medium.sources["captions"], media_id=medium.media_id)
gc.collect()
ctypes.CDLL("libc.so.6").malloc_trim(0)
print([line for line in open("/proc/self/status") if line.startswith("VmRSS")][0].split()[1])
"""


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process in MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def built_mb(environment: dict[str, str]) -> float:
    """Return the resident memory once the data set is parsed and the model is built."""
    command = [sys.executable, "-c", BUILD, CONFIG, *OPTIONS, "run.evaluate=true"]
    printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    return int(printed.split()[-1]) * 1024 / 1e6


def working_mb(base: Path, n: int, environment: dict[str, str]) -> float:
    """Return the most resident memory from the first finished question to the end of the run, scores and report too."""
    command = [
        *(sys.executable, "evaluate.py", "--cfg-path", CONFIG, "--options"),
        *(f"run.output_dir={base / 'out'}", f"run.run_id=n{n}", *OPTIONS),
    ]
    journal = base / "out" / f"n{n}" / "answers" / "rank0.jsonl"
    most = 0.0
    with open(base / f"n{n}.log", "wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log)
    while process.poll() is None:
        if journal.exists() and journal.stat().st_size:
            most = max(most, rss_mb(process.pid))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit((base / f"n{n}.log").read_text()[-2000:])
    return most


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        left = {}
        for n in SIZES:
            root = synthetic_root(base, n)
            environment = {**os.environ, "SQA3D_ROOT": str(root), "LAVIS_CACHE": str(base / f"cache{n}")}
            environment["PYTHONWARNINGS"] = "ignore"
            built, working = built_mb(environment), working_mb(base, n, environment)
            left[n] = (built, working)
            print(f"{n} questions: {built:.0f} MB with the data set parsed, {working:.0f} MB at most while working")
        annotation = left[SIZES[1]][0] - left[SIZES[0]][0]
        ratio = (left[SIZES[1]][1] - annotation) / left[SIZES[0]][1]
        print(f"the annotation takes {annotation:.0f} MB; the rest at {SIZES[1]} / at {SIZES[0]}: {ratio:.3f}")


if __name__ == "__main__":
    main()
