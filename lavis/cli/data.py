"""`lavis data`: what of a benchmark is here, and cutting the clips that two of them ask about."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

from lavis.common.registry import import_place
from lavis.datasets.check import SplitReport

# subcommand → function that takes the arguments after it
WORK = {"check": "lavis.cli.data:check", "prepare": "lavis.datasets.prepare.command:run"}
USAGE = """usage: lavis data check NAME [--root DIR] [--split SPLIT ...] [--json]
       lavis data prepare touchqa|thermalqa --root DIR [...]

check    say what is there, what is missing of each modality, and how many questions that leaves
prepare  cut and decode the clips that the questions are about
"""


def run(arguments: list[str]) -> int:
    """Hand the rest of the line to the subcommand."""
    name, *rest = arguments or ["--help"]
    if name in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return 0
    if name not in WORK:
        sys.stderr.write(f"lavis data: no command {name!r}\n\n{USAGE}")
        return 2
    work: Callable[[list[str]], int] = import_place(WORK[name])
    return work(rest)


def check(arguments: list[str]) -> int:
    """Print what is there; the status is 0 if some split can be asked, else 1."""
    parser = argparse.ArgumentParser(prog="lavis data check", description="What of a benchmark lies on this machine.")
    parser.add_argument("name", help="the data set, as `lavis list builder` names it")
    parser.add_argument("--root", type=Path, help="the folder that holds it; default: its environment variable")
    parser.add_argument("--split", action="append", help="look at this split only; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    from lavis.datasets.check import check_benchmark

    splits = check_benchmark(given.name, given.root, given.split)
    if given.json:
        shown = {split: dataclasses.asdict(report) for split, report in splits.items()}
        sys.stdout.write(json.dumps(shown, indent=2, ensure_ascii=False) + "\n")
    else:
        for split, report in splits.items():
            sys.stdout.write(_shown(given.name, split, report))
    return 0 if any(not report.problem for report in splits.values()) else 1


def _shown(name: str, split: str, report: SplitReport) -> str:
    if report.problem:
        return f"{name} {split}: {report.problem}\n\n"
    lines = [f"{name} {split}: {report.questions:,} questions on {report.media:,} media ({', '.join(report.files)})"]
    width = max(map(len, report.modalities), default=0)
    for modality, found in report.modalities.items():
        lines.append(
            f"  {modality:<{width}}  {found.media:>7,} of {report.media:,} media, {found.questions:>7,} questions"
            f"  {found.storage}"
        )
        lines += (
            [f"  {'':<{width}}  missing: {', '.join(found.missing[:2])} …"] if found.media and found.missing else []
        )
    lines.append(
        f"  {report.served:,} questions have something to look at, {report.complete:,} every modality that is here; "
        f"{report.questions - report.served:,} would be answered from nothing with "
        f"run.missing_media: record, and recorded as failed with fail."
    )
    return "\n".join(lines) + "\n\n"
