"""How soon a run with 100,000 journaled answers makes its first new call.

    python benchmarks/resume.py

The journal is written by the package's own journal with answers as long as real ones; then 64 questions are left.
The time counts from the opening of the run folder to the first call at the server, without Python's imports and
the parsing of the annotation, which a fresh run has too; the whole start is printed beside it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runs import ROOT
from serving import CONFIG, SYNTHETIC, reasoner_options, synthetic_root

from lavis.store import Journal

from lrm_server import running  # isort: skip

N, LEFT = 100_064, 64


def fill(folder: Path, questions: list[dict[str, object]]) -> None:
    """Journal an answer of about 4 kB for every question but the last."""
    journal = Journal(folder, 0)
    report = " ".join(f"object {k} is {k % 7} m to the left of the wall" for k in range(80))
    usage = {"input_tokens": 900, "output_tokens": 12, "cached_tokens": 0, "usd": None}
    done = None
    for question in questions:
        answer = {
            "text": "wall",
            "status": "answered",
            "selection": {"experts": ["captions"], "reason": "all", "occasional": [], "usage": usage},
            "evidence": [{"expert": "captions", "media_id": question["scene_id"], "text": report, "version": "1"}],
            "completion": {"text": "Answer: wall", "usage": usage, "model": "local", "latency_s": 0.2},
        }
        head = {"key": f"test:{question['question_id']}", "status": "answered", "tokens": 912, "usd": None}
        done = journal.submit({**head, "answer": answer, "rank": 0, "finished_at": "2026-01-01T00:00:00+00:00"})
    if done is not None:
        done.result()
    journal.close()


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, running() as server:
        base = Path(folder)
        root = synthetic_root(base, N)
        questions = json.loads((root / "questions.json").read_text())
        options = [*SYNTHETIC, *reasoner_options(server, 64)]
        command = [
            *(sys.executable, "evaluate.py", "--cfg-path", CONFIG, "--options"),
            *(f"run.output_dir={base / 'out'}", "run.run_id=resumed", *options),
        ]
        fill(base / "out" / "resumed" / "answers", questions[:-LEFT])
        size_mb = sum(path.stat().st_size for path in (base / "out").rglob("*.jsonl")) / 1e6
        environment = {"SQA3D_ROOT": str(root), "LAVIS_CACHE": str(base / "cache"), "PYTHONWARNINGS": "ignore"}
        start = time.monotonic()
        process = subprocess.Popen(
            ["env", *(f"{name}={value}" for name, value in environment.items()), *command],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        opened = None
        while opened is None and (line := process.stderr.readline()):
            opened = time.monotonic() if re.search(r"run folder .* rank", line) else None
        while opened is not None and server.stats()["calls"] == 0 and process.poll() is None:
            time.sleep(0.01)
        called = time.monotonic()
        process.kill()
        process.wait()
        if opened is None or server.stats()["calls"] == 0:
            raise SystemExit("the run ended before its first call")
        print(f"{N - LEFT} answers journaled ({size_mb:.0f} MB), {LEFT} left")
        print(f"from the open run folder to the first new call: {called - opened:.2f} s")
        print(f"from the command to the first new call: {called - start:.1f} s")


if __name__ == "__main__":
    main()
