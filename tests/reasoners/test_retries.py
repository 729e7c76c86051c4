"""When a provider is asked again, and after how long."""

from __future__ import annotations

import datetime
import email.utils

import pytest

from lavis.reasoners.retries import Failure, RetryPolicy, is_retryable_status, retry_after_s


def test_waits_grow_are_jittered_and_capped() -> None:
    policy = RetryPolicy(max_attempts=2000, max_retry_s=1e9, base_s=1.0, cap_s=8.0)
    failure = Failure("HTTP 500", retryable=True)

    for attempts, limit_s in [(1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (1500, 8.0)]:
        waits = [policy.wait_s(failure, attempts=attempts, elapsed_s=0.0) for _ in range(200)]
        assert all(wait is not None and 0 <= wait <= limit_s for wait in waits)
        assert max(wait for wait in waits if wait is not None) > 0.5 * limit_s
        assert len(set(waits)) > 100  # full jitter: callers that failed together come back apart


def test_what_the_provider_asks_for_is_waited_in_full() -> None:
    failure = Failure("HTTP 429", retryable=True, retry_after_s=30.0)

    wait_s = RetryPolicy(cap_s=1.0).wait_s(failure, attempts=1, elapsed_s=0.0)

    assert wait_s is not None
    assert 30.0 <= wait_s <= 31.0


@pytest.mark.parametrize(
    ("retryable", "attempts", "elapsed_s"),
    [(False, 1, 0.0), (True, 5, 0.0), (True, 1, 901.0)],
    ids=["refused", "attempts", "time"],
)
def test_an_end_is_an_end(retryable: bool, attempts: int, elapsed_s: float) -> None:
    assert RetryPolicy().wait_s(Failure("x", retryable), attempts=attempts, elapsed_s=elapsed_s) is None


def test_statuses() -> None:
    assert [
        code for code in (400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 529) if is_retryable_status(code)
    ] == [
        408,
        409,
        429,
        500,
        502,
        503,
        529,
    ]


def test_retry_after_in_its_forms() -> None:
    soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=20)

    assert retry_after_s({"retry-after": "7"}) == 7.0
    assert retry_after_s({"retry-after-ms": "250", "retry-after": "7"}) == 0.25
    assert retry_after_s({"retry-after": email.utils.format_datetime(soon, usegmt=True)}) == pytest.approx(20, abs=2)
    assert retry_after_s({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0
    assert [retry_after_s({"retry-after": text}) for text in ("soon", "-5", "nan", "")] == [None] * 4
    assert retry_after_s({}) is None


def test_what_is_asked_for_beyond_the_time_left_is_an_end() -> None:
    failure = Failure("HTTP 429", retryable=True, retry_after_s=30.0)

    assert RetryPolicy(max_retry_s=29.0).wait_s(failure, attempts=1, elapsed_s=0.0) is None
    assert RetryPolicy(max_retry_s=40.0).wait_s(failure, attempts=1, elapsed_s=20.0) is None
    assert RetryPolicy(max_retry_s=40.0).wait_s(failure, attempts=1, elapsed_s=0.0) is not None


@pytest.mark.parametrize(
    ("failure", "congested", "unreachable"),
    [
        (Failure("x", True, cause="HTTP 429", status=429), True, False),
        (Failure("x", True, cause="HTTP 529", status=529), True, False),
        (Failure("x", True, cause="HTTP 503", status=503), True, True),
        (Failure("x", True, cause="HTTP 502", status=502), False, True),
        (Failure("x", True, cause="HTTP 500", status=500), False, False),
        (Failure("x", False, cause="HTTP 400", status=400), False, False),
        (Failure("x", True, cause="timeout"), False, True),
        (Failure("x", True, cause="connection"), False, True),
        (Failure("x", True, cause="empty reply"), False, False),
        (Failure("x", False, cause="tls"), False, False),
    ],
)
def test_a_failure_says_whom_it_is_about(failure: Failure, congested: bool, unreachable: bool) -> None:
    """Congestion shrinks what is in flight; an unreachable server is waited for."""
    assert (failure.congested, failure.unreachable) == (congested, unreachable)
