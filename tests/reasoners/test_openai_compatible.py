"""The OpenAI-compatible reasoner against a real server that misbehaves in every way providers do."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lavis.common.errors import ConfigError, ReasonerError
from lavis.reasoners import Prompt
from lavis.reasoners.openai_compatible import OpenAIReasoner

KEY = "sk-planted-0123456789abcdef"
PROMPT = Prompt(system="Answer.", shared="<evidence x>\na red chair\n</evidence x>", own="Question: What?")

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Plays the next answer of the server's script; the last one is repeated."""

    protocol_version = "HTTP/1.1"
    server: Provider

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append(
                ({name.lower(): value for name, value in self.headers.items()}, body, time.monotonic())
            )
            self.server.in_flight += 1
            self.server.most_in_flight = max(self.server.most_in_flight, self.server.in_flight)
            answer = self.server.script.pop(0) if len(self.server.script) > 1 else self.server.script[0]
        try:
            answer(self)
        finally:
            with self.server.lock:
                self.server.in_flight -= 1

    def send(self, status: int, body: str, **headers: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the test's output clean."""


class Provider(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Answer] = [reply("(A) chair")]
        self.requests: list[tuple[dict[str, str], dict[str, Any], float]] = []
        self.lock = threading.Lock()
        self.in_flight = 0
        self.most_in_flight = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up is what some tests are about."""


def reply(content: str | None, *, finish: str = "stop", usage: dict[str, Any] | None = None, **message: Any) -> Answer:
    tokens = {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 60}}
    data = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "served-model",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content, **message}}
        ],
        "usage": tokens if usage is None else usage,
    }
    return lambda handler: handler.send(200, json.dumps(data))


def status(code: int, message: str = "trouble", **headers: str) -> Answer:
    return lambda handler: handler.send(code, json.dumps({"error": {"message": message}}), **headers)


def raw(body: str) -> Answer:
    return lambda handler: handler.send(200, body)


def slow(seconds: float, then: Answer) -> Answer:
    def answer(handler: Handler) -> None:
        time.sleep(seconds)
        then(handler)

    return answer


def cut_off(handler: Handler) -> None:
    """Promise 1000 bytes, send 10, hang up."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices"')
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)
    handler.close_connection = True


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def ask(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., OpenAIReasoner]]:
    monkeypatch.setenv("PLANTED_KEY", KEY)
    made: list[OpenAIReasoner] = []

    def make(*script: Answer, **options: Any) -> OpenAIReasoner:
        provider.script = list(script) or provider.script
        defaults = {"model": "m", "base_url": provider.url, "api_key_env": "PLANTED_KEY", "retry_base_s": 0.01}
        made.append(OpenAIReasoner(**{**defaults, **options}))
        return made[-1]

    yield make
    for reasoner in made:
        reasoner.close()


Ask = Callable[..., OpenAIReasoner]

# -- what is sent, what comes back -------------------------------------------------------------


def test_a_prompt_goes_out_as_messages_with_the_key_and_comes_back_read(ask: Ask, provider: Provider) -> None:
    completion = ask(extra_body={"seed": 7}, max_output_tokens=99).complete(PROMPT)

    headers, body, _ = provider.requests[0]
    assert headers["authorization"] == f"Bearer {KEY}"
    assert body["messages"] == PROMPT.messages()
    assert (body["model"], body["temperature"], body["max_tokens"], body["seed"]) == ("m", 0.0, 99, 7)
    assert (completion.text, completion.model, completion.attempts) == ("(A) chair", "served-model", 1)
    assert (completion.usage.input_tokens, completion.usage.output_tokens, completion.usage.cached_tokens) == (
        100,
        20,
        60,
    )
    assert completion.usage.usd is None


def test_what_is_null_is_not_sent(ask: Ask, provider: Provider) -> None:
    ask(temperature=None).complete(PROMPT)

    assert not {"temperature", "max_tokens"} & set(provider.requests[0][1])


