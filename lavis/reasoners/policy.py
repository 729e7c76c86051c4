"""Refusals on policy: a provider that will not say anything of a prompt, and would not on another attempt."""

from __future__ import annotations

import dataclasses
import json
import re

from lavis.reasoners.chat_reply import ChatReply
from lavis.reasoners.retries import Failure

# The words of OpenAI, Azure, Gemini's and DashScope's compatible servers for a prompt that their filters stop.
REFUSED = re.compile(
    r"content_filter|content_policy_violation|content management policy|ResponsibleAIPolicyViolation|"
    r"safety system|data_inspection_failed|prohibited_content",
    re.IGNORECASE,
)
# A whole reply is read a second time only where one of these stands in it.
WITHHELD = re.compile(rb'"refusal"\s*:\s*"|"finish_reason"\s*:\s*"content_filter"')
CAUSE = "policy"


def policy_refusal(failure: Failure, told: object) -> Failure | None:
    """Return a failure as one on policy where the response's words or code say so, else None.

    Args:
        failure: as it was read.
        told: the body of the response.
    """
    if failure.status not in (400, 403, 422, 451) or REFUSED.search(f"{failure.reason} {told}") is None:
        return None
    return dataclasses.replace(failure, reason=f"refused on policy: {failure.reason}", retryable=False, cause=CAUSE)


def withheld(body: bytes, reply: ChatReply | Failure) -> ChatReply | Failure:
    """Return a reply, or what a 200 response says instead of one: a refusal, or nothing past a filter.

    A text that a filter ended is kept, as one that was cut.

    Args:
        body: the response's bytes.
        reply: what was read from them; a body that is no chat completion is another's business.
    """
    if WITHHELD.search(body) is None:
        return reply
    try:
        choice = json.loads(body)["choices"][0]
        said, finish = choice["message"].get("refusal"), choice.get("finish_reason")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return reply
    if isinstance(reply, ChatReply) and reply.text:
        return dataclasses.replace(reply, cut=reply.cut or finish == "content_filter")
    if said:
        return Failure(f"refused on policy: {said}", retryable=False, cause=CAUSE)
    if finish == "content_filter":
        return Failure("refused on policy: a content filter withheld the reply", retryable=False, cause=CAUSE)
    return reply
