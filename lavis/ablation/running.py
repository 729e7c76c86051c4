"""Runs the variants of an ablation one after another; each is an ordinary run that can be resumed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lavis.ablation.variants import Variant
from lavis.runners.outputs import project_root

logger = logging.getLogger(__name__)


def run_variants(variants: Sequence[Variant], build: Callable[[Variant], Any]) -> None:
    """Run every variant to its end; one that is finished already asks nothing.

    Under torchrun every rank calls this; the group works on one variant at a time.

    Args:
        variants: the rows.
        build: makes the runner of one.

    Raises:
        RunStoppedError: a run was asked to stop or its budget is spent; the same ablation can go on.
        LavisError: a run cannot go on; the rows before it are finished.
    """
    for number, variant in enumerate(variants, start=1):
        logger.info("ablation: row %d of %d, %s (run %s)", number, len(variants), variant.name, variant.run_id)
        build(variant).evaluate()


def run_folder(run_cfg: Any, run_id: str) -> Path:
    """Return where a run of a configuration leaves its files."""
    return project_root() / Path(run_cfg.get("output_dir") or "output").expanduser() / run_id
