"""How many looks a second run makes when one thing changed: on the sample in SQA3D's formats, every look counted.

    python benchmarks/evidence_reuse.py [--limit 48]

The reasoner is scripted and every run is evaluate.py's runner in this process, with one folder of kept evidence.
A look is counted when `Expert.look` is called, by expert; whatever lies in the store is not looked at.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from runs import ROOT

from lavis.cli import launch
from lavis.common.registry import registry
from lavis.datasets.sample import build_sample
from lavis.experts import Expert
from lavis.experts.flow import FlowExpert

CONFIG = "projects/mexa/eval/sqa3d_sample.yaml"
FREE = ("scene3d", "inventory", "frames", "depth", "flow", "normals")
AWARE = "told_question"


@registry.register_expert(AWARE)
class ToldQuestion(Expert):
    """Counts the objects that a question names: a question-aware expert on the sample's instances."""

    card = dataclasses.replace(
        registry.require("expert", "inventory").card, name=AWARE, question_aware=True, companions=(), version="1"
    )

    def __init__(self, *, exact: bool = False) -> None:
        self.exact = exact

    def write(self, instances: Any, *, question: Any) -> str:
        """Return how many objects bear a label that stands in the question."""
        words = question.text.lower() if not self.exact else question.text
        named = [one.label for one in instances if one.label in words]
        return f"{len(named)} objects that the question names: {', '.join(sorted(set(named))) or 'none'}."


@contextlib.contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count the looks of every expert."""
    looks: Counter[str] = Counter()
    look = Expert.look

    def watched(self: Expert, *given: Any, **limits: Any) -> Any:
        looks[self.card.name] += 1
        return look(self, *given, **limits)

    setattr(Expert, "look", watched)  # noqa: B010 - mypy takes no method that is assigned
    try:
        yield looks
    finally:
        setattr(Expert, "look", look)  # noqa: B010


@contextlib.contextmanager
def newer(expert: type[Expert]) -> Iterator[None]:
    """Give an expert's card another version."""
    card = expert.card
    expert.card = dataclasses.replace(card, version=f"{card.version}-changed")
    try:
        yield
    finally:
        expert.card = card


def run(base: Path, run_id: str, limit: int, *, experts: list[str], more: tuple[str, ...] = ()) -> Counter[str]:
    """Run to the end and return the looks."""
    options = [
        *("model.reasoner.type=scripted", "model.reasoner.mode=hash_choice", "model.selector.type=all"),
        *(f"model.experts=[{','.join(experts)}]", f"run.evidence_dir={base / 'kept'}", f"run.output_dir={base}"),
        *(f"run.run_id={run_id}", f"run.limit={limit}", "run.spread=true", "run.completion_cache=false", *more),
    ]
    with counted() as looks, contextlib.redirect_stderr(io.StringIO()):
        status = launch.main(
            ["--cfg-path", CONFIG, "--options", *options],
            description="",
            run=lambda runner: runner.evaluate(),
            evaluate=True,
        )
    if status:
        raise SystemExit(f"run {run_id} ended with status {status}")
    return looks


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=48, help="questions, spread over the sample")
    limit = parser.parse_args().limit
    os.chdir(ROOT)
    build_sample()
    logging.disable(logging.WARNING)
    names = [*FREE, AWARE]
    changed_option = [*(name for name in names if name != "depth"), "{name: depth, max_views: 2}"]
    changed_aware = [*FREE, f"{{name: {AWARE}, exact: true}}"]
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        rows: list[tuple[str, Callable[[str], Counter[str]]]] = [
            ("first run", lambda run_id: run(base, run_id, limit, experts=names)),
            ("nothing changed", lambda run_id: run(base, run_id, limit, experts=names)),
            ("flow: another version", lambda run_id: _newer_run(base, run_id, limit, names)),
            ("depth: max_views=2", lambda run_id: run(base, run_id, limit, experts=changed_option)),
            (f"{AWARE}: exact=true", lambda run_id: run(base, run_id, limit, experts=changed_aware)),
            (
                "norm's loader: rate_hz=4",
                lambda run_id: run(
                    base, run_id, limit, experts=names, more=("datasets.sqa3d.build_info.norm.rate_hz=4",)
                ),
            ),
            (
                "reading.n_frames=4",
                lambda run_id: run(base, run_id, limit, experts=names, more=("model.reading.n_frames=4",)),
            ),
        ]
        print(f"{limit} questions of the sample, looks by expert:")
        print(f"| run | {' | '.join(names)} |")
        print(f"|---{'|---' * len(names)}|")
        for number, (what, make) in enumerate(rows):
            looks = make(f"run{number}")
            print(f"| {what} | {' | '.join(str(looks[name]) for name in names)} |", flush=True)


def _newer_run(base: Path, run_id: str, limit: int, names: list[str]) -> Counter[str]:
    with newer(FlowExpert):
        return run(base, run_id, limit, experts=names)


if __name__ == "__main__":
    main()
