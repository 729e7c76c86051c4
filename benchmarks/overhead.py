"""What the package itself costs: import time, overhead per question, memory, and files opened with a warm store.

    python benchmarks/overhead.py

Questions are synthetic, in SQA3D's ScanQA form; the reasoner is scripted and takes no time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from runs import ROOT, evaluate

SCENE_QUESTIONS = 50
OPTIONS = [
    "model.reasoner.type=scripted",
    "model.reasoner.default=wall",
    "model.experts=[captions]",
    "model.selector.type=all",
    "datasets.sqa3d.data_type=[captions]",
    "datasets.sqa3d.build_info.annotations.test.storage=questions.json",
    "datasets.sqa3d.build_info.answer_vocabulary.storage=null",
    "run.completion_cache=false",
]


def write_questions(root: Path, n: int) -> None:
    """Write n questions over n / 50 scenes, and 20 texts per scene."""
    scenes = [f"scene{number:05d}_00" for number in range(-(-n // SCENE_QUESTIONS))]
    texts = {scene: [f"object {k} of {scene} is near the wall" for k in range(20)] for scene in scenes}
    questions = [
        {
            "scene_id": scenes[number // SCENE_QUESTIONS],
            "situation": "I am standing by the desk facing the window.",
            "question": f"What is object {number % 20} near?",
            "question_id": number,
            "answers": ["wall"],
        }
        for number in range(n)
    ]
    root.mkdir(parents=True)
    (root / "questions.json").write_text(json.dumps(questions))
    (root / "nr3d_captions_by_scene.json").write_text(json.dumps(texts))


def import_time_s() -> tuple[float, list[str]]:
    """Return the best of five fresh processes, and heavy modules that the import brought."""
    code = (
        "import time; t = time.perf_counter(); import lavis; d = time.perf_counter() - t; import sys;"
        "print(d, *[m for m in ('torch', 'transformers', 'cv2', 'numpy', 'omegaconf') if m in sys.modules])"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(5)
    ]
    return min(float(words[0]) for words in found), found[0][1:]


def main() -> None:
    """Measure and print a table."""
    seconds, heavy = import_time_s()
    print(f"import lavis: {seconds * 1000:.0f} ms; heavy modules in sys.modules: {heavy or 'none'}")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        peaks = {}
        for n in (1_000, 10_000):
            root = base / f"root{n}"
            write_questions(root, n)
            environment = {"SQA3D_ROOT": str(root), "LAVIS_CACHE": str(base / f"cache{n}")}
            config = "projects/mexa/eval/sqa3d.yaml"
            cold = evaluate(config, base / "out", f"cold{n}", OPTIONS, environment=environment)
            warm = evaluate(config, base / "out", f"warm{n}", OPTIONS, environment=environment)
            peaks[n] = warm.peak_mb
            for name, ran in (("cold store", cold), ("warm store", warm)):
                loop_ms = ran.metrics["timing"]["wall_s"] * 1000 / n
                print(f"{n} questions, {name}: {loop_ms:.2f} ms a question, peak memory {ran.peak_mb:.0f} MB")
        print(f"peak memory at 10,000 / at 1,000 questions: {peaks[10_000] / peaks[1_000]:.3f}")


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
