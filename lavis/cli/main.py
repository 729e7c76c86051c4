"""The `lavis` command: finds the subcommand and hands it the rest of the line."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lavis.common.errors import LavisError, nearest
from lavis.common.registry import import_place


class Subcommand(NamedTuple):
    """Where a subcommand's function is, and one line on what it does.

    The function takes the arguments that follow the subcommand's name and returns the exit status.
    """

    place: str
    summary: str


SUBCOMMANDS: dict[str, Subcommand] = {
    "ablate": Subcommand("lavis.cli.ablate:run", "run variants of a configuration; one table with intervals and tests"),
    "ask": Subcommand("lavis.cli.ask:run", "answer one question about a file or folder of yours"),
    "data": Subcommand("lavis.cli.data:run", "check what of a benchmark is here; prepare clips"),
    "list": Subcommand("lavis.cli.names:run", "list the registered names of models, tasks, experts, …"),
    "precompute": Subcommand("lavis.cli.precompute:run", "let experts look ahead of a run; pack their evidence"),
    "extract": Subcommand("lavis.cli.extract:run", "make frames, flow, depth, normals or audio of media"),
    "estimate": Subcommand("lavis.cli.estimate:run", "say what a run will ask, use, cost and take"),
    "score": Subcommand("lavis.cli.score:run", "score a run's answers anew, or another system's predictions"),
    "weights": Subcommand("lavis.cli.weights:run", "fetch, list and verify the files that models need"),
}


def usage() -> str:
    """Return what `lavis --help` says."""
    width = max(map(len, SUBCOMMANDS))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in sorted(SUBCOMMANDS.items())]
    return "\n".join(["usage: lavis COMMAND …", "", *lines, "", "lavis COMMAND --help says more about one.", ""])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status: 0 done, 1 failed, 2 not understood."""
    name, *rest = [*(sys.argv[1:] if arguments is None else arguments)] or ["--help"]
    if name in ("-h", "--help"):
        sys.stdout.write(usage())
        return 0
    if name not in SUBCOMMANDS:
        sys.stderr.write(f"lavis: no command {name!r}.{nearest(name, SUBCOMMANDS)}\n\n{usage()}")
        return 2
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    run: Callable[[list[str]], int] = import_place(SUBCOMMANDS[name].place)
    try:
        return run(rest)
    except LavisError as error:
        sys.stderr.write(f"lavis {name}: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write(f"lavis {name}: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
