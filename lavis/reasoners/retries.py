"""Which failures of a provider are worth another attempt, and when."""

from __future__ import annotations

import dataclasses
import email.utils
import math
import random
import time
from collections.abc import Mapping

RETRYABLE_STATUS = frozenset({408, 409, 425, 429})
CONGESTED_STATUS = frozenset({429, 503, 529})
# What a proxy says when nothing answers behind it.
GATEWAY_STATUS = frozenset({502, 503, 504})


@dataclasses.dataclass(frozen=True)
class Failure:
    """One attempt that failed.

    Attributes:
        reason: what happened, without secrets.
        retryable: whether the same request may succeed later.
        retry_after_s: how long the provider asks to wait; None if it does not say.
        cause: one or two words to count by: ``HTTP 429``, ``timeout``, ``connection``, ``tls``, ``reply`` …
        status: of the response; 0 where there was none.
        limit_tokens: of the model's context, where a response says that a prompt is too long for it.
        prompt_tokens: of that prompt, where the response says it.
        too_long: whether the response says so.
        too_many_images: whether it says that a prompt has more pictures than the model takes.
        limit_images: how many it takes, where the response says so.
        unconnected: whether no connection was made, so that the request never left.
    """

    reason: str
    retryable: bool
    retry_after_s: float | None = None
    cause: str = "reply"
    status: int = 0
    limit_tokens: int | None = None
    prompt_tokens: int | None = None
    too_long: bool = False
    too_many_images: bool = False
    limit_images: int | None = None
    unconnected: bool = False

    @property
    def congested(self) -> bool:
        """Whether the provider says that it is asked too much."""
        return self.status in CONGESTED_STATUS

    @property
    def unreachable(self) -> bool:
        """Whether nobody answered: it says nothing about the request, and everything about the server."""
        return self.cause in ("connection", "timeout") or self.status in GATEWAY_STATUS


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """Bounds attempts by number and by time; waits with full jitter.

    Attributes:
        max_attempts: calls made at most, at least 1.
        max_retry_s: no attempt begins later than this after the first one.
        base_s: the first wait is drawn from 0 to this; it doubles with each attempt.
        cap_s: and never exceeds this, unless the provider asks for more.
    """

    max_attempts: int = 5
    max_retry_s: float = 900.0
    base_s: float = 1.0
    cap_s: float = 60.0

    def wait_s(self, failure: Failure, *, attempts: int, elapsed_s: float) -> float | None:
        """Return how long to wait before the next attempt, or None if there is to be none."""
        if not failure.retryable or attempts >= self.max_attempts:
            return None
        # The exponent is bounded because a float is: 2.0**1024 overflows.
        wait_s = random.uniform(0.0, min(self.cap_s, self.base_s * 2.0 ** min(attempts - 1, 30)))
        if failure.retry_after_s is not None:
            # After a common pause everybody would come back at once; the jitter goes on top.
            wait_s += failure.retry_after_s
        return wait_s if elapsed_s + wait_s <= self.max_retry_s else None


def is_retryable_status(status: int) -> bool:
    """Return whether a response with this status may be asked for again."""
    return status in RETRYABLE_STATUS or status >= 500


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After-Ms`` or ``Retry-After`` (seconds or an HTTP date); None where there is none to read."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
