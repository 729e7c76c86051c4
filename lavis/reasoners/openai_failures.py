"""What went wrong with one call, read from the client's exceptions; texts may still hold secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lavis.reasoners.chat_reply import context_limits, image_limits
from lavis.reasoners.openai_client import (
    BodyTooLargeError,
    BodyTooSlowError,
    connection_cause,
    never_connected,
    root_cause,
)
from lavis.reasoners.retries import Failure, is_retryable_status, retry_after_s

if TYPE_CHECKING:
    import openai

REFUSED_AS_SENT = (400, 413, 422)
BODY_ERRORS = (BodyTooLargeError, BodyTooSlowError)


def refusal(error: openai.APIStatusError) -> Failure:
    """Return a response with an error status as a failure."""
    body = error.body if isinstance(error.body, Mapping) else {}
    code = str(body.get("code") or body.get("type") or "")
    status = error.status_code
    # The client repeats the message of OpenAI's form and drops any other: a list, a text, FastAPI's detail.
    words = error.message if body.get("message") else f"{error.message} {error.body or ''}"
    text = f"{error.message} {error.body}"
    too_long, limit, prompt = context_limits(text, code) if status in REFUSED_AS_SENT else (False, None, None)
    too_many, limit_images = image_limits(text) if status in REFUSED_AS_SENT and not too_long else (False, None)
    return Failure(
        f"HTTP {status} {words}",
        retryable=is_retryable_status(status),
        retry_after_s=retry_after_s(error.response.headers),
        cause=f"HTTP {status}",
        status=status,
        limit_tokens=limit,
        prompt_tokens=prompt,
        too_long=too_long,
        too_many_images=too_many,
        limit_images=limit_images,
    )


def no_response(error: Exception, *, timeout_s: float) -> Failure:
    """Return what kept a response from coming, or from coming whole, as a failure.

    Args:
        error: as the client raised it.
        timeout_s: what silence was allowed.
    """
    cause, first = connection_cause(error), root_cause(error)
    if isinstance(first, BodyTooLargeError):
        return Failure(str(first), retryable=True, cause="damaged reply")
    if isinstance(first, BodyTooSlowError):
        return Failure(str(first), retryable=True, cause="timeout")
    if cause == "timeout":
        return Failure(f"no answer within {timeout_s:g} s", retryable=True, cause=cause)
    detail = f"{type(first).__name__}: {first}"
    if cause == "tls":
        return Failure(f"no secure connection ({detail})", retryable=False, cause=cause)
    reason = f"the connection failed ({detail})"
    return Failure(reason, retryable=True, cause=cause, unconnected=never_connected(error))
