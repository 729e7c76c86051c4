"""How many cores this process may use beside the other ranks of its machine."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return this process's share of the cores it may use: by torchrun's LOCAL_WORLD_SIZE, at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    return max(1, cores // max(1, int(os.environ.get("LOCAL_WORLD_SIZE", "1"))))
