"""A reasoner at any provider or server that speaks OpenAI's chat completions."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

from lavis.common import event_loop
from lavis.common.errors import ConfigError, ContextTooLongError, ReasonerError, TooManyImagesError
from lavis.reasoners import policy
from lavis.reasoners.availability import Availability
from lavis.reasoners.base import AnswerForm, Completion, Prompt, Reasoner, SchemaPath, Usage
from lavis.reasoners.chat_reply import ChatReply, read_reply
from lavis.reasoners.concurrency import START_CONNECTIONS, AdaptiveLimiter
from lavis.reasoners.openai_client import checked_url, open_client, read_key
from lavis.reasoners.openai_failures import BODY_ERRORS, no_response, refusal
from lavis.reasoners.retries import Failure, RetryPolicy
from lavis.reasoners.structured import UNSUPPORTED, asked_in_words, misfit, repair_messages, response_format

if TYPE_CHECKING:
    import openai

REASON_CHARS = 500
# How long a server may be unreachable before its first reply.
START_S = 8.0
Structured = Literal["auto", "server", "words"]

log = logging.getLogger(__name__)


class OpenAIReasoner(Reasoner):
    """Sends a prompt as chat messages; bounded in connections, attempts and time.

    Args:
        model: the model's name at the provider; Azure's deployment.
        base_url: where the API is; without user, password or query.
        api_key_env: the environment variable that holds the key; null for a server that wants none.
        azure: speak Azure's form of the API; needs ``api_version``.
        api_version: of Azure's API (``2024-10-21``).
        max_connections: calls in flight at once, over all ranks.
        start_connections: calls in flight at first; they grow while that is used and healthy.
        timeout_s: for one attempt's silence; a reasoning model may say nothing for minutes.
        max_call_s: for one attempt as a whole, keep-alive lines or not.
        max_attempts: calls made for one prompt at most.
        max_retry_s: no attempt begins later than this after the first.
        retry_base_s: the first wait is drawn from 0 to this, the next from 0 to twice this, ….
        max_outage_s: how long the server may be away before the run ends; null: as long as it takes.
        temperature: null to send none, for models that refuse it.
        max_output_tokens: sent as ``max_tokens``; null to send none, so that reasoning is not cut off.
        context_tokens: of the model, prompt and reply together; longer evidence is shortened before it is sent.
        structured: how a reply is held to a schema: ``server`` (JSON schema), ``words`` (asked for, parsed,
            repaired once), ``auto`` (the server where it can).
        sees_images: whether the model takes pictures.
        hears_audio: whether the model takes sounds.
        extra_body: further fields of the request.
        answer_form: ``letter`` or ``text``.

    Raises:
        ReasonerError: the openai package is not installed.
        ConfigError: an option is out of range.
    """

    writes_json = True

    def __init__(
        self,
        *,
        model: str,
        base_url: str = "https://api.openai.com/v1",
        api_key_env: str | None = "OPENAI_API_KEY",
        azure: bool = False,
        api_version: str | None = None,
        max_connections: int = 8,
        start_connections: int = START_CONNECTIONS,
        timeout_s: float = 600.0,
        max_call_s: float = 3600.0,
        max_attempts: int = 5,
        max_retry_s: float = 900.0,
        retry_base_s: float = 1.0,
        max_outage_s: float | None = 900.0,
        temperature: float | None = 0.0,
        max_output_tokens: int | None = None,
        context_tokens: int | None = None,
        structured: Structured = "auto",
        sees_images: bool = False,
        hears_audio: bool = False,
        extra_body: Mapping[str, Any] | None = None,
        answer_form: AnswerForm = "letter",
    ) -> None:
        if min(max_connections, start_connections, max_attempts) < 1:
            raise ConfigError("model.reasoner: max_connections, start_connections and max_attempts are 1 or more.")
        if answer_form not in get_args(AnswerForm):
            raise ConfigError(f"model.reasoner.answer_form is {answer_form!r}; say letter or text.")
        if structured not in get_args(Structured):
            raise ConfigError(f"model.reasoner.structured is {structured!r}; say {', '.join(get_args(Structured))}.")
        if azure and not api_version:
            raise ConfigError("model.reasoner: azure needs api_version, such as 2024-10-21.")
        if importlib.util.find_spec("openai") is None:
            raise ReasonerError("the openai reasoner needs the openai package: pip install 'openai[aiohttp]'")
        self.model = model
        self.base_url = checked_url(base_url)
        self.azure = azure
        self.api_version = api_version
        self.max_connections = self._all_connections = max_connections
        self.start_connections = start_connections
        self.timeout_s = timeout_s
        self.max_call_s = max_call_s
        self.retries = RetryPolicy(max_attempts=max_attempts, max_retry_s=max_retry_s, base_s=retry_base_s)
        self.max_outage_s = max_outage_s
        self.temperature = temperature
        self.max_output_tokens = max_output_tokens
        self.context_tokens = context_tokens
        self.structured = structured
        self.sees_images = sees_images
        self.hears_audio = hears_audio
        self.extra_body = dict(extra_body or {})
        self.answer_form = answer_form
        self.api_key_env = api_key_env
        self._server_has_schemas = structured != "words"
        self._open_here()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model!r}, base_url={self.base_url!r})"

    def _open_here(self) -> None:
        """Forget the connection; a later call opens another."""
        self._key: str | None = None
        self._client: openai.AsyncOpenAI | None = None
        self._limiter: AdaptiveLimiter | None = None
        self._server = Availability(
            f"{self.model} at {self.base_url}",
            advice=self._advice,
            max_outage_s=self.max_outage_s,
            start_s=START_S,
        )

    def prepare(self) -> None:
        """Read the key and load the client's library, unless that is done.

        Raises:
            ReasonerError: the key's variable is not set (names it).
        """
        if self._key is None:
            import openai  # noqa: F401 - a second of work that the first call need not wait for

            self._key = read_key(self.api_key_env, self.base_url)

    def take_share(self, rank: int, world_size: int) -> None:
        """Keep to this rank's share of the connections.

        Raises:
            ConfigError: there are fewer connections than ranks.
        """
        if self._all_connections < world_size:
            raise ConfigError(
                f"model.reasoner.max_connections is {self._all_connections}, fewer than the {world_size} ranks that "
                "share them; raise it, or start fewer ranks."
            )
        self.max_connections = self._all_connections // world_size + (rank < self._all_connections % world_size)

    def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt, trying again where that may help.

        Raises:
            ReasonerError: every attempt failed; never contains the key.
            ReasonerUnusableError: no prompt can be completed: a wrong key, an unknown model, a server that is gone.
            ContextTooLongError: the prompt does not fit into the model's context.
        """
        return event_loop.run(self._complete(prompt))

    async def acomplete(self, prompt: Prompt) -> Completion:
        """Complete a prompt on the process's event loop."""
        return await event_loop.on_process_loop(self._complete(prompt))

    def identity(self) -> dict[str, Any]:
        """Return where and what is asked; no secrets."""
        return {
            "type": "openai",
            "base_url": self.base_url,
            "model": self.model,
            "api_version": self.api_version,
            "temperature": self.temperature,
            "max_output_tokens": self.max_output_tokens,
            "extra_body": self.extra_body,
        }

    def reply_tokens(self, prompt: Prompt) -> int:
        """Return what the request allows, or what the prompt expects where it allows anything."""
        return self.max_output_tokens or prompt.max_tokens

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        client = self._client
        self._open_here()
        if client is not None:
            event_loop.run(client.close())

    async def _complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt on the process's event loop, held to its schema where it has one."""
        start = time.monotonic()
        messages = prompt.messages()
        reply, attempts, by_server = await self._reply(messages, prompt)
        path: SchemaPath = ""
        if prompt.schema is not None:
            path = "json_schema" if by_server else "parsed"
            problem = misfit(reply.text, prompt.schema)
            if problem:
                repair = repair_messages(messages, reply.text, problem)
                second, more, _ = await self._reply(repair, prompt)
                attempts += more
                path = "unfit" if misfit(second.text, prompt.schema) else "repaired"
                reply = _both(reply, second)
        return Completion(
            reply.text,
            reply.usage,
            reply.model,
            time.monotonic() - start,
            reasoning=reply.reasoning,
            attempts=attempts,
            schema_path=path,
            cut=reply.cut,
        )

    async def _reply(self, messages: list[dict[str, Any]], prompt: Prompt) -> tuple[ChatReply, int, bool]:
        """Return the reply, the calls made, and whether the server held it to the prompt's schema."""
        schema = prompt.schema
        if schema is None:
            return *await self._call(self._request(messages)), False
        if self._server_has_schemas:
            try:
                request = self._request(messages) | {"response_format": response_format(schema)}
                return *await self._call(request), True
            except RefusedError as error:
                if not self._lacks_schemas(request, error.failure):
                    raise
                log.info("%s knows no JSON schemas (%s); replies are parsed instead", self.model, error.failure.reason)
                self._server_has_schemas = False
        return *await self._call(self._request(asked_in_words(messages, schema))), False

    def _lacks_schemas(self, request: Mapping[str, Any], failure: Failure) -> bool:
        """Return whether a server refused nothing but the schema, which can then be asked for in words."""
        asked = "response_format" in request and self.structured == "auto"
        return asked and not failure.retryable and UNSUPPORTED.search(failure.reason) is not None

    def _request(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self.model, "messages": messages, **self.extra_body}
        if self.temperature is not None:
            request["temperature"] = self.temperature
        if self.max_output_tokens is not None:
            request["max_tokens"] = self.max_output_tokens
        return request

    async def _call(self, request: dict[str, Any]) -> tuple[ChatReply, int]:
        """Make calls until one is answered, within the bounds; return the reply and the number of calls."""
        limiter = self._opened_limiter()
        start, attempts = time.monotonic(), 0
        while True:
            async with self._server.passage(), limiter.slot() as report:
                began = time.monotonic()
                self.monitor.in_flight += 1
                try:
                    outcome = await self._attempt(request)
                finally:
                    self.monitor.in_flight -= 1
                report.ended = True
                if isinstance(outcome, ChatReply):
                    report.latency_s = time.monotonic() - began
                    self._server.replied()
                else:
                    report.congested = outcome.congested
                    # Before this place is another's; not for longer than any call would wait.
                    if outcome.retry_after_s and outcome.retry_after_s <= self.retries.max_retry_s:
                        limiter.pause(outcome.retry_after_s)
                    if outcome.too_many_images or outcome.cause == policy.CAUSE:
                        # It answered, and spoke of this prompt alone: many such in a row mean no wrong set-up.
                        self._server.replied()
                    elif not self._lacks_schemas(request, outcome):
                        self._server.failed(outcome)
            self.monitor.limit = int(limiter.limit)
            if isinstance(outcome, ChatReply):
                self.monitor.waiting_for = ""
                return outcome, attempts + 1
            if not self._server.counts(outcome):
                self.monitor.waiting_for = f"{self.base_url} is away ({outcome.reason})"
                # The outage takes no time from the call. What it met before still counts: its prompt may be
                # what brings the server down.
                start = time.monotonic()
                continue
            attempts += 1
            elapsed_s = time.monotonic() - start
            wait_s = self.retries.wait_s(outcome, attempts=attempts, elapsed_s=elapsed_s)
            if wait_s is None:
                raise self._error(outcome, attempts, elapsed_s)
            self.monitor.retries[outcome.cause] += 1
            log.debug("%s: %s; attempt %d in %.1f s", self.model, outcome.reason, attempts + 1, wait_s)
            await asyncio.sleep(wait_s)

    def _opened_limiter(self) -> AdaptiveLimiter:
        if self._limiter is None:
            self.prepare()
            self._limiter = AdaptiveLimiter(self.max_connections, start=self.start_connections)
            self._client = open_client(
                base_url=self.base_url,
                key=self._key or "",
                timeout_s=self.timeout_s,
                max_call_s=self.max_call_s,
                connections=self.max_connections,
                azure=self.azure,
                api_version=self.api_version,
            )
        return self._limiter

    async def _attempt(self, request: dict[str, Any]) -> ChatReply | Failure:
        """Make one call; every failure becomes a value whose text has no secrets."""
        import httpx2
        import openai

        try:
            outcome = await self._exchange(request)
        except openai.APIStatusError as error:
            outcome = refusal(error)
            outcome = policy.policy_refusal(outcome, error.body) or outcome
        except (openai.APIConnectionError, *BODY_ERRORS, httpx2.HTTPError, OSError) as error:
            outcome = no_response(error, timeout_s=self.timeout_s)
        except openai.OpenAIError as error:
            outcome = Failure(f"{type(error).__name__}: {error}", retryable=False)
        if isinstance(outcome, ChatReply):
            return outcome
        return dataclasses.replace(outcome, reason=self._scrub(outcome.reason))

    async def _exchange(self, request: dict[str, Any]) -> ChatReply | Failure:
        """Send a request and read its response; raises what the client raises."""
        import httpx2

        assert self._client is not None  # noqa: S101 - opened with the limiter
        # The plain form of the client's call: its typed form spends half its time on looking at types.
        response = await self._client.post("/chat/completions", body=request, cast_to=httpx2.Response)
        return policy.withheld(response.content, read_reply(response.content, model=self.model))

    def _scrub(self, text: str) -> str:
        """Take the key out of a text; providers repeat it in their errors."""
        clean = text.replace(self._key, "[key]") if self._key else text
        return " ".join(clean.split())[:REASON_CHARS]

    def _error(self, failure: Failure, attempts: int, elapsed_s: float) -> ReasonerError:
        said = f"{self.model} at {self.base_url}: {failure.reason} ({attempts} attempts in {elapsed_s:.1f} s)."
        if failure.too_long:
            return ContextTooLongError(said, limit_tokens=failure.limit_tokens, prompt_tokens=failure.prompt_tokens)
        if failure.too_many_images:
            return TooManyImagesError(said, limit_images=failure.limit_images)
        return RefusedError(f"{said} {self._advice(failure)}", failure)

    def _advice(self, failure: Failure) -> str:
        if failure.cause == policy.CAUSE:
            return "The provider will not speak of this prompt; another model may."
        if failure.status in (401, 403):
            return f"Check the key in {self.api_key_env}."
        if failure.status == 404:
            return "Check model.reasoner.model and base_url."
        if failure.cause == "tls":
            return "Check model.reasoner.base_url: https or http, and the server's certificate."
        if failure.cause == "connection":
            return "Check model.reasoner.base_url and that the server runs."
        if failure.retryable:
            return "Raise model.reasoner.max_attempts or max_retry_s, or lower max_connections."
        return "The provider refused the request; another attempt would not help."


class RefusedError(ReasonerError):
    """A request that was given up; carries the last failure."""

    def __init__(self, message: str, failure: Failure) -> None:
        super().__init__(message)
        self.failure = failure


def _both(first: ChatReply, second: ChatReply) -> ChatReply:
    """Return the second reply with the usage of both."""
    usage = Usage(
        input_tokens=first.usage.input_tokens + second.usage.input_tokens,
        output_tokens=first.usage.output_tokens + second.usage.output_tokens,
        cached_tokens=first.usage.cached_tokens + second.usage.cached_tokens,
    )
    return dataclasses.replace(second, usage=usage)
