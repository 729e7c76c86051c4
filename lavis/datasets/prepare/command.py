"""`lavis data prepare touchqa|thermalqa`: the clips and frames of each question."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lavis.datasets.prepare.benchmarks import BENCHMARKS, UNITS
from lavis.extract.frames import check_quality
from lavis.extract.resample import KEYS, as_fps, check_rule


def run(arguments: list[str]) -> int:
    """Prepare a benchmark; returns 1 if any question failed."""
    options = _parser().parse_args(arguments)
    from lavis.datasets.prepare.cuts import CutSettings
    from lavis.datasets.prepare.work import prepare

    settings = CutSettings(
        fps=as_fps(options.fps),
        rule=check_rule(options.fps_rule),
        quality=check_quality(options.quality),
        clips=options.clips,
    )
    done = prepare(
        options.benchmark,
        BENCHMARKS[options.benchmark],
        options.root.absolute(),
        unit=options.unit,
        settings=settings,
        annotations=options.annotations,
        n_workers=options.workers,
    )
    sys.stdout.write(
        f"{options.root}: {done.done} questions prepared, {done.kept} kept, {done.failed} failed"
        f"{', see failures.jsonl' if done.failed else ''}\n"
    )
    return 1 if done.failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lavis data prepare",
        description="Cut the clip of each question out of its recording and take its frames. Started again, it goes "
        "on where it was stopped.",
    )
    units = ", ".join(f"{name} {benchmark.unit}" for name, benchmark in BENCHMARKS.items())
    parser.add_argument("benchmark", choices=BENCHMARKS)
    parser.add_argument("--root", type=Path, required=True, metavar="FOLDER", help="recordings; clips go here too")
    parser.add_argument("--annotations", type=Path, metavar="FOLDER", help="of the annotation files (default: root)")
    parser.add_argument("--unit", choices=UNITS, help=f"what start and end count (default: {units})")
    parser.add_argument("--fps", default="3", metavar="HZ", help="frames per s (3)")
    parser.add_argument("--fps-rule", choices=KEYS, default="shown", help="which frame stands for a time (shown)")
    parser.add_argument("--quality", type=int, default=95, metavar="1-100", help="of JPEG (95)")
    parser.add_argument("--clips", action=argparse.BooleanOptionalAction, default=True, help="make mp4 clips (default)")
    parser.add_argument("--workers", type=_above_0, default=1, metavar="N", help="processes (1)")
    return parser


def _above_0(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number above 0")
    return int(text)
