"""A reasoner around another: everything that is not its own business is the inner one's."""

from __future__ import annotations

from typing import Any

from lavis.reasoners.base import Prompt, Reasoner


class WrappedReasoner(Reasoner):
    """Answers for an inner reasoner; a subclass writes :meth:`complete` and :meth:`acomplete`."""

    def __init__(self, inner: Reasoner) -> None:
        self.inner = inner
        self.model = inner.model
        self.answer_form = inner.answer_form
        self.max_connections = inner.max_connections
        self.context_tokens = inner.context_tokens
        self.sees_images, self.hears_audio = inner.sees_images, inner.hears_audio
        self.writes_json, self.uses_cores = inner.writes_json, inner.uses_cores

    def identity(self) -> dict[str, Any]:
        """Return the inner reasoner's identity."""
        return self.inner.identity()

    def count_tokens(self, prompt: Prompt) -> int:
        """Count as the inner reasoner does."""
        return self.inner.count_tokens(prompt)

    def reply_tokens(self, prompt: Prompt) -> int:
        """Allow what the inner reasoner allows."""
        return self.inner.reply_tokens(prompt)

    def close(self) -> None:
        """Close the inner reasoner."""
        self.inner.close()
