"""What a run does when it is signalled: SIGTERM stops it so that it can be resumed, SIGUSR1 says where it is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def signalled(*, on_stop: Callable[[], None], on_ask: Callable[[], None]) -> Iterator[None]:
    """Call ``on_stop`` at SIGTERM and ``on_ask`` at SIGUSR1 while the block runs, on the main thread.

    Elsewhere than on the main thread signals can't be taken, and nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        on_stop()

    def ask(number: int, frame: FrameType | None) -> None:
        on_ask()

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, stop)}
    if hasattr(signal, "SIGUSR1"):
        before[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, ask)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
