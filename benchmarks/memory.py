"""Whether memory grows with the number of questions: resident memory while a run works, at 1,000 and at 100,000.

    python benchmarks/memory.py

What the parsed annotation takes is what the run holds more of when its data set has just been parsed, and is taken off.
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


def rss_mb(pid: int) -> float:
    """Return the resident memory of a process in MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def resident_mb(base: Path, n: int) -> tuple[float, float]:
    """Return the resident memory of one run: once its data set is parsed, and at most from then to its end.

    Scores and report are part of the run.
    """
    environment = {
        **os.environ,
        "SQA3D_ROOT": str(synthetic_root(base, n)),
        "LAVIS_CACHE": str(base / f"cache{n}"),
        "PYTHONWARNINGS": "ignore",
    }
    command = [
        *(sys.executable, "evaluate.py", "--cfg-path", CONFIG, "--options"),
        *(f"run.output_dir={base / 'out'}", f"run.run_id=n{n}", *OPTIONS),
    ]
    log_path = base / f"n{n}.log"
    parsed = most = 0.0
    with open(log_path, "wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log)
        while process.poll() is None:
            # The folder is opened between building everything and the first question.
            if not parsed and b"] run folder" in log_path.read_bytes():
                parsed = rss_mb(process.pid)
            if parsed:
                most = max(most, rss_mb(process.pid))
            time.sleep(0.05 if parsed else 0.002)
    if process.returncode:
        raise SystemExit(log_path.read_text()[-2000:])
    return parsed, most


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        found = {n: resident_mb(Path(folder), n) for n in SIZES}
        for n, (parsed, most) in found.items():
            print(f"{n} questions: {parsed:.0f} MB with the data set parsed, {most:.0f} MB at most from then on")
        (few_parsed, few_most), (many_parsed, many_most) = (found[n] for n in SIZES)
        annotation = many_parsed - few_parsed
        print(f"the annotation takes {annotation:.0f} MB; the rest: {(many_most - annotation) / few_most:.3f}")


if __name__ == "__main__":
    main()
