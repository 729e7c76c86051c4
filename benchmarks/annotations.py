"""How long annotation files take to read and check, and what memory they hold: each in a process of its own.

Usage: python benchmarks/annotations.py FOLDER   (with sqa3d/ music_avqa/ nextqa/ mmau/ of published files)
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

FILES = {
    "MUSIC-AVQA test": ("musicavqa_mm", "music_avqa/avqa-test.json"),
    "NExT-QA val, csv": ("nextqa", "nextqa/val.csv"),
    "NExT-QA val, SeViLA": ("nextqa", "nextqa/sevila_val.json"),
    "SQA3D test, official pair": ("sqa3d", "sqa3d/v1_balanced_questions_test_scannetv2.json"),
    "SQA3D test, ScanQA form": ("sqa3d", "sqa3d/SQA_test.json"),
    "MMAU test-mini": ("mmau", "mmau/mmau-test-mini.json"),
}
READ = """
import json, resource, sys, time
from pathlib import Path
from lavis.common.registry import registry
read = registry.require("builder", sys.argv[1]).eval_dataset_cls.read_records
def resident_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
before = resident_mb()
start = time.perf_counter()
records = read([Path(sys.argv[2])])
print(json.dumps([len(records), time.perf_counter() - start, resident_mb(), before]))
"""
REPEATS = 3


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if folder is None or not folder.is_dir():
        print(__doc__)
        return
    print("| file | questions | s | s per 1,000 | peak MB of the process | of it before |")
    print("|---|---|---|---|---|---|")
    for name, (builder, file) in FILES.items():
        path = folder / file
        if not path.is_file():
            print(f"| {name} | not there: {path} | | | | |")
            continue
        runs = []
        for _ in range(REPEATS):
            words = [sys.executable, "-c", READ, builder, str(path)]
            ran = subprocess.run(words, capture_output=True, text=True, check=True)
            runs.append(json.loads(ran.stdout))
        n, seconds, peak_mb, before_mb = min(runs, key=lambda run: run[1])
        print(f"| {name} | {n:,} | {seconds:.3f} | {1000 * seconds / n:.3f} | {peak_mb:.0f} | {before_mb:.0f} |")


if __name__ == "__main__":
    main()
