"""Runners: the loops of a run. Imported when asked for; those that train need torch."""

from __future__ import annotations

from typing import Any

from lavis.common.registry import import_place

__all__ = ["RunnerBase", "RunnerIter"]

PLACES = {
    "RunnerBase": "lavis.runners.runner_base:RunnerBase",
    "RunnerIter": "lavis.runners.runner_iter:RunnerIter",
}


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_place(PLACES[name])
