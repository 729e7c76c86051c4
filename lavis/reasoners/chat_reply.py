"""A response as it came over the wire, read: text, reasoning and usage, or what is wrong with it."""

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
CONTEXT_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
CONTEXT_WORDS = re.compile(
    r"context (?:length|size|window)|context_length|prompt is too long|input is too long|maximum number of tokens|"
    r"longer than the (?:model|maximum model)|tokens exceed the configured limit|maximum prompt length",
    re.IGNORECASE,
)
LIMIT_TOKENS = re.compile(
    r"(?:context length (?:is(?: only)?|of|\()|context (?:size|window)(?: is| of)? ?\(?|n_ctx\W+|"
    r"maximum number of tokens allowed \(?|maximum model length of|configured limit of|maximum prompt length is|"
    r"tokens > )\s*(\d+)",
    re.IGNORECASE,
)
PROMPT_TOKENS = re.compile(
    r"(?:resulted in|you passed|requested(?: a total of)?|contains(?: at least)?|request has|input token count \(|"
    r"input \(|prompt \((?:total )?length|n_prompt_tokens\W+|too long: |request \()\s*(\d+)",
    re.IGNORECASE,
)

IMAGE_WORDS = re.compile(
    r"at most (?P<limit>\d+) image|(?:image=|image: ?)(?P<set>\d+) .{0,60}limit-mm-per-prompt|too many images|"
    r"(?:maximum|max\.?)(?: number)?(?: of)? images|image limit|(?:payload|request entity|content) too large",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class ChatReply:
    """What a provider said; ``cut`` where it stopped at a number of tokens."""

    text: str
    reasoning: str
    usage: Usage
    model: str
    cut: bool = False


def split_thinking(text: str) -> tuple[str, str]:
    """Split ``<think>…</think>answer`` into (reasoning, answer); an unclosed thought leaves no answer."""
    match = THINKING.match(text) or UNFINISHED_THINKING.match(text)
    if match is None:
        return "", text.strip()
    return match["reasoning"].strip(), text[match.end() :].strip()


def read_reply(body: bytes, *, model: str) -> ChatReply | Failure:
    """Read the body of a 200 response.

    An overloaded provider may answer 200 with nothing, with blanks, or with JSON that was cut off:
    those are failures that another attempt may mend. Blanks before the JSON (keep-alive lines) are none.

    Args:
        body: the response's bytes.
        model: the model that was asked, for a provider that does not name it.
    """
    if not body.strip():
        return Failure("the response was empty", retryable=True, cause="empty reply")
    try:
        data = json.loads(body.decode())
        choice = data["choices"][0]
        message = choice["message"]
        content = _text(message.get("content"))
        separate = message.get("reasoning_content") or message.get("reasoning") or ""
        finish = choice.get("finish_reason")
        usage = _usage(data.get("usage") or {})
    except UnicodeDecodeError as error:
        return Failure(f"the response was not UTF-8 ({error.reason})", retryable=True, cause="damaged reply")
    except json.JSONDecodeError as error:
        return Failure(f"the response was not whole JSON ({error})", retryable=True, cause="damaged reply")
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        return Failure(
            f"the response was no chat completion ({type(error).__name__}: {error})",
            retryable=True,
            cause="damaged reply",
        )
    thought, text = split_thinking(content)
    reasoning = "\n".join(part for part in (str(separate).strip(), thought) if part)
    if not text and not reasoning and finish != "length":
        return Failure("the reply had no text", retryable=True, cause="empty reply")
    return ChatReply(text, reasoning, usage, str(data.get("model") or model), cut=finish == "length")


def context_limits(message: str, code: str) -> tuple[bool, int | None, int | None]:
    """Return whether an error says that the prompt is too long, the context's tokens and the prompt's.

    The words are those of OpenAI, Azure, DeepSeek, vLLM, SGLang, llama.cpp and Gemini; a number that
    is not told is None.
    """
    if code not in CONTEXT_CODES and not CONTEXT_WORDS.search(message):
        return False, None, None
    limit, prompt = LIMIT_TOKENS.search(message), PROMPT_TOKENS.search(message)
    return True, int(limit[1]) if limit else None, int(prompt[1]) if prompt else None


def image_limits(message: str) -> tuple[bool, int | None]:
    """Return whether an error says that a prompt shows more than the model takes, and how many pictures it takes.

    The words are those of vLLM and of servers in front of it, and HTTP's for a request that is too large.
    """
    found = IMAGE_WORDS.search(message)
    if found is None:
        return False, None
    told = found["limit"] or found["set"]
    return True, int(told) if told else None


def _text(content: Any) -> str:
    """Return a message's content, which some providers send as a list of parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return "" if content is None else str(content)


def _usage(data: Mapping[str, Any]) -> Usage:
    details = data.get("prompt_tokens_details") or {}
    return Usage(
        input_tokens=int(data.get("prompt_tokens") or 0),
        output_tokens=int(data.get("completion_tokens") or 0),
        # DeepSeek counts its cache beside the details.
        cached_tokens=int(details.get("cached_tokens") or data.get("prompt_cache_hit_tokens") or 0),
    )
