"""`lavis ablate`: run variants of one configuration on the same questions, and print one table."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lavis.cli.launch import build_runner, read_options, status_of
from lavis.common.errors import ConfigError, LavisError, RunStoppedError

if TYPE_CHECKING:
    from lavis.ablation import Settings, Table, Variant

logger = logging.getLogger(__name__)

WHICH = ("all", "none", "leave_one_out", "only_one")


def run(arguments: list[str]) -> int:
    """Run the rows, or read finished ones, and print their table; returns the exit status of a run."""
    parser = _parser()
    if any(word == "--read" or word.startswith("--read=") for word in arguments):
        options = parser.parse_args(arguments)
        if options.rows or any(getattr(options, name) for name in WHICH):
            parser.error("--read makes a table of runs that exist; it takes no rows to run.")
        return status_of(lambda: _read(options))
    options = read_options(parser, arguments)
    options.options.append("run.evaluate=true")
    return status_of(lambda: _ablate(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lavis ablate",
        allow_abbrev=False,
        description="Run variants of one configuration on the same questions and compare them with the full one. "
        "Without a choice of rows: --none --leave-one-out. run.run_id names the ablation; the same name resumes it.",
    )
    parser.add_argument("--none", action="store_true", help="a row without evidence")
    parser.add_argument("--leave-one-out", action="store_true", help="a row without each expert")
    parser.add_argument("--only-one", action="store_true", help="a row with each expert alone")
    parser.add_argument("--all", action="store_true", help="all three")
    parser.add_argument(
        "--rows",
        nargs="+",
        action="extend",
        default=[],
        metavar="'NAME: KEY=VALUE …'",
        help="further rows, each the full one with options below model or datasets",
    )
    parser.add_argument("--metric", metavar="NAME", help="see lavis list metric; default: the run's headline")
    parser.add_argument(
        "--clusters",
        choices=("media", "questions"),
        default="media",
        help="what the bootstrap draws: media with all their questions (default), or single questions",
    )
    parser.add_argument("--resamples", type=int, default=10_000, metavar="N", help="draws (default 10000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the draws (default 0)")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="for table.json and table.md; default: beside the rows' runs"
    )
    parser.add_argument(
        "--read",
        nargs="+",
        type=Path,
        metavar="RUN_FOLDER",
        help="make the table of finished runs instead, the first being compared with; no --cfg-path then",
    )
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    from lavis.ablation import Settings
    from lavis.common.registry import registry

    if options.metric is not None:
        registry.require("metric", options.metric)
    return Settings(metric=options.metric, clusters=options.clusters, n_resamples=options.resamples, seed=options.seed)


def _read(options: argparse.Namespace) -> None:
    settings = _settings(options)
    names = [folder.resolve().name for folder in options.read]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in options.read]
    _make(list(zip(names, options.read, strict=True)), settings, options.output)


def _ablate(options: argparse.Namespace) -> None:
    from lavis.ablation.running import run_folder, run_variants
    from lavis.common.config import Config
    from lavis.common.dist_utils import broadcast_object, init_distributed_mode, is_main_process

    settings = _settings(options)  # a wrong name must not be found out after the work
    config = Config(options)
    init_distributed_mode(config.run_cfg)
    made = f"ablation-{datetime.now(timezone.utc).strftime('%Y%m%d-%H%M%S')}"
    ablation_id = str(config.run_cfg.get("run_id") or broadcast_object(made))
    variants = _variants(config.model_cfg, ablation_id, options)

    def words(variant: Variant) -> argparse.Namespace:
        return argparse.Namespace(cfg_path=options.cfg_path, options=[*options.options, *variant.options])

    for variant in variants:
        Config(words(variant))
    logger.info("ablation %s: %d rows; run.run_id=%s resumes it", ablation_id, len(variants), ablation_id)
    try:
        run_variants(variants, lambda variant: build_runner(words(variant), change=variant.apply))
    except RunStoppedError as error:
        raise RunStoppedError(f"{error} The whole ablation goes on with run.run_id={ablation_id}.") from error
    if is_main_process():
        folders = [(variant.name, run_folder(config.run_cfg, variant.run_id)) for variant in variants]
        _make(folders, settings, options.output or run_folder(config.run_cfg, ablation_id))


def _variants(model: Any, ablation_id: str, options: argparse.Namespace) -> list[Variant]:
    from lavis.ablation import make_variants

    unsaid = not options.rows and not any(getattr(options, name) for name in WHICH)
    return make_variants(
        model,
        ablation_id,
        none=options.none or options.all or unsaid,
        leave_one_out=options.leave_one_out or options.all or unsaid,
        only_one=options.only_one or options.all,
        rows=options.rows,
    )


def _make(folders: Sequence[tuple[str, Path]], settings: Settings, output: Path | None) -> None:
    from lavis.ablation import make_tables, read_runs, write_tables

    if output is not None and any(output.resolve() == folder.resolve() for _, folder in folders):
        raise ConfigError(f"--output {output} is the folder of a run; name another.")
    tables = make_tables(read_runs(folders), settings)
    if output is not None:
        try:
            write_tables(output, tables)
        except OSError as error:
            raise LavisError(f"--output {output}: cannot be written ({error.strerror}).") from error
    _print(tables)
    if output is not None:
        sys.stdout.write(f"{output / 'table.md'}\n")


def _print(tables: Sequence[Table]) -> None:
    """Write the tables in the stream's own encoding, whatever rows are called."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    for table in tables:
        for line in table.text():
            sys.stdout.write(f"{line}\n".encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.write("\n")
