"""`lavis precompute`: experts look at every medium of a run; under torchrun, each rank at its share."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lavis.cli.launch import build_runner, read_options, status_of


def run(arguments: list[str]) -> int:
    """Fill the evidence store, and pack shards if a folder is named; returns the exit status of a run."""
    parser = argparse.ArgumentParser(
        prog="lavis precompute", description="Let experts look at the media of a run, ahead of it."
    )
    parser.add_argument("--shards", type=Path, metavar="FOLDER", help="pack the evidence into webdataset shards there")
    parser.add_argument(
        "--question-aware", action="store_true", help="also evidence that depends on a question's words"
    )
    options = read_options(parser, arguments)
    options.options.append("run.evaluate=true")

    def work() -> None:
        from lavis.runners.precompute import Precompute, without_reasoner

        runner = build_runner(options, change=without_reasoner)
        try:
            for shard in Precompute(runner, question_aware=options.question_aware).run(options.shards):
                sys.stdout.write(f"{shard}\n")
        finally:
            runner.model.close()

    return status_of(work)
