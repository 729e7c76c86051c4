"""What the benchmarks share: start evaluate.py as a user would, and read what it left."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]


@dataclasses.dataclass(frozen=True)
class Ran:
    """One finished run: wall time in s, peak memory in MB (10^6 bytes) and its metrics."""

    wall_s: float
    peak_mb: float
    metrics: dict[str, Any]
    folder: Path

    @property
    def split(self) -> dict[str, Any]:
        """The metrics of the test split."""
        scores: dict[str, Any] = self.metrics["test"]
        return scores


def evaluate(
    config: str, output_dir: Path, run_id: str, options: list[str], *, environment: dict[str, str] | None = None
) -> Ran:
    """Run ``evaluate.py --cfg-path config --options …`` to its end."""
    command = [
        *(sys.executable, "evaluate.py", "--cfg-path", config, "--options"),
        *(f"run.output_dir={output_dir}", f"run.run_id={run_id}", *options),
    ]
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **(environment or {})})
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command)} ended with status {status}")
    metrics = json.loads((output_dir / run_id / "metrics.json").read_text())
    return Ran(wall_s, usage.ru_maxrss * 1024 / 1e6, metrics, output_dir / run_id)
