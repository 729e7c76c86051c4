"""The state of every random generator of a run, kept in its checkpoints."""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from lavis.common.dist_utils import get_rank, get_world_size, is_dist_avail_and_initialized

logger = logging.getLogger(__name__)


def capture() -> dict[str, Any]:
    """Return this rank's states, in types that ``torch.load(weights_only=True)`` accepts."""
    kind, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (str(kind), [int(key) for key in keys], int(position), int(has_gauss), float(gauss)),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def gather() -> list[dict[str, Any]]:
    """Return the states of every rank, by rank; every rank must call it."""
    mine = capture()
    if not is_dist_avail_and_initialized():
        return [mine]
    states: list[dict[str, Any]] = [{}] * get_world_size()
    torch.distributed.all_gather_object(states, mine)
    return states


def restore(states: Sequence[Mapping[str, Any]]) -> None:
    """Set this rank's generators to where they were."""
    if len(states) != get_world_size():
        logger.warning(
            "The checkpoint has the random states of %d rank(s), this run %d: random numbers begin anew.",
            len(states),
            get_world_size(),
        )
        return
    state = states[get_rank()]
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
