"""What evidence is worth on real SQA3D test questions: human texts about the scenes against none.

    SQA3D_ROOT=… python benchmarks/sqa3d_evidence.py [--limit 120]

Questions are spread evenly over the test split. Nothing is kept between the two rows but the weights.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from runs import evaluate


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=120)
    parser.add_argument("--options", nargs="*", default=[])
    arguments = parser.parse_args()
    if not os.environ.get("SQA3D_ROOT"):
        raise SystemExit("Set SQA3D_ROOT to a folder with SQA3D's test files and nr3d_captions_by_scene.json.")
    common = [
        f"run.limit={arguments.limit}",
        "run.spread=true",
        "run.missing_media=record",
        "run.completion_cache=false",
    ]
    rows = {
        "texts of people (Nr3D)": ["model.selector.type=all", "model.experts=[captions]"],
        "no evidence": ["model.selector.type=none", "model.experts=[captions]"],
    }
    print("| evidence | n | answered | exact_match | em_refined | s a question |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, options) in enumerate(rows.items()):
            ran = evaluate(
                "projects/mexa/eval/sqa3d.yaml",
                Path(folder) / "out",
                f"row{number}",
                [*common, f"run.evidence_dir={folder}/kept", *options, *arguments.options],
            )
            test = ran.split
            print(
                f"| {name} | {test['n']} | {test['answered']} | {test['exact_match']:.1f} | {test['em_refined']:.1f} "
                f"| {ran.metrics['timing']['wall_s'] / test['n']:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
