"""The OpenAI-compatible reasoner where one answer goes wrong: what is tried again, what is not, what bounds it."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from provider import PROMPT, Answer, Handler, Provider, cut_off, kept_alive, raw, reply, reply_body, slow, status

from lavis.common.errors import ContextTooLongError, ReasonerError, ReasonerUnusableError
from lavis.reasoners import openai_client
from lavis.reasoners.openai_compatible import OpenAIReasoner

Ask = Callable[..., OpenAIReasoner]


@pytest.fixture(params=["aiohttp", "httpx"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The client runs over aiohttp where that is installed, and over its own transport elsewhere."""
    if request.param == "httpx":
        monkeypatch.setattr(openai_client.importlib.util, "find_spec", lambda name: None if name == "aiohttp" else name)
    yield request.param


def texts_of(reasoner: OpenAIReasoner, n_calls: int) -> list[str]:
    """Complete the prompt many times at once."""
    with ThreadPoolExecutor(n_calls) as pool:
        return [completion.text for completion in pool.map(lambda _: reasoner.complete(PROMPT), range(n_calls))]


# -- what is tried again -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (status(408), "HTTP 408"),
        (status(409), "HTTP 409"),
        (status(429), "HTTP 429"),
        (status(500), "HTTP 500"),
        (status(503), "HTTP 503"),
        (raw(""), "empty reply"),
        (raw("\n\n   \n"), "empty reply"),
        (reply(""), "empty reply"),
        (reply(None), "empty reply"),
        (raw('{"choices": [{"message": {"content": "(A) ch'), "damaged reply"),
        (raw('{"choices": []}'), "damaged reply"),
        (raw("[]"), "damaged reply"),
        (
            raw(reply_body("caf\N{LATIN SMALL LETTER E WITH ACUTE}").encode().replace(b"\\u00e9", b"\xe9")),
            "damaged reply",
        ),
        (cut_off, "connection"),
    ],
    ids=[
        *("408", "409", "429", "500", "503", "empty", "blank", "no text", "null"),
        *("cut", "no choice", "list", "no UTF-8", "hung up"),
    ],
)
def test_passing_trouble_is_tried_again_and_counted_by_cause(
    ask: Ask, provider: Provider, fault: Answer, cause: str, transport: str
) -> None:
    reasoner = ask(reply("B"), fault, fault, reply("(A) chair"))
    reasoner.complete(PROMPT)  # the server is known to work
    completion = reasoner.complete(PROMPT)

    assert (completion.text, completion.attempts, len(provider.requests)) == ("(A) chair", 3, 4)
    assert dict(reasoner.monitor.retries) == {cause: 2}


@pytest.mark.parametrize("code", [400, 403, 422])
def test_a_refusal_is_not_tried_again(ask: Ask, provider: Provider, code: int) -> None:
    with pytest.raises(ReasonerError, match=rf"HTTP {code} .*trouble.*1 attempts") as caught:
        ask(status(code)).complete(PROMPT)

    assert not isinstance(caught.value, ReasonerUnusableError)  # the next question may fare better
    assert len(provider.requests) == 1


def test_attempts_are_bounded_and_counted_in_the_error(ask: Ask, provider: Provider) -> None:
    """The client's own retries are off: three attempts are three requests."""
    with pytest.raises(ReasonerError, match=r"HTTP 500 .*3 attempts.*max_attempts"):
        ask(status(500), max_attempts=3).complete(PROMPT)

    assert len(provider.requests) == 3


def test_silence_is_a_timeout_and_is_tried_again(ask: Ask, provider: Provider, transport: str) -> None:
    completion = ask(slow(1.5, reply("late")), reply("A"), timeout_s=0.3).complete(PROMPT)

    assert (completion.text, completion.attempts) == ("A", 2)
    assert completion.latency_s < 1.4


