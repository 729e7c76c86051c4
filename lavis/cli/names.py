"""`lavis list`: the registered names, by kind; imports none of what they stand for."""

from __future__ import annotations

import argparse
import sys

from lavis.common.errors import unknown_name
from lavis.common.registry import import_place, registry

# Lists that say more than names.
TABLES = {"experts": "lavis.cli.experts:run"}


def run(arguments: list[str]) -> int:
    """List the names of one kind, one a line, or of every kind; or print one of the tables."""
    if arguments and arguments[0] in TABLES:
        status: int = import_place(TABLES[arguments[0]])(arguments[1:])
        return status
    kinds = sorted(registry.kinds())
    parser = argparse.ArgumentParser(prog="lavis list", description="List the registered names.")
    parser.add_argument("kind", nargs="?", help=f"one of: {', '.join(kinds)}; or a table: {', '.join(TABLES)}")
    kind: str | None = parser.parse_args(arguments).kind
    if kind is None:
        lines = [f"{each}: {', '.join(registry.list_names(each)) or 'none'}" for each in kinds]
    elif kind in kinds:
        lines = registry.list_names(kind)
    else:
        raise unknown_name("kind", kind, [*kinds, *TABLES])
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0
