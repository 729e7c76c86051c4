"""How well selectors choose experts: F1 against the labels of 120 questions, and the time a question takes.

    python benchmarks/selection.py [--selectors rules similarity llm] [--model qwen2.5-coder-0.5b] [--experts registry]
    python benchmarks/selection.py --selectors llm --reasoner '{type: openai, base_url: "http://…/v1", model: …}'

The questions are written and labelled by this project (tests/models/mexa_models/selection_questions.json). Rules,
examples and thresholds were tuned on one half (``tune``); the other (``held_out``) is by the same hand.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from selection import Labelled, fits, labelled, registered, stand_ins

from lavis.common import event_loop
from lavis.common.options import checked_class
from lavis.datasets.question import Question
from lavis.experts import Expert
from lavis.models.mexa_models.selectors import Selector
from lavis.reasoners.base import Reasoner
from lavis.reasoners.scripted import ScriptedReasoner


def measure(
    name: str, selector: Selector, reasoner: Reasoner, questions: Sequence[Labelled], experts: Sequence[Expert]
) -> None:
    """Print the rows of one selector."""
    paths: dict[str, int] = {}

    def choose(question: Question, available: list[Expert]) -> Sequence[str]:
        selection = event_loop.run(selector.select(question, available, selector.reasoner or reasoner))
        paths[selection.schema_path] = paths.get(selection.schema_path, 0) + 1
        return selection.experts

    first = questions[0]
    choose(first.question, first.available(experts))  # what is loaded once is no question's time
    start = time.perf_counter()
    found = fits(questions, experts, choose)
    per_question_s = (time.perf_counter() - start) / len(questions)
    for group, fit in found.items():
        row = f"{fit.n} | {fit.f1:.3f} | {fit.precision:.3f} | {fit.recall:.3f}"
        print(f"| {name} | {group} | {row} | {f'{per_question_s:.4f}' if group == 'all' else ''} |")
    if set(paths) - {""}:
        print(f"replies of {name}: {paths}", file=sys.stderr)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--selectors", nargs="+", default=["all", "rules", "similarity"])
    parser.add_argument("--model", default="qwen2.5-coder-1.5b", help="of the embedded reasoner")
    parser.add_argument("--reasoner", help="{type: …, …} of another reasoner for llm")
    parser.add_argument("--experts", choices=("stand_ins", "registry"), default="stand_ins")
    parser.add_argument("--max-experts", type=int, default=4, help="of similarity and llm")
    parser.add_argument("--split", choices=("tune", "held_out"))
    parser.add_argument("--every", type=int, default=1, help="only every n-th question")
    arguments = parser.parse_args()
    node: dict[str, Any] = yaml.safe_load(arguments.reasoner or f"{{type: embedded, model: {arguments.model}}}")
    experts = stand_ins() if arguments.experts == "stand_ins" else registered()
    chosen = [one for one in labelled() if arguments.split in (None, one.split)][:: arguments.every]
    options: dict[str, dict[str, Any]] = {
        "similarity": {"max_experts": arguments.max_experts},
        "llm": {"max_experts": arguments.max_experts},
    }
    print("| selector | questions | n | F1 | precision | recall | s a question |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.selectors:
        cls, checked = checked_class("selector", {"type": name, **options.get(name, {})}, "selector")
        reasoner: Reasoner = ScriptedReasoner(default="nobody is asked")
        if name == "llm":
            reasoner_cls, reasoner_options = checked_class("reasoner", node, "--reasoner")
            reasoner = reasoner_cls(**reasoner_options)
        try:
            measure(name, cls(**checked), reasoner, chosen, experts)
        finally:
            reasoner.close()


if __name__ == "__main__":
    main()
