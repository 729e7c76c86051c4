"""What was used last, kept up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class BoundedCache(Generic[Value]):
    """Keeps values by key, least recently used first out. Threads that share it take turns by a lock of theirs.

    Args:
        max_bytes: of all values; 0 keeps none. A larger value is not kept.
        size_of: a value's bytes.
    """

    def __init__(self, max_bytes: int, size_of: Callable[[Value], int]) -> None:
        self.max_bytes = max_bytes
        self.size_of = size_of
        self.n_bytes = 0
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, key: Hashable) -> Value | None:
        """Return the value of a key, None where it is not kept."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: Hashable, value: Value) -> None:
        """Keep a value that is not kept yet."""
        size_bytes = self.size_of(value)
        if size_bytes > self.max_bytes or key in self._kept:
            return
        self._kept[key] = value
        self.n_bytes += size_bytes
        while self.n_bytes > self.max_bytes:
            self.n_bytes -= self.size_of(self._kept.popitem(last=False)[1])

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self.n_bytes = 0

    def __getstate__(self) -> dict[str, Any]:
        """Leave the values behind: a worker that is started anew begins with none."""
        return {**self.__dict__, "n_bytes": 0, "_kept": OrderedDict()}
