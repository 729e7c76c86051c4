"""Small SQA3D roots on disk, and evaluate.py started on them as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "projects/mexa/eval/sqa3d.yaml"
N_SCENES = 5
SCENE_QUESTIONS = 6
WORDS = ("left", "right", "yes", "no", "two", "brown", "chair", "table")


def write_root(root: Path, *, n_scenes: int = N_SCENES, scene_questions: int = SCENE_QUESTIONS) -> Path:
    """Write questions in ScanQA form, texts about every scene, and a vocabulary."""
    root.mkdir(parents=True)
    rows, texts = [], {}
    for scene_number in range(n_scenes):
        scene = f"scene{scene_number:04d}_00"
        texts[scene] = [{"object": word, "caption": f"the {word} of room {scene_number}"} for word in WORDS]
        for number in range(scene_questions):
            rows.append(
                {
                    "scene_id": scene,
                    "situation": f"I stand at spot {number}.",
                    "question": f"What is number {number} in room {scene_number}?",
                    "question_id": 1000 * scene_number + number,
                    "answers": [WORDS[(scene_number + number) % len(WORDS)]],
                }
            )
    (root / "questions.json").write_text(json.dumps(rows))
    (root / "nr3d_captions_by_scene.json").write_text(json.dumps(texts))
    (root / "answer_dict.json").write_text(json.dumps([dict(zip(WORDS, range(len(WORDS)), strict=True)), {}]))
    return root


def options(output_dir: Path, run_id: str, *more: str) -> list[str]:
    """Return evaluate.py's options for a scripted run on such a root."""
    return [
        "model.reasoner.type=scripted",
        "model.reasoner.mode=hash_choice",
        "model.experts=[captions]",
        "datasets.sqa3d.build_info.annotations.test.storage=questions.json",
        f"run.output_dir={output_dir}",
        f"run.run_id={run_id}",
        *more,
    ]


def server_options(output_dir: Path, run_id: str, url: str, *more: str) -> list[str]:
    """Return evaluate.py's options for a run on such a root that asks a local server (lrm_server)."""
    return [
        *(option for option in options(output_dir, run_id) if not option.startswith("model.reasoner")),
        *("model.reasoner.type=openai", "model.reasoner.model=m", "model.reasoner.api_key_env=null"),
        *(f"model.reasoner.base_url={url}", "model.reasoner.retry_base_s=0.05"),
        *more,
    ]


def environment(root: Path, cache: Path, **more: str) -> dict[str, str]:
    """Return the environment of such a run: its data, its own cache, one thread a process."""
    return {
        **os.environ,
        "SQA3D_ROOT": str(root),
        "LAVIS_CACHE": str(cache),
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        **more,
    }


def command(opts: list[str], *, ranks: int = 1, config: str = CONFIG, torchrun: tuple[str, ...] = ()) -> list[str]:
    """Return the command line: plain Python for one rank, torchrun for several, with further words for it."""
    launcher = [sys.executable]
    if ranks > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}", *torchrun]
    return [*launcher, "evaluate.py", "--cfg-path", config, "--options", *opts]


def run(
    opts: list[str], env: dict[str, str], *, ranks: int = 1, config: str = CONFIG
) -> subprocess.CompletedProcess[str]:
    """Run to the end and return what it printed."""
    return subprocess.run(
        command(opts, ranks=ranks, config=config),
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def journaled(folder: Path) -> list[dict[str, Any]]:
    """Return every whole line of a run's journals, rank by rank."""
    return [
        json.loads(line)
        for path in sorted((folder / "answers").glob("rank*.jsonl"))
        for line in path.read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n")
    ]


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str], *, seconds: float = 120.0) -> None:
    """Wait for something to become true while a process runs."""
    deadline = time.monotonic() + seconds
    while not true():
        if process.poll() is not None or time.monotonic() > deadline:
            status = process.poll()
            ended(process, seconds=0.0)
            raise AssertionError(f"it did not happen; exit status {status}")
        time.sleep(0.02)


def ended(process: subprocess.Popen[str], *, seconds: float = 60.0) -> int | None:
    """Return a process's exit status; one that does not end by itself is ended, ranks and all, and has none."""
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.terminate()
    try:
        process.wait(timeout=40.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return None


def metrics(folder: Path) -> dict[str, Any]:
    """Return a run's metrics without its timing."""
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    found.pop("timing")
    return found
