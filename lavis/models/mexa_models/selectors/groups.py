"""One choice for many questions: made once while they wait, and kept for those that come later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class OncePerKey(Generic[Made]):
    """Makes a thing once for each key; whoever asks while it is made waits for it.

    What could not be made is not kept: whoever waits gets the error, and the next to ask tries again. One that
    is given up takes nothing from the others that wait.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, Made] = {}
        self._making: dict[Hashable, asyncio.Task[Made]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Made]]) -> Made:
        """Return what was made for a key, making it if need be."""
        if key in self._made:
            return self._made[key]
        if key not in self._making:
            self._making[key] = asyncio.get_running_loop().create_task(self._make(key, make))
        return await asyncio.shield(self._making[key])

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[Made]]) -> Made:
        try:
            self._made[key] = await make()
            return self._made[key]
        finally:
            del self._making[key]
