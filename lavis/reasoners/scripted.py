"""A reasoner that follows a script: for tests and for timing everything around a model."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any, Literal, get_args

from lavis.common.errors import ConfigError, ReasonerError
from lavis.reasoners.base import AnswerForm, Completion, Prompt, Reasoner, Usage

Mode = Literal["answers", "first_choice", "hash_choice"]

# The marker is drawn per run; without it the same evidence gives the same prompt in every run.
FENCE = re.compile(r"</?evidence [^>\n]*>")


class ScriptedReasoner(Reasoner):
    """Completes a prompt by a rule: by its text, with its first choice, or with one picked by its hash.

    Args:
        answers: a text or a regular expression that is found in the prompt's own part, to the reply; a text
            that stands there as it is wins over expressions, and the earlier one wins.
        default: the reply where none fits; null makes that an error.
        mode: ``answers``, ``first_choice`` or ``hash_choice``.
        latency_s: slept in every call, as if a model were asked.
        max_connections: calls that may be in flight at once.
        answer_form: ``text`` or ``letter``.

    Raises:
        ConfigError: an unknown mode, or an expression that cannot be compiled.
    """

    model = "scripted"

    def __init__(
        self,
        *,
        answers: Mapping[str, str] | None = None,
        default: str | None = None,
        mode: Mode = "answers",
        latency_s: float = 0.0,
        max_connections: int = 1,
        answer_form: AnswerForm = "text",
    ) -> None:
        if mode not in get_args(Mode):
            raise ConfigError(f"scripted reasoner: mode is {mode!r}; say one of {', '.join(get_args(Mode))}.")
        self.answers = dict(answers or {})
        self.default = default
        self.mode = mode
        self.latency_s = latency_s
        self.max_connections = max_connections
        self.answer_form = answer_form
        self._places = asyncio.Semaphore(max_connections)
        try:
            self._expressions = [(re.compile(pattern), reply) for pattern, reply in self.answers.items()]
        except re.error as error:
            raise ConfigError(f"scripted reasoner: {error.pattern!r} is no regular expression: {error}") from error

    def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt by the script.

        Raises:
            ReasonerError: the script has no reply for it.
        """
        start = time.perf_counter()
        text = self._reply(prompt)
        if self.latency_s > 0:
            time.sleep(self.latency_s)
        return self._completion(prompt, text, time.perf_counter() - start)

    async def acomplete(self, prompt: Prompt) -> Completion:
        """Do the same, sleeping without a thread; at most ``max_connections`` sleep at once."""
        async with self._places:
            start = time.perf_counter()
            text = self._reply(prompt)
            if self.latency_s > 0:
                await asyncio.sleep(self.latency_s)
            return self._completion(prompt, text, time.perf_counter() - start)

    def _completion(self, prompt: Prompt, text: str, latency_s: float) -> Completion:
        # Words stand for tokens: the script has no tokenizer.
        usage = Usage(input_tokens=len(prompt.text().split()), output_tokens=len(text.split()))
        return Completion(text, usage, "scripted", latency_s)

    def identity(self) -> dict[str, Any]:
        """Return the script."""
        return {"type": "scripted", "mode": self.mode, "answers": self.answers, "default": self.default}

    def _reply(self, prompt: Prompt) -> str:
        for text, reply in self.answers.items():
            if text in prompt.own:
                return reply
        for expression, reply in self._expressions:
            if expression.search(prompt.own):
                return reply
        if self.mode == "first_choice" and prompt.choices:
            return prompt.choices[0]
        if self.mode == "hash_choice" and prompt.choices:
            return prompt.choices[prompt_hash(prompt) % len(prompt.choices)]
        if self.default is not None:
            return self.default
        raise ReasonerError(f"The script has no reply for {prompt.own[-200:]!r}; add one to answers, or a default.")


def prompt_hash(prompt: Prompt) -> int:
    """Return a number that depends on what a prompt says, and not on the marker of its fences."""
    text = FENCE.sub("<evidence>", "\x00".join((prompt.system, prompt.shared, prompt.own, prompt.lead)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