def test_a_server_that_accepts_and_never_answers_is_bounded(make: Ask, transport: str) -> None:
    """Connections are taken by the kernel; nobody reads them."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        with pytest.raises(ReasonerError, match=r"no answer within 0\.2 s \(3 attempts"):
            make(url, timeout_s=0.2, max_attempts=3).complete(PROMPT)


# -- Retry-After -------------------------------------------------------------------------------


def test_a_retry_after_beyond_the_time_left_ends_it_at_once(ask: Ask, provider: Provider) -> None:
    start = time.monotonic()
    with pytest.raises(ReasonerError, match="HTTP 429"):
        ask(status(429, Retry_After="3600"), max_retry_s=5).complete(PROMPT)

    assert time.monotonic() - start < 60  # of the 3600 s that were asked for
    assert len(provider.requests) == 1


@pytest.mark.parametrize("max_connections", [1, 4])
def test_retry_after_pauses_everybody(ask: Ask, provider: Provider, max_connections: int) -> None:
    """One call is told to wait 0.6 s; those that queue for a place and those that come later wait too."""
    reasoner = ask(slow(0.1, status(429, Retry_After="0.6")), reply("A"), max_connections=max_connections)

    with ThreadPoolExecutor(8) as pool:
        early = [pool.submit(reasoner.complete, PROMPT)]
        while not provider.requests:
            time.sleep(0.01)
        early += [pool.submit(reasoner.complete, PROMPT) for _ in range(3 if max_connections == 1 else 0)]
        while not reasoner.monitor.retries:
            time.sleep(0.01)
        late = [pool.submit(reasoner.complete, PROMPT) for _ in range(4)]
        assert {future.result().text for future in early + late} == {"A"}

    first, *others = (request.moment for request in provider.requests)
    assert len(others) == len(early) + len(late)
    assert min(others) - first >= 0.6


# -- bodies ------------------------------------------------------------------------------------


def test_blank_lines_that_keep_a_connection_alive_are_no_answer_and_no_silence(ask: Ask, transport: str) -> None:
    """0.8 s of thinking under a timeout of 0.4 s of silence."""
    completion = ask(kept_alive(8, 0.1, reply_body("A")), timeout_s=0.4, max_attempts=1).complete(PROMPT)

    assert (completion.text, completion.attempts) == ("A", 1)


def test_keep_alive_lines_that_never_end_are_cut(ask: Ask, provider: Provider, transport: str) -> None:
    reasoner = ask(kept_alive(1000, 0.05, ""), max_call_s=0.3, max_attempts=2)

    with pytest.raises(ReasonerError, match=r"no whole answer within 0\.3 s \(2 attempts"):
        reasoner.complete(PROMPT)
    assert len(provider.requests) == 2


def test_a_body_of_50_mb_is_not_read_to_its_end(ask: Ask, provider: Provider, transport: str) -> None:
    n_sent = []

    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(50 * 2**20))
        handler.end_headers()
        for _ in range(50):
            handler.wfile.write(b" " * 2**20)
            n_sent.append(1)

    with pytest.raises(ReasonerError, match="the body exceeds 16 MiB"):
        ask(endless, max_attempts=1).complete(PROMPT)

    assert 16 <= len(n_sent) < 50


# -- contexts ----------------------------------------------------------------------------------


def test_a_prompt_that_is_too_long_is_told_apart_and_not_tried_again(ask: Ask, provider: Provider) -> None:
    words = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    reasoner = ask(status(400, words, error={"code": "context_length_exceeded"}))

    for _ in range(25):  # so many long prompts say nothing about the server
        with pytest.raises(ContextTooLongError, match="8192") as caught:
            reasoner.complete(PROMPT)
        assert (caught.value.limit_tokens, caught.value.prompt_tokens) == (8192, 9000)
    assert len(provider.requests) == 25


def test_the_context_of_llama_cpp_is_read_from_its_fields(ask: Ask) -> None:
    fields = {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 5120, "n_ctx": 4096}

    with pytest.raises(ContextTooLongError) as caught:
        ask(status(400, "the request exceeds the available context size, try increasing it", error=fields)).complete(
            PROMPT
        )
    assert (caught.value.limit_tokens, caught.value.prompt_tokens) == (4096, 5120)


def test_gemini_wraps_its_errors_in_a_list(ask: Ask) -> None:
    message = "The input token count (1300000) exceeds the maximum number of tokens allowed (1048576)."
    body = json.dumps([{"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}])

    with pytest.raises(ContextTooLongError) as caught:
        ask(lambda handler: handler.send(400, body)).complete(PROMPT)
    assert (caught.value.limit_tokens, caught.value.prompt_tokens) == (1048576, 1300000)


# -- many calls --------------------------------------------------------------------------------


def test_no_more_calls_are_in_flight_than_connections(ask: Ask, provider: Provider) -> None:
    assert texts_of(ask(slow(0.1, reply("A")), max_connections=3), 9) == ["A"] * 9
    assert provider.most_in_flight == 3


@pytest.mark.parametrize(("code", "refusals"), [(400, 20), (500, 20), (422, 20)])
def test_the_same_words_to_the_first_20_calls_end_the_run(
    ask: Ask, provider: Provider, code: int, refusals: int
) -> None:
    reasoner = ask(status(code, "model is not loaded"), max_attempts=1)

    for _ in range(refusals - 1):
        with pytest.raises(ReasonerError, match="not loaded") as caught:
            reasoner.complete(PROMPT)
        assert not isinstance(caught.value, ReasonerUnusableError)
    for _ in range(2):
        with pytest.raises(ReasonerUnusableError, match=r"model is not loaded.*20 calls in a row.*run\.run_id"):
            reasoner.complete(PROMPT)
    assert len(provider.requests) == refusals  # after the end nothing is asked


@pytest.mark.parametrize("code", [400, 500])
def test_different_words_do_not_end_it(ask: Ask, code: int) -> None:
    numbers = itertools.count()
    reasoner = ask(lambda handler: status(code, f"question {next(numbers)} is odd")(handler), max_attempts=1)

    for number in range(25):
        with pytest.raises(ReasonerError, match=f"question {number} is odd") as caught:
            reasoner.complete(PROMPT)
        assert not isinstance(caught.value, ReasonerUnusableError)


def test_a_reply_in_between_says_that_the_server_works(ask: Ask) -> None:
    refused = status(400, "no")
    reasoner = ask(*[refused] * 15, reply("A"), *[refused] * 15, reply("B"))
    told = []

    for _ in range(32):
        try:
            told.append(reasoner.complete(PROMPT).text)
        except ReasonerUnusableError:
            raise
        except ReasonerError:
            told.append("")
    assert [text for text in told if text] == ["A", "B"]
