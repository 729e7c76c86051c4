"""The event loop of this process: one thread on which everything that waits for a network runs.

The main thread stays free for signals, and a client opened once serves every caller.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

# Reentrant: a signal handler may ask for the loop while the same thread is starting it.
_lock = threading.RLock()
_loop: asyncio.AbstractEventLoop | None = None


def process_loop() -> asyncio.AbstractEventLoop:
    """Return the loop, starting its thread when first asked for."""
    global _loop
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="event-loop", daemon=True).start()
        return _loop


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine on the process's loop and return its result, from any thread but the loop's own.

    An exception that reaches the waiting thread (KeyboardInterrupt) cancels the coroutine.

    Raises:
        RuntimeError: called on the loop's own thread, which would wait for itself; await it instead.
    """
    loop = process_loop()
    if _running_loop() is loop:
        coroutine.close()
        raise RuntimeError("This is the event loop's own thread: await the asynchronous form instead.")
    future = asyncio.run_coroutine_threadsafe(coroutine, loop)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


async def on_process_loop(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Await a coroutine on the process's loop, from whatever loop one is on."""
    loop = process_loop()
    if asyncio.get_running_loop() is loop:
        return await coroutine
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, loop))


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
