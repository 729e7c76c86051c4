"""How often a question-free expert looks, over SQA3D's real test questions: once a scene, on one rank and two.

    SQA3D_ROOT=/data/sqa3d python benchmarks/expert_calls.py

The expert writes a line to a file whenever it looks; the reasoner is scripted.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from runs import ROOT
from serving import run_served

ANNOTATION = "v1_balanced_questions_test_scannetv2.json"
PLUGIN = """
import os
from lavis.common.registry import registry
from lavis.experts import Expert, ExpertCard

@registry.register_expert("counted")
class Counted(Expert):
    card = ExpertCard(name="counted", modality="captions", skill="A3", summary="s", version="1")

    def write(self, captions):
        with open(os.environ["LOOKS"], "a") as file:
            file.write(captions[0].text + "\\n")
        return captions[0].text
"""


def main() -> None:
    """Measure and print."""
    root = Path(os.environ.get("SQA3D_ROOT") or ROOT.parent / "shared" / "data" / "sqa3d")
    if not (root / ANNOTATION).is_file():
        sys.exit(f"SQA3D's test questions are absent: set SQA3D_ROOT to the folder that holds {ANNOTATION}.")
    questions = json.loads((root / ANNOTATION).read_text())["questions"]
    scenes = sorted({question["scene_id"] for question in questions})
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "texts.json").write_text(json.dumps({scene: [scene] for scene in scenes}))
        (base / "counted_expert.py").write_text(PLUGIN)
        for ranks in (1, 2):
            os.environ["LOOKS"] = str(base / f"looks{ranks}.txt")
            options = [
                *("model.reasoner.type=scripted", "model.reasoner.mode=hash_choice", "model.selector.type=all"),
                *(f"run.plugins=[{base / 'counted_expert.py'}]", "model.experts=[counted]"),
                *("datasets.sqa3d.data_type=[captions]", "model.reasoner.max_connections=32"),
                f"datasets.sqa3d.build_info.captions.storage={base / 'texts.json'}",
            ]
            run_served(base, root, f"ranks{ranks}", options, ranks=ranks)
            looks = Counter(Path(os.environ["LOOKS"]).read_text().split())
            print(
                f"{len(questions)} questions on {len(scenes)} scenes, {ranks} rank(s): {looks.total()} looks at "
                f"{len(looks)} scenes, at most {max(looks.values())} at one"
            )


if __name__ == "__main__":
    main()
