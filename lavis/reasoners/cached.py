"""A reasoner that does not pay for the same prompt twice."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from lavis.reasoners.base import Completion, Prompt, Reasoner
from lavis.reasoners.wrapped import WrappedReasoner
from lavis.store.completion_cache import CompletionCache


class CachedReasoner(WrappedReasoner):
    """Looks a prompt up before it asks; keeps what came whole where the temperature is 0.

    Args:
        inner: the reasoner that is asked.
        cache: where completions lie.
        marker: the run's fence marker, which is no part of a prompt's identity.
        files: the threads that read and write the cache's files; None for the event loop's own.
    """

    def __init__(self, inner: Reasoner, cache: CompletionCache, marker: str, files: Executor | None = None) -> None:
        super().__init__(inner)
        self.cache = cache
        self.marker = marker
        self.files = files
        self._identity = inner.identity()
        self.repeatable = self._identity.get("temperature", 0) == 0

    def complete(self, prompt: Prompt) -> Completion:
        """Return the kept completion of a prompt, or ask for one and keep it."""
        if not self.repeatable:
            return self.inner.complete(prompt)
        key = self.cache.key(self._identity, prompt, self.marker)
        kept = self.cache.get(key)
        if kept is not None:
            return dataclasses.replace(kept, kept=True)
        completion = self.inner.complete(prompt)
        self.cache.put(key, completion)
        return completion

    async def acomplete(self, prompt: Prompt) -> Completion:
        """Do the same without holding up the event loop."""
        if not self.repeatable:
            return await self.inner.acomplete(prompt)
        key = self.cache.key(self._identity, prompt, self.marker)
        kept: Completion | None = await self._in_thread(lambda: self.cache.get(key))
        if kept is not None:
            return dataclasses.replace(kept, kept=True)
        completion = await self.inner.acomplete(prompt)
        await self._in_thread(lambda: self.cache.put(key, completion))
        return completion

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.files, work)
