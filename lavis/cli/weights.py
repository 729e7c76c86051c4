"""`lavis weights fetch|list|verify`: the only command that downloads."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lavis.common import weights
from lavis.common.errors import WeightsError


def run(arguments: list[str]) -> int:
    """Run one action; returns 1 if any file could not be fetched or is not the listed one."""
    options = _parser().parse_args(arguments)
    listed = weights.entries(options.listing)
    for name in options.names:
        weights.find(name, listing=options.listing)
    action = ACTIONS[options.action]
    return action(options, listed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lavis weights", description="The files that models need.")
    parser.add_argument(
        "--listing", type=Path, default=weights.LISTING, help="another list of files than the package's"
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="fetch|list|verify")
    fetch = actions.add_parser("fetch", help="fetch files into the cache, from the first source that has them")
    fetch.add_argument("names", nargs="*", metavar="NAME")
    fetch.add_argument("--all", action="store_true", help="fetch every listed file")
    fetch.add_argument("--for", dest="config", metavar="FILE", help="fetch what a run's YAML needs")
    fetch.add_argument("--options", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="as of that run")
    show = actions.add_parser("list", help="list the files with size, licence and whether they are there")
    show.add_argument("names", nargs="*", metavar="NAME")
    verify = actions.add_parser("verify", help="hash the files that are there, or the named ones, anew")
    verify.add_argument("names", nargs="*", metavar="NAME")
    return parser


def _fetch(options: argparse.Namespace, listed: dict[str, weights.WeightsEntry]) -> int:
    if bool(options.names) + options.all + bool(options.config) != 1:
        raise WeightsError(f"name what to fetch, or say --all, or --for FILE. Listed: {', '.join(listed)}.")
    failed = 0
    needed = _needed(options.config, options.options) if options.config else options.names
    for name in listed if options.all else needed:
        try:
            sys.stdout.write(f"{weights.fetch(name, listing=options.listing)}\n")
        except WeightsError as error:
            failed += 1
            sys.stderr.write(f"lavis weights: {error}\n")
    return 1 if failed else 0


def _needed(config: str, options: list[str]) -> list[str]:
    """Return the names of the files that a run needs, by asking the class of its model."""
    from lavis.common.config import Config
    from lavis.common.registry import registry

    model = Config(argparse.Namespace(cfg_path=config, options=options)).model_cfg
    ask = getattr(registry.require("model", model.arch), "needed_weights", None)
    return list(ask(model)) if ask is not None else []


def _list(options: argparse.Namespace, listed: dict[str, weights.WeightsEntry]) -> int:
    shown = [listed[name] for name in options.names or listed]
    width = max(len(entry.name) for entry in shown)
    for entry in shown:
        state = weights.status(entry)
        sys.stdout.write(f"{entry.name:<{width}}  {entry.bytes / 1e6:>8.1f} MB  {state:<10}  {entry.licence}\n")
    return 0


def _verify(options: argparse.Namespace, listed: dict[str, weights.WeightsEntry]) -> int:
    present = [name for name, entry in listed.items() if weights.status(entry) != "absent"]
    failed = 0
    for name in options.names or present:
        try:
            sys.stdout.write(f"{name}: the listed file, at {weights.verify(name, listing=options.listing)}\n")
        except WeightsError as error:
            failed += 1
            sys.stderr.write(f"lavis weights: {error}\n")
    return 1 if failed else 0


ACTIONS = {"fetch": _fetch, "list": _list, "verify": _verify}