def test_usd_is_the_sum_of_fresh_cached_and_output_tokens(ask: Ask) -> None:
    """40 fresh tokens at 2, 60 cached at 0.5 and 20 out at 10 USD per million: 310e-6 USD."""
    prices = {"price_in_usd_per_mtok": 2, "price_out_usd_per_mtok": 10, "price_cached_in_usd_per_mtok": 0.5}

    assert ask(**prices).complete(PROMPT).usage.usd == pytest.approx(310e-6)


def test_deepseek_counts_its_cache_elsewhere(ask: Ask) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 2, "prompt_cache_hit_tokens": 64}

    assert ask(reply("A", usage=usage)).complete(PROMPT).usage.cached_tokens == 64


@pytest.mark.parametrize(
    "answer",
    [
        reply("B", reasoning_content="because"),
        reply("B", reasoning="because"),
        reply("<think>\nbecause\n</think>\n\nB"),
        reply("because</think>B"),
    ],
)
def test_reasoning_is_kept_apart_from_the_answer(ask: Ask, answer: Answer) -> None:
    completion = ask(answer).complete(PROMPT)

    assert (completion.text, completion.reasoning) == ("B", "because")


def test_a_thought_that_never_ends_is_no_answer(ask: Ask) -> None:
    completion = ask(reply("<think>maybe A, maybe", finish="length")).complete(PROMPT)

    assert (completion.text, completion.reasoning, completion.attempts) == ("", "maybe A, maybe", 1)


# -- what is tried again -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        status(408),
        status(409),
        status(429),
        status(500),
        status(503),
        raw(""),
        raw("\n\n   \n"),
        raw('{"choices": [{"message": {"content": "(A) ch'),
        raw('{"choices": []}'),
        raw("[]"),
        reply(""),
        reply(None),
        cut_off,
    ],
    ids=["408", "409", "429", "500", "503", "empty", "blank", "cut", "no choice", "list", "no text", "null", "hung up"],
)
def test_passing_trouble_is_tried_again(ask: Ask, provider: Provider, fault: Answer) -> None:
    completion = ask(fault, fault, reply("(A) chair")).complete(PROMPT)

    assert (completion.text, completion.attempts, len(provider.requests)) == ("(A) chair", 3, 3)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
def test_a_refusal_is_not_tried_again(ask: Ask, provider: Provider, code: int) -> None:
    with pytest.raises(ReasonerError, match=f"HTTP {code}"):
        ask(status(code)).complete(PROMPT)

    assert len(provider.requests) == 1


def test_attempts_are_bounded_and_counted_in_the_error(ask: Ask, provider: Provider) -> None:
    """The client's own retries are off: three attempts are three requests."""
    with pytest.raises(ReasonerError, match=r"HTTP 500 .*3 attempts.*max_attempts"):
        ask(status(500), max_attempts=3).complete(PROMPT)

    assert len(provider.requests) == 3


def test_retry_after_is_waited_for(ask: Ask, provider: Provider) -> None:
    ask(status(429, Retry_After="0.4"), reply("A")).complete(PROMPT)

    first, second = (moment for _, _, moment in provider.requests)
    assert 0.4 <= second - first


def test_a_retry_after_beyond_the_time_left_ends_it_at_once(ask: Ask, provider: Provider) -> None:
    start = time.monotonic()
    with pytest.raises(ReasonerError, match="HTTP 429"):
        ask(status(429, Retry_After="3600"), max_retry_s=5).complete(PROMPT)

    assert time.monotonic() - start < 60  # of the 3600 s that were asked for
    assert len(provider.requests) == 1


def test_silence_is_a_timeout_and_is_tried_again(ask: Ask, provider: Provider) -> None:
    completion = ask(slow(1.5, reply("late")), reply("A"), timeout_s=0.3).complete(PROMPT)

    assert (completion.text, completion.attempts) == ("A", 2)
    assert completion.latency_s < 1.4


def test_a_server_that_is_not_there_is_named(ask: Ask) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    with pytest.raises(ReasonerError, match=rf"127\.0\.0\.1:{port}.*connection failed.*2 attempts"):
        ask(base_url=f"http://127.0.0.1:{port}/v1", max_attempts=2).complete(PROMPT)


