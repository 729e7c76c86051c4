"""What each expert is worth on the project's sample: all, each left out, none.

python benchmarks/sample_experts.py [--options model.reasoner.model=qwen2.5-coder-0.5b]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from runs import evaluate

EXPERTS = {
    "scene3d": "{name: scene3d, clock: false}",
    "frames": "frames",
    "depth": "depth",
    "flow": "flow",
    "normals": "normals",
}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--options", nargs="*", default=[])
    parser.add_argument("--kept", help="folder of kept evidence and completions; by default a new one")
    arguments = parser.parse_args()
    rows = {"all experts": tuple(EXPERTS.values())}
    rows |= {f"without {name}": tuple(EXPERTS[other] for other in EXPERTS if other != name) for name in EXPERTS}
    print("| experts | n | answered | unparsed | failed | exact_match | em_refined |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, experts) in enumerate({**rows, "none": ()}.items()):
            options = [f"model.experts=[{','.join(experts)}]", f"run.evidence_dir={arguments.kept or folder}"]
            options.append("model.selector.type=rules" if experts else "model.selector.type=none")
            ran = evaluate(
                "projects/mexa/eval/sqa3d_sample.yaml",
                Path(folder) / "out",
                f"row{number}",
                [*options, *arguments.options],
            )
            test = ran.split
            print(
                f"| {name} | {test['n']} | {test['answered']} | {test['unparsed']} | {test['failed']} "
                f"| {test['exact_match']:.1f} | {test['em_refined']:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
