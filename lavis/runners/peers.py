"""The other ranks of a run, seen through files: who failed, who stopped, who is silent.

No collective: a rank that is gone would let one hang. Each rank renews a file of its own while it works.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lavis.common.errors import LavisError, RunStoppedError
from lavis.runners.lease import PATIENCE_S, renewed_at
from lavis.runners.run_folder import RunFolder

logger = logging.getLogger(__name__)

BEAT_S = 1.0
SHOW_WAITING_EVERY_S = 60.0


class Peers:
    """Watches the other ranks and shows them that this one is alive.

    Args:
        folder: of the run.
        rank: this one's.
        world_size: number of ranks.
        clock: monotonic time in s; what a file system says of time is only compared with itself.
    """

    def __init__(
        self, folder: RunFolder, rank: int, world_size: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder = folder
        self.rank = rank
        self._others = [other for other in range(world_size) if other != rank]
        self._clock = clock
        self._seen: dict[int, tuple[int, float]] = {}

    def beat(self) -> None:
        """Show that this rank is alive."""
        if self._others:
            try:
                self.folder.alive(self.rank).touch()
            except OSError:  # a full or lost folder is the journal's to report
                logger.debug("could not renew %s", self.folder.alive(self.rank))

    def check(self) -> None:
        """Look at the others.

        Raises:
            LavisError: one failed, or has been silent for too long.
            RunStoppedError: one was stopped.
        """
        for other in [other for other in self._others if not self.folder.done(other).exists()]:
            for path, error in ((self.folder.stopped(other), RunStoppedError), (self.folder.failed(other), LavisError)):
                if path.exists():
                    raise error(f"Rank {other}: {path.read_text(encoding='utf-8')}")
            now, renewed = self._clock(), renewed_at(self.folder.alive(other))
            before, since = self._seen.get(other, (-1, now))
            self._seen[other] = (renewed, now if renewed != before else since)
            if now - self._seen[other][1] > PATIENCE_S:
                raise LavisError(
                    f"Rank {other} has shown no sign of life for {now - self._seen[other][1]:.0f} s. "
                    "What was answered is safe; start again with the same run.run_id to go on."
                )

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show that this rank is alive while the block runs, whatever its event loop is busy with."""
        ended = threading.Event()

        def renew() -> None:
            self.beat()
            while not ended.wait(BEAT_S):
                self.beat()

        thread = threading.Thread(target=renew, name="alive", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    async def watch(self) -> None:
        """Check until cancelled; see :meth:`check` for what ends it."""
        while True:
            await asyncio.to_thread(self.check)
            await asyncio.sleep(BEAT_S)

    async def wait_for_all(self, stop: asyncio.Event) -> None:
        """Wait until every other rank is done.

        Raises:
            LavisError: one failed, or is silent.
            RunStoppedError: one was stopped, or this one is asked to stop.
        """
        shown = self._clock()
        while waiting := [other for other in self._others if not self.folder.done(other).exists()]:
            self.check()
            if stop.is_set():
                raise RunStoppedError("The run was asked to stop; start again with the same run.run_id to go on.")
            if self._clock() - shown > SHOW_WAITING_EVERY_S:
                shown = self._clock()
                logger.info("rank %d is done and waits for ranks %s", self.rank, waiting)
            await asyncio.sleep(BEAT_S / 5)
