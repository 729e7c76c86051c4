"""``python -m lavis.datasets.sample``: make the sample and say where it lies."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from lavis.datasets.sample.build import build_sample, sample_root
from lavis.datasets.sample.record import record_room
from lavis.datasets.sample.rooms import all_rooms


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the whole sample, or render one room into a folder."""
    parser = argparse.ArgumentParser(prog="python -m lavis.datasets.sample", description=__doc__)
    parser.add_argument("--root", type=Path, default=None, help=f"folder to make (default: {sample_root()})")
    parser.add_argument("--room", choices=[room.scene_id for room in all_rooms()], help="render this room alone")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if given.room:
        if given.root is None:
            parser.error("--room needs --root")
        record_room(next(room for room in all_rooms() if room.scene_id == given.room), given.root)
        return 0
    sys.stdout.write(f"{build_sample(given.root)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
