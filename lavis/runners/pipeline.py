"""Many questions at once: a bounded number in flight, each going through its stages as they become free.

The number in flight is what bounds every queue between the stages: a question is read when another is
finished, so that media, evidence and prompts of no more than that are held, whatever stage is slow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

logger = logging.getLogger(__name__)


async def for_each(
    work: Callable[[int], Awaitable[None]],
    items: Iterable[int],
    *,
    in_flight: int,
    stop: asyncio.Event,
    grace_s: float,
) -> bool:
    """Do work on every item, ``in_flight`` at once, in their order; the first exception ends it.

    Args:
        work: what is done with an item.
        items: taken one by one, as earlier ones are finished.
        in_flight: items worked on at once.
        stop: once set, no new item is taken.
        grace_s: what is in flight then may take so long to end; the rest is abandoned.

    Returns:
        Whether every item was done.
    """
    rest = iter(items)
    left = False

    async def worker() -> None:
        nonlocal left
        for item in rest:
            if stop.is_set():
                left = True
                return
            await work(item)

    workers = [asyncio.create_task(worker()) for _ in range(in_flight)]
    stopping = asyncio.create_task(_when(stop))
    try:
        pending = set(workers)
        while pending and not stop.is_set():
            done, _ = await asyncio.wait({*pending, stopping}, return_when=asyncio.FIRST_COMPLETED)
            _raise_first(done - {stopping})
            pending -= done
        if pending:
            done, pending = await asyncio.wait(pending, timeout=grace_s, return_when=asyncio.FIRST_EXCEPTION)
            _raise_first(done)
        if pending:
            left = True
            logger.warning("%d questions in flight did not end within %g s and are abandoned", len(pending), grace_s)
        return not left
    finally:
        stopping.cancel()
        for task in workers:
            task.cancel()
        await asyncio.gather(stopping, *workers, return_exceptions=True)


async def _when(stop: asyncio.Event) -> None:
    await stop.wait()


def _raise_first(done: set[asyncio.Task[None]]) -> None:
    """Raise the exception of a task that has one; the others' are taken note of, so that none is lost unseen."""
    errors = [error for error in (task.exception() for task in done if not task.cancelled()) if error is not None]
    for error in errors[1:]:
        logger.error("and: %s: %s", type(error).__name__, error)
    if errors:
        raise errors[0]
