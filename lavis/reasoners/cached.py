"""A reasoner that does not pay for the same prompt twice."""

from __future__ import annotations

from typing import Any

from lavis.reasoners.base import Completion, Prompt, Reasoner
from lavis.store.completion_cache import CompletionCache


class CachedReasoner(Reasoner):
    """Looks a prompt up before it asks; keeps what came where the temperature is 0.

    Args:
        inner: the reasoner that is asked.
        cache: where completions lie.
        marker: the run's fence marker, which is no part of a prompt's identity.
    """

    def __init__(self, inner: Reasoner, cache: CompletionCache, marker: str) -> None:
        self.inner = inner
        self.cache = cache
        self.marker = marker
        self.max_connections = inner.max_connections
        self.answer_form = inner.answer_form
        self.repeatable = inner.identity().get("temperature", 0) == 0

    def complete(self, prompt: Prompt) -> Completion:
        """Return the kept completion of a prompt, or ask for one and keep it."""
        if not self.repeatable:
            return self.inner.complete(prompt)
        key = self.cache.key(self.inner.identity(), prompt, self.marker)
        kept = self.cache.get(key)
        if kept is not None:
            return kept
        completion = self.inner.complete(prompt)
        self.cache.put(key, completion)
        return completion

    def identity(self) -> dict[str, Any]:
        """Return the inner reasoner's identity."""
        return self.inner.identity()

    def close(self) -> None:
        """Close the inner reasoner."""
        self.inner.close()
