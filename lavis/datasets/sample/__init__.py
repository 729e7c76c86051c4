"""A small data set in SQA3D's formats that the project renders for itself, with its ground truth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lavis.datasets.sample.build import build_sample, sample_root

__all__ = ["build_sample", "sample_root"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from lavis.datasets.sample import build

        return getattr(build, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
