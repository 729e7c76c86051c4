"""What a reasoner is: it completes a prompt; the prompt and the completion it returns."""

from __future__ import annotations

import abc
import asyncio
import base64
import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

AnswerForm = Literal["text", "letter"]
# How a completion came to fit a schema: the server held it to the schema, its text parsed, a second request
# repaired it, or it does not fit. Empty where no schema was asked for.
SchemaPath = Literal["", "json_schema", "parsed", "repaired", "unfit"]

# English text in the vocabularies of current models; an estimate where a reasoner cannot count.
CHARS_PER_TOKEN = 4.0
IMAGE_TOKENS = 800
AUDIO_TOKENS_PER_S = 32.0


@dataclasses.dataclass(frozen=True)
class Usage:
    """What a completion used: tokens in, out and read from a prefix cache; USD where prices are known."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    usd: float | None = None

    def share(self, part: int, whole: int) -> Usage:
        """Return ``part / whole`` of it."""
        return Usage(
            input_tokens=self.input_tokens * part // max(whole, 1),
            output_tokens=self.output_tokens * part // max(whole, 1),
            cached_tokens=self.cached_tokens * part // max(whole, 1),
            usd=None if self.usd is None else self.usd * part / max(whole, 1),
        )


@dataclasses.dataclass(frozen=True)
class PromptImage:
    """A picture in a prompt: the bytes of a file and its media type (``image/jpeg``)."""

    data: bytes
    media_type: str = "image/jpeg"

    def data_url(self) -> str:
        """Return it as a ``data:`` URL."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"


@dataclasses.dataclass(frozen=True)
class PromptAudio:
    """A sound in a prompt: the bytes of a file, its format (``wav``, ``mp3``) and its length in s."""

    data: bytes
    format: str = "wav"
    length_s: float = 0.0


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
        images: pictures, for reasoners that see (``sees_images``).
        audio: sounds, for reasoners that hear (``hears_audio``).
        schema: a JSON schema that the completion must fit, for reasoners that write JSON (``writes_json``).
    """

    system: str
    shared: str
    own: str
    choices: tuple[str, ...] = ()
    max_choices: int = 1
    max_tokens: int = 32
    lead: str = "Answer:"
    images: tuple[PromptImage, ...] = ()
    audio: tuple[PromptAudio, ...] = ()
    schema: Mapping[str, Any] | None = None

    def messages(self) -> list[dict[str, Any]]:
        """Return it as chat messages: the shared part first, so that a provider can cache it."""
        text = "\n\n".join(part for part in (self.shared, self.own) if part)
        content: Any = text
        if self.images or self.audio:
            shown = [{"type": "image_url", "image_url": {"url": image.data_url()}} for image in self.images]
            heard = [
                {
                    "type": "input_audio",
                    "input_audio": {"data": base64.b64encode(sound.data).decode(), "format": sound.format},
                }
                for sound in self.audio
            ]
            content = [*shown, *heard, {"type": "text", "text": text}]
        return [{"role": "system", "content": self.system}, {"role": "user", "content": content}]

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
        schema_path: how it came to fit the prompt's schema.
        cut: whether it ended at a number of tokens instead of its own end.
        kept: whether it came from the completion cache, so that nothing was paid for it.
    """

    text: str
    usage: Usage
    model: str
    latency_s: float
    reasoning: str = ""
    attempts: int = 1
    schema_path: SchemaPath = ""
    cut: bool = False
    kept: bool = False

    def __post_init__(self) -> None:
        # A model's text may hold half of a surrogate pair, which no file and no hash can.
        for name in ("text", "reasoning"):
            clean = getattr(self, name).encode("utf-8", "replace").decode()
            if clean != getattr(self, name):
                object.__setattr__(self, name, clean)

    @property
    def whole(self) -> bool:
        """Whether it says all that it would say, in the form that was asked for."""
        return bool(self.text.strip()) and not self.cut and self.schema_path != "unfit"

    def to_json(self) -> dict[str, Any]:
        """Return plain data for a cache or a journal."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Completion:
        """Build it back from :meth:`to_json`."""
        return cls(**{**data, "usage": Usage(**data["usage"])})


@dataclasses.dataclass
class CallMonitor:
    """What a reasoner is doing just now; progress shows it.

    Attributes:
        in_flight: calls that wait for a reply.
        limit: calls that may be in flight just now.
        retries: further attempts so far, by cause (``HTTP 429``, ``timeout``, ``connection`` …).
        waiting_for: why no call is made just now (a server that is down); empty while calls are made.
    """

    in_flight: int = 0
    limit: int = 0
    retries: Counter[str] = dataclasses.field(default_factory=Counter)
    waiting_for: str = ""


class Reasoner(abc.ABC):
    """Completes prompts. Safe to call from ``max_connections`` threads or tasks at once.

    A subclass registers a type, takes its options as keyword-only parameters of ``__init__`` and
    says which form of answer it can be asked for: small models answer well in the options' text and
    badly by letter. It writes :meth:`complete`, or :meth:`acomplete` too where it can wait without a thread.

    Attributes:
        model: the model's name; prices and the ledger go by it.
        context_tokens: prompt and completion together; None where unknown or unlimited.
        sees_images: whether a prompt's images reach the model.
        hears_audio: whether a prompt's sounds do.
        writes_json: whether a prompt's schema is kept or checked.
        uses_cores: whether it computes on this machine's cores, so that nothing should work beside it.
    """

    answer_form: AnswerForm = "text"
    max_connections: int = 1
    model: str = ""
    context_tokens: int | None = None
    sees_images: bool = False
    hears_audio: bool = False
    writes_json: bool = False
    uses_cores: bool = False

    @classmethod
    def needed_weights(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the listed weights files that these options need; none by default."""
        return ()

    @abc.abstractmethod
    def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt.

        Raises:
            ReasonerError: no completion could be had; says what was tried and the way out.
            ContextTooLongError: the prompt does not fit into the model's context.
        """

    async def acomplete(self, prompt: Prompt) -> Completion:
        """Complete a prompt without holding up the event loop: here, in one of ``max_connections`` threads."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.complete, prompt)

    @abc.abstractmethod
    def identity(self) -> dict[str, Any]:
        """Return what decides a completion beside the prompt: model, parameters; no secrets."""

    def count_tokens(self, prompt: Prompt) -> int:
        """Return how many tokens a prompt takes: here, an estimate from its characters."""
        characters = sum(len(part) for part in (prompt.system, prompt.shared, prompt.own, prompt.lead))
        heard_s = sum(sound.length_s for sound in prompt.audio)
        tokens = characters / CHARS_PER_TOKEN + heard_s * AUDIO_TOKENS_PER_S + IMAGE_TOKENS * len(prompt.images)
        return math.ceil(tokens)

    def reply_tokens(self, prompt: Prompt) -> int:
        """Return how many tokens of the context a reply may take."""
        return prompt.max_tokens

    def prepare(self) -> None:
        """Make sure that it can be asked (its key is set), before anything else is done; nothing by default.

        Raises:
            ReasonerError: it can't; says what is missing.
        """
        return None

    def take_share(self, rank: int, world_size: int) -> None:
        """Keep to this rank's share of what the configuration allows the whole run; nothing by default."""
        return None

    @functools.cached_property
    def monitor(self) -> CallMonitor:
        """What it is doing just now."""
        return CallMonitor()

    @functools.cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.max_connections, thread_name_prefix="reasoner")

    def close(self) -> None:
        """Free what the reasoner holds; nothing by default."""
        return None
