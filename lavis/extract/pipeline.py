"""Reading ahead and writing behind in threads, a few items at a time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable
from types import TracebackType
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

LOOK_S = 0.2


class _End:
    """The end of the items, or the error that ended them."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


def ahead(items: Iterable[Item], *, depth: int) -> Generator[Item, None, None]:
    """Yield the items, taken by a thread that is at most ``depth`` of them ahead.

    An error of the items is raised where they are read. Whoever stops early closes the generator: the
    thread then ends with the item that it is at.
    """
    made: queue.Queue[Any] = queue.Queue(maxsize=depth)
    unwanted = threading.Event()

    def put(item: Any) -> bool:
        while not unwanted.is_set():
            try:
                made.put(item, timeout=LOOK_S)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(item):
                    return
            put(_End())
        except BaseException as error:  # raised in the reader
            put(_End(error))
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while True:
            item = made.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        unwanted.set()
        thread.join()


class Behind(Generic[Item]):
    """Hands items to a function in a thread, in order, with at most ``depth`` waiting.

    Use it as a context: leaving it waits for the last item. An error of the function is raised by the next
    :meth:`put`, or on leaving.
    """

    def __init__(self, write: Callable[[Item], None], *, depth: int) -> None:
        self._write = write
        self._waiting: queue.Queue[Any] = queue.Queue(maxsize=depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="behind", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over one item; waits while too many are waiting."""
        if self._error is not None:
            raise self._error
        self._waiting.put(item)

    def __enter__(self) -> Behind[Item]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._waiting.put(_End())
        self._thread.join()
        if error is None and self._error is not None:
            raise self._error

    def _work(self) -> None:
        while not isinstance(item := self._waiting.get(), _End):
            if self._error is not None:
                continue  # what is waiting is let go, so that put() never waits for ever
            try:
                self._write(item)
            except BaseException as error:  # raised by put() or on leaving
                self._error = error
