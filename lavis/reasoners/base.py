"""What a reasoner is: it completes a prompt; the prompt and the completion it returns."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

AnswerForm = Literal["text", "letter"]


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a completion used: tokens in, out and read from a prefix cache; USD where prices are known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    usd: float | None = None


@dataclasses.dataclass(frozen=True)
class Prompt:
    """What a reasoner is asked.

    Attributes:
        system: how to behave; chat reasoners send it as the system message.
        shared: the part that questions on one medium have in common (the fenced evidence); it comes first.
        own: this question's part: situation, question, options, form of the answer.
        choices: the only texts that may be answered, in order; empty if any short phrase may.
        max_choices: how many of them may be named, separated by commas (a selection); 1 for an answer.
        max_tokens: at most this much is generated.
        lead: what comes directly before the completion where the reasoner continues a text ("Answer:").
    """

    system: str
    shared: str
    own: str
    choices: tuple[str, ...] = ()
    max_choices: int = 1
    max_tokens: int = 32
    lead: str = "Answer:"

    def messages(self) -> list[dict[str, str]]:
        """Return it as chat messages: the shared part first, so that a provider can cache it."""
        return [
            {"role": "system", "content": self.system},
            {"role": "user", "content": "\n\n".join(part for part in (self.shared, self.own) if part)},
        ]

    def text(self) -> str:
        """Return it as one text to be continued."""
        return "\n".join(part for part in (self.shared, self.own, self.lead) if part)


@dataclasses.dataclass(frozen=True)
class Completion:
    """What a reasoner returned.

    Attributes:
        text: the answer's text as it came; empty if the reasoner said nothing.
        reasoning: separate reasoning text, where the provider returns it.
        usage: tokens and USD.
        model: the model's name as the provider gives it.
        latency_s: wall time, retries included.
        attempts: calls made, at least 1.
    """

    text: str
    usage: Usage
    model: str
    latency_s: float
    reasoning: str = ""
    attempts: int = 1

    def to_json(self) -> dict[str, Any]:
        """Return plain data for a cache or a journal."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Completion:
        """Build it back from :meth:`to_json`."""
        return cls(**{**data, "usage": Usage(**data["usage"])})


class Reasoner(abc.ABC):
    """Completes prompts. Safe to call from ``max_connections`` threads at once.

    A subclass registers a type, takes its options as keyword-only parameters of ``__init__`` and
    says which form of answer it can be asked for: small models answer well in the options' text and
    badly by letter.
    """

    answer_form: AnswerForm = "text"
    max_connections: int = 1

    @classmethod
    def needed_weights(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the listed weights files that these options need; none by default."""
        return ()

    @abc.abstractmethod
    def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt.

        Raises:
            ReasonerError: no completion could be had; says what was tried and the way out.
        """

    @abc.abstractmethod
    def identity(self) -> dict[str, Any]:
        """Return what decides a completion beside the prompt: model, parameters; no secrets."""

    def close(self) -> None:
        """Free what the reasoner holds; nothing by default."""
        return None