# -- bounds ------------------------------------------------------------------------------------


def test_no_more_calls_are_in_flight_than_connections(ask: Ask, provider: Provider) -> None:
    reasoner = ask(slow(0.15, reply("A")), max_connections=3)

    with ThreadPoolExecutor(9) as pool:
        completions = list(pool.map(lambda _: reasoner.complete(PROMPT), range(9)))

    assert [completion.text for completion in completions] == ["A"] * 9
    assert provider.most_in_flight == 3


def test_a_budget_stops_the_next_call(ask: Ask, provider: Provider) -> None:
    """Each reply costs 100e-6 + 20e-6 USD at 1 USD per million tokens; the cache is as dear."""
    reasoner = ask(price_in_usd_per_mtok=1, price_out_usd_per_mtok=1, max_usd=200e-6)
    reasoner.complete(PROMPT)
    reasoner.complete(PROMPT)

    with pytest.raises(ReasonerError, match="max_usd"):
        reasoner.complete(PROMPT)
    assert len(provider.requests) == 2


def test_a_budget_needs_prices_and_usage(ask: Ask) -> None:
    with pytest.raises(ConfigError, match="max_usd needs"):
        ask(max_usd=1.0)
    with pytest.raises(ReasonerError, match="no usage"):
        ask(reply("A", usage={}), price_in_usd_per_mtok=1, price_out_usd_per_mtok=1, max_usd=1.0).complete(PROMPT)


# -- the key -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [status(401, f"Incorrect API key provided: {KEY}."), status(500, f"trace: Bearer {KEY}"), raw(f'{{"{KEY}": ')],
    ids=["401", "500", "cut"],
)
def test_the_key_is_nowhere_but_in_the_header(
    ask: Ask, provider: Provider, answer: Answer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("openai").setLevel(logging.DEBUG)
    reasoner = ask(answer, max_attempts=2)

    with pytest.raises(ReasonerError) as caught:
        reasoner.complete(PROMPT)

    chain = "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None
    told = "\n".join([chain, repr(reasoner), json.dumps(reasoner.identity()), caplog.text])
    assert provider.requests[0][0]["authorization"].endswith(KEY)
    assert KEY not in told


def test_a_missing_key_is_named_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)

    with pytest.raises(ReasonerError, match="NO_SUCH_KEY is not set"):
        OpenAIReasoner(model="m", base_url="https://api.example.com/v1", api_key_env="NO_SUCH_KEY")


def test_a_server_on_this_machine_needs_no_key(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for options in ({}, {"api_key_env": None}):
        reasoner = OpenAIReasoner(model="m", base_url=provider.url, **options)  # type: ignore[arg-type]
        assert reasoner.complete(PROMPT).text == "(A) chair"
        reasoner.close()


def test_a_null_key_variable_sends_no_key_of_the_environment(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    reasoner = OpenAIReasoner(model="m", base_url=provider.url, api_key_env=None)
    reasoner.complete(PROMPT)
    reasoner.close()

    assert KEY not in provider.requests[0][0].get("authorization", "")


@pytest.mark.parametrize(
    "url", ["https://user:secret@api.example.com/v1", "https://api.example.com/v1?key=x", "api.example.com"]
)
def test_addresses_that_hold_secrets_or_no_scheme_are_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url") as caught:
        OpenAIReasoner(model="m", base_url=url, api_key_env=None)
    assert "secret" not in str(caught.value)


def test_a_proxy_of_the_environment_does_not_catch_a_server_on_this_machine(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert ask().complete(PROMPT).text == "(A) chair"


def test_it_works_again_after_close_and_says_its_answer_form(ask: Ask) -> None:
    reasoner = ask(answer_form="text")
    reasoner.complete(PROMPT)
    reasoner.close()

    assert reasoner.complete(PROMPT).text == "(A) chair"
    assert reasoner.answer_form == "text"
    assert ask().answer_form == "letter"
