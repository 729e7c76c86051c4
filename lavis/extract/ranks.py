"""Ranks that end together: torchrun ends all others when one ends with a failure."""

from __future__ import annotations

import logging
import os
import time
from datetime import timedelta

logger = logging.getLogger(__name__)

LOOK_S = 0.5
STORE_TIMEOUT = timedelta(minutes=5)


def wait_for_ranks(rank: int, world_size: int) -> None:
    """Under torchrun, return when every rank has come here; elsewhere at once.

    A rank whose media failed in part ends with status 1, upon which torchrun would kill the ranks that still
    work. Should one of them die, torchrun ends this one too, so that the wait has an end.
    """
    if world_size == 1 or "TORCHELASTIC_RUN_ID" not in os.environ:
        return
    from torch.distributed import DistNetworkError, DistStoreError, PrefixStore  # type: ignore[attr-defined]
    from torch.distributed.rendezvous import rendezvous

    try:
        store, _, _ = next(rendezvous("env://", rank, world_size, timeout=STORE_TIMEOUT))
        ended = PrefixStore(f"extract/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
        ended.add("ended", 1)
        while ended.add("ended", 0) < world_size:
            time.sleep(LOOK_S)
    except (DistNetworkError, DistStoreError) as error:
        logger.warning("The other ranks cannot be waited for (%s).", error)
