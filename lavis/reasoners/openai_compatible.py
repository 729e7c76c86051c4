"""A reasoner at any provider or server that speaks OpenAI's chat completions."""

from __future__ import annotations

import importlib.util
import ipaddress
import logging
import os
import threading
import time
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lavis.common.errors import ConfigError, ReasonerError
from lavis.reasoners.base import AnswerForm, Completion, Prompt, Reasoner
from lavis.reasoners.chat_reply import ChatReply, Prices, read_reply
from lavis.reasoners.retries import Failure, RetryPolicy, is_retryable_status, retry_after_s

if TYPE_CHECKING:
    import openai

REASON_CHARS = 500

log = logging.getLogger(__name__)


class OpenAIReasoner(Reasoner):
    """Sends a prompt as chat messages; bounded in connections, attempts, time and USD.

    Args:
        model: the model's name at the provider.
        base_url: where the API is; without user, password or query.
        api_key_env: the environment variable that holds the key; null for a server that wants none.
        max_connections: calls in flight at once.
        timeout_s: for one attempt's silence; a reasoning model may say nothing for minutes.
        max_attempts: calls made for one prompt at most.
        max_retry_s: no attempt begins later than this after the first.
        retry_base_s: the first wait is drawn from 0 to this, the next from 0 to twice this, ….
        temperature: null to send none, for models that refuse it.
        max_output_tokens: sent as ``max_tokens``; null to send none, so that reasoning is not cut off.
        extra_body: further fields of the request.
        price_in_usd_per_mtok: with ``price_out_usd_per_mtok``, completions carry their USD.
        price_out_usd_per_mtok: likewise.
        price_cached_in_usd_per_mtok: null: as ``price_in_usd_per_mtok``.
        max_usd: completions are refused once this much was spent in this process; needs the prices.
        answer_form: ``letter`` or ``text``.

    Raises:
        ReasonerError: the key's variable is not set (names it), or the openai package is not installed.
        ConfigError: an option is out of range.
    """

    def __init__(
        self,
        *,
        model: str,
        base_url: str = "https://api.openai.com/v1",
        api_key_env: str | None = "OPENAI_API_KEY",
        max_connections: int = 8,
        timeout_s: float = 600.0,
        max_attempts: int = 5,
        max_retry_s: float = 900.0,
        retry_base_s: float = 1.0,
        temperature: float | None = 0.0,
        max_output_tokens: int | None = None,
        extra_body: Mapping[str, Any] | None = None,
        price_in_usd_per_mtok: float | None = None,
        price_out_usd_per_mtok: float | None = None,
        price_cached_in_usd_per_mtok: float | None = None,
        max_usd: float | None = None,
        answer_form: AnswerForm = "letter",
    ) -> None:
        if max_connections < 1 or max_attempts < 1:
            raise ConfigError("model.reasoner: max_connections and max_attempts must be at least 1.")
        if answer_form not in ("letter", "text"):
            raise ConfigError(f"model.reasoner.answer_form is {answer_form!r}; say letter or text.")
        if importlib.util.find_spec("openai") is None:
            raise ReasonerError("the openai reasoner needs the openai package: pip install openai")
        self.model = model
        self.base_url = _checked_url(base_url)
        self.max_connections = max_connections
        self.timeout_s = timeout_s
        self.retries = RetryPolicy(max_attempts=max_attempts, max_retry_s=max_retry_s, base_s=retry_base_s)
        self.temperature = temperature
        self.max_output_tokens = max_output_tokens
        self.extra_body = dict(extra_body or {})
        self.prices = _prices(price_in_usd_per_mtok, price_out_usd_per_mtok, price_cached_in_usd_per_mtok)
        if max_usd is not None and self.prices is None:
            raise ConfigError("model.reasoner.max_usd needs price_in_usd_per_mtok and price_out_usd_per_mtok.")
        self.max_usd = max_usd
        self.answer_form = answer_form
        self.api_key_env = api_key_env
        self._key = _read_key(api_key_env, self.base_url)
        self._slots = threading.BoundedSemaphore(max_connections)
        self._lock = threading.Lock()
        self._client: openai.OpenAI | None = None
        self._spent_usd = 0.0

    def __repr__(self) -> str:
        return f"OpenAIReasoner(model={self.model!r}, base_url={self.base_url!r})"

    def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt, trying again where that may help.

        Raises:
            ReasonerError: every attempt failed, or ``max_usd`` is spent; never contains the key.
        """
        start = time.monotonic()
        request = self._request(prompt)
        attempts = 0
        while True:
            self._check_budget()
            attempts += 1
            with self._slots:
                outcome = self._attempt(request)
            elapsed_s = time.monotonic() - start
            if isinstance(outcome, ChatReply):
                self._count(outcome)
                return Completion(
                    outcome.text,
                    outcome.usage,
                    outcome.model,
                    elapsed_s,
                    reasoning=outcome.reasoning,
                    attempts=attempts,
                )
            wait_s = self.retries.wait_s(outcome, attempts=attempts, elapsed_s=elapsed_s)
            if wait_s is None:
                raise ReasonerError(self._give_up(outcome, attempts, elapsed_s))
            log.warning("%s: %s; attempt %d in %.1f s", self.model, outcome.reason, attempts + 1, wait_s)
            time.sleep(wait_s)

    def identity(self) -> dict[str, Any]:
        """Return where and what is asked; no secrets."""
        return {
            "type": "openai",
            "base_url": self.base_url,
            "model": self.model,
            "temperature": self.temperature,
            "max_output_tokens": self.max_output_tokens,
            "extra_body": self.extra_body,
        }

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def _request(self, prompt: Prompt) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self.model, "messages": prompt.messages()}
        if self.temperature is not None:
            request["temperature"] = self.temperature
        if self.max_output_tokens is not None:
            request["max_tokens"] = self.max_output_tokens
        return request

    def _opened(self) -> openai.OpenAI:
        with self._lock:
            if self._client is None:
                self._client = self._open()
            return self._client

    def _open(self) -> openai.OpenAI:
        import openai

        http_client = openai.DefaultHttpxClient(
            http2=False,
            # A proxy of the environment cannot reach a server on this machine.
            trust_env=not _is_loopback(self.base_url),
        )
        return openai.OpenAI(
            base_url=self.base_url,
            api_key=self._key or "none",
            max_retries=0,  # they are counted, bounded and logged here
            timeout=openai.Timeout(self.timeout_s, connect=min(30.0, self.timeout_s)),
            http_client=http_client,
        )

    def _attempt(self, request: dict[str, Any]) -> ChatReply | Failure:
        """Make one call; every failure becomes a value whose text has no secrets."""
        import openai

        try:
            response = self._opened().chat.completions.with_raw_response.create(
                **request, extra_body=self.extra_body or None
            )
            body = response.text
        except openai.APIStatusError as error:
            return Failure(
                self._scrub(f"HTTP {error.status_code} {error.message}"),
                retryable=is_retryable_status(error.status_code),
                retry_after_s=retry_after_s(error.response.headers),
            )
        except openai.APITimeoutError:
            return Failure(f"no answer within {self.timeout_s:g} s", retryable=True)
        except openai.APIConnectionError as error:
            cause = error.__cause__
            detail = f"{type(cause).__name__}: {cause}" if cause is not None else str(error)
            return Failure(self._scrub(f"the connection failed ({detail})"), retryable=True)
        except openai.OpenAIError as error:
            return Failure(self._scrub(f"{type(error).__name__}: {error}"), retryable=False)
        outcome = read_reply(body, model=self.model, prices=self.prices)
        return outcome if isinstance(outcome, ChatReply) else Failure(self._scrub(outcome.reason), outcome.retryable)

    def _scrub(self, text: str) -> str:
        """Take the key out of a text; providers repeat it in their errors."""
        clean = text.replace(self._key, "[key]") if self._key else text
        return " ".join(clean.split())[:REASON_CHARS]

    def _give_up(self, failure: Failure, attempts: int, elapsed_s: float) -> str:
        said = f"{self.model} at {self.base_url}: {failure.reason} ({attempts} attempts in {elapsed_s:.1f} s)."
        if "HTTP 401" in failure.reason or "HTTP 403" in failure.reason:
            return f"{said} Check the key in {self.api_key_env}."
        if "HTTP 404" in failure.reason:
            return f"{said} Check model.reasoner.model and base_url."
        if failure.retryable:
            return f"{said} Raise model.reasoner.max_attempts or max_retry_s, or lower max_connections."
        return f"{said} The provider refused the request; another attempt would not help."

    def _check_budget(self) -> None:
        with self._lock:
            spent_usd = self._spent_usd
        if self.max_usd is not None and spent_usd >= self.max_usd:
            raise ReasonerError(f"max_usd: {spent_usd:.4f} of {self.max_usd:.4f} USD are spent; raise it to go on.")

    def _count(self, reply: ChatReply) -> None:
        if self.max_usd is not None and reply.usage.usd is None:
            raise ReasonerError(f"{self.model} reports no usage, so max_usd cannot be kept; set it to null to go on.")
        with self._lock:
            self._spent_usd += reply.usage.usd or 0.0


def _checked_url(base_url: str) -> str:
    parts = urllib.parse.urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("model.reasoner.base_url must begin with https:// or http:// and name a host.")
    if parts.username or parts.password or parts.query:
        raise ConfigError("model.reasoner.base_url holds a user, a password or a query; keys go into api_key_env.")
    return base_url.rstrip("/")


def _is_loopback(base_url: str) -> bool:
    host = urllib.parse.urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read_key(api_key_env: str | None, base_url: str) -> str:
    """Return the key; empty where none is wanted, or a server on this machine was given none."""
    if api_key_env is None:
        return ""
    key = os.environ.get(api_key_env, "").strip()
    if not key and not _is_loopback(base_url):
        raise ReasonerError(
            f"The environment variable {api_key_env} is not set: it holds the key for {base_url}. "
            "Set it, or set model.reasoner.api_key_env to null for a server that wants no key."
        )
    return key


def _prices(price_in: float | None, price_out: float | None, price_cached_in: float | None) -> Prices | None:
    if price_in is None and price_out is None and price_cached_in is None:
        return None
    if price_in is None or price_out is None:
        raise ConfigError("model.reasoner: price_in_usd_per_mtok and price_out_usd_per_mtok go together.")
    return Prices(in_=price_in, out=price_out, cached_in=price_cached_in)
