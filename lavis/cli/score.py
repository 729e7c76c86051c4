"""`lavis score`: score a run's answers anew, or another system's predictions."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lavis.common.errors import ConfigError, LavisError
from lavis.common.registry import registry

if TYPE_CHECKING:
    from lavis.tasks.metrics import Metric
    from lavis.tasks.predictions import RowSet, Scores


def run(arguments: list[str]) -> int:
    """Print the scores of one file of answers."""
    from lavis.tasks.predictions import delta_scores, read_rows, score_rows

    options = _parser().parse_args(arguments)
    _keep_inputs(options)
    read = {name: _value(text) for name, text in map(_pair, options.annotation_option)}
    found = read_rows(options.file, options.dataset, options.annotations, raw=options.raw, options=read)
    metrics = _metrics(options.metric, found, options.dataset)
    warnings = list(found.warnings)
    deltas: dict[str, float] = {}
    if options.before is not None:
        before = read_rows(options.before, options.dataset, options.annotations, raw=options.raw, options=read)
        warnings += before.warnings
        deltas = delta_scores(found, before, metrics)
    scores = score_rows(found, metrics)
    warnings += _lenient(scores)
    _say(sys.stderr, (f"lavis score: {warning}" for warning in warnings))
    _say(sys.stdout, _lines(scores, deltas))
    if options.json is not None:
        _write(options.json, scores.to_json() | ({"delta_knowledge": deltas} if deltas else {}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lavis score",
        description="Score the answers of a run anew, or predictions of another system in a benchmark's own format.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="result/<split>.json of a run, or predictions")
    parser.add_argument(
        "--metric",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="see lavis list metric; default: the run's",
    )
    parser.add_argument(
        "--dataset", metavar="NAME", help="the benchmark that predictions are of; see lavis list builder"
    )
    parser.add_argument(
        "--annotations",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="FILE",
        help="of that benchmark's split",
    )
    parser.add_argument(
        "--annotation-option",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="of that benchmark's reader, as in build_info.annotation_options",
    )
    parser.add_argument(
        "--before", type=Path, metavar="FILE", help="answers without the video: adds Video-MMMU's delta knowledge"
    )
    parser.add_argument("--raw", action="store_true", help="score the whole response of a run's reasoner")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the scores as metrics.json has them of a split")
    return parser


def _pair(word: str) -> tuple[str, str]:
    name, equals, text = word.partition("=")
    if not equals:
        raise ConfigError(f"--annotation-option {word}: write KEY=VALUE.")
    return name, text


def _value(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--annotation-option: {text!r} is no value.") from error


def _keep_inputs(options: argparse.Namespace) -> None:
    """Refuse to write over a file that is read.

    Raises:
        ConfigError: ``--json`` names one of them.
    """
    read = [path for path in (options.file, options.before, *options.annotations) if path is not None]
    if options.json is not None and options.json.resolve() in [path.resolve() for path in read]:
        raise ConfigError(f"--json {options.json} is a file that is read; name another.")


def _metrics(names: Sequence[str], found: RowSet, dataset: str | None) -> list[Metric]:
    """Return the metrics that are asked for, else the file's own, else the benchmark's.

    Raises:
        ConfigError: none of them says; or a name is unknown.
    """
    from lavis.tasks.predictions import dataset_class

    chosen = names or found.metrics
    if not chosen and dataset is not None:
        chosen = dataset_class(dataset).metrics
    if not chosen:
        raise ConfigError("which metric? Give --metric NAME, or --dataset NAME for the benchmark's own.")
    return [registry.require("metric", name) for name in dict.fromkeys(chosen)]


def _lenient(scores: Scores) -> Iterator[str]:
    for name, count in scores.empty_right.items():
        yield f"{name} counts {count} empty answers as right, as its authors' code does."


def _lines(scores: Scores, deltas: Mapping[str, float]) -> Iterator[str]:
    yield ", ".join(f"{name} {count}" for name, count in scores.counts.items())
    yield ""
    rows = [("metric", "%", "n", "left out")]
    rows += [
        (name, _percent(summary.percent, summary.n), str(summary.n), str(summary.left_out))
        for name, summary in scores.summaries.items()
    ]
    yield from _table(rows)
    for metric in scores.metrics:
        groups = scores.summaries[metric.name].by_group
        if not groups:
            continue
        mean = f" (its score is the mean of {', '.join(metric.mean_of)})" if metric.mean_of else ""
        yield ""
        yield f"{metric.name} by group{mean}"
        yield from _table([(f"  {group}", _percent(percent, n), str(n)) for group, (percent, n) in groups.items()])
    if deltas:
        yield ""
        yield "delta knowledge"
        yield from _table([(f"  {name}", f"{delta:.2f}") for name, delta in deltas.items()])


def _percent(percent: float, n: int) -> str:
    return f"{percent:.2f}" if n else "-"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *cells in rows:
        yield "  ".join(
            [name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))]
        )


def _say(stream: Any, lines: Iterator[str]) -> None:
    """Write lines in the stream's own encoding, whatever a file's ids and types hold."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    for line in lines:
        stream.write(f"{line}\n".encode(encoding, "backslashreplace").decode(encoding))


def _write(path: Path, scores: Mapping[str, Any]) -> None:
    from lavis.store.entry_files import write_atomically

    try:
        write_atomically(path, json.dumps(scores, indent=2, allow_nan=False) + "\n")
    except OSError as error:
        raise LavisError(f"--json {path}: cannot be written ({error.strerror}).") from error
