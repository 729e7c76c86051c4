"""A chat completion as it came over the wire, read: text, reasoning and usage, or what is wrong with it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from lavis.reasoners.base import Usage
from lavis.reasoners.retries import Failure

# A chat template may have written the opening tag into the prompt, so the reply may begin without it.
THINKING = re.compile(r"\A\s*(?:<think>)?(?P<reasoning>.*?)</think>", re.DOTALL)
UNFINISHED_THINKING = re.compile(r"\A\s*<think>(?P<reasoning>.*)\Z", re.DOTALL)
PER_MTOK = 1e-6


@dataclasses.dataclass(frozen=True)
class Prices:
    """USD per million tokens; ``cached_in`` falls back to ``in_``."""

    in_: float
    out: float
    cached_in: float | None = None

    def usd(self, usage: Usage) -> float:
        """Return what a usage costs."""
        cached = self.in_ if self.cached_in is None else self.cached_in
        fresh_tokens = usage.input_tokens - usage.cached_tokens
        return PER_MTOK * (fresh_tokens * self.in_ + usage.cached_tokens * cached + usage.output_tokens * self.out)


@dataclasses.dataclass(frozen=True)
class ChatReply:
    """What a provider said."""

    text: str
    reasoning: str
    usage: Usage
    model: str


def split_thinking(text: str) -> tuple[str, str]:
    """Split ``<think>…</think>answer`` into (reasoning, answer); an unclosed thought leaves no answer."""
    match = THINKING.match(text) or UNFINISHED_THINKING.match(text)
    if match is None:
        return "", text.strip()
    return match["reasoning"].strip(), text[match.end() :].strip()


def read_reply(body: str, *, model: str, prices: Prices | None) -> ChatReply | Failure:
    """Read the body of a 200 response.

    An overloaded provider may answer 200 with nothing, with blanks, or with JSON that was cut off:
    those are failures that another attempt may mend.

    Args:
        body: the response's text.
        model: the model that was asked, for a provider that does not name it.
        prices: what tokens cost, if known.
    """
    if not body.strip():
        return Failure("the response was empty", retryable=True)
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        message = choice["message"]
        content = _text(message.get("content"))
        separate = message.get("reasoning_content") or message.get("reasoning") or ""
        finish = choice.get("finish_reason")
        usage = _usage(data.get("usage") or {}, prices)
    except json.JSONDecodeError as error:
        return Failure(f"the response was not whole JSON ({error})", retryable=True)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        return Failure(f"the response was no chat completion ({type(error).__name__}: {error})", retryable=True)
    thought, text = split_thinking(content)
    reasoning = "\n".join(part for part in (str(separate).strip(), thought) if part)
    if not text and not reasoning and finish != "length":
        return Failure("the reply had no text", retryable=True)
    return ChatReply(text, reasoning, usage, str(data.get("model") or model))


def _text(content: Any) -> str:
    """Return a message's content, which some providers send as a list of parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return "" if content is None else str(content)


def _usage(data: Mapping[str, Any], prices: Prices | None) -> Usage:
    details = data.get("prompt_tokens_details") or {}
    usage = Usage(
        input_tokens=int(data.get("prompt_tokens") or 0),
        output_tokens=int(data.get("completion_tokens") or 0),
        # DeepSeek counts its cache beside the details.
        cached_tokens=int(details.get("cached_tokens") or data.get("prompt_cache_hit_tokens") or 0),
    )
    # A bill of 0 USD for a reply whose tokens nobody counted would be wrong: it stays unknown.
    return dataclasses.replace(usage, usd=prices.usd(usage)) if prices is not None and data else usage
