"""What the OpenAI-compatible reasoner sends, how it reads what comes back, and where its key goes."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest
from provider import KEY, PROMPT, Answer, Provider, cut_off, raw, reply, status

from lavis.common import event_loop
from lavis.common.errors import ConfigError, ReasonerError
from lavis.reasoners.base import Prompt, PromptImage
from lavis.reasoners.openai_compatible import OpenAIReasoner

Ask = Callable[..., OpenAIReasoner]

# -- what is sent, what comes back -------------------------------------------------------------


def test_a_prompt_goes_out_as_messages_with_the_key_and_comes_back_read(ask: Ask, provider: Provider) -> None:
    completion = ask(extra_body={"seed": 7}, max_output_tokens=99).complete(PROMPT)

    request, usage = provider.requests[0], completion.usage
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body["messages"] == PROMPT.messages()
    assert {name: request.body[name] for name in ("model", "temperature", "max_tokens", "seed")} == {
        "model": "m",
        "temperature": 0.0,
        "max_tokens": 99,
        "seed": 7,
    }
    assert (completion.text, completion.model, completion.attempts) == ("(A) chair", "served-model", 1)
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.usd) == (100, 20, 60, None)
    assert (completion.cut, completion.schema_path) == (False, "")


def test_what_is_null_is_not_sent(ask: Ask, provider: Provider) -> None:
    ask(temperature=None).complete(PROMPT)

    assert not {"temperature", "max_tokens", "response_format"} & set(provider.requests[0].body)


def test_azure_has_its_own_path_and_header(provider: Provider, make: Callable[..., OpenAIReasoner]) -> None:
    url = provider.url.removesuffix("/v1")
    reasoner = make(url, model="my-deployment", azure=True, api_version="2024-10-21")

    assert reasoner.complete(PROMPT).text == "(A) chair"
    request = provider.requests[0]
    assert request.path == "/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21"
    assert request.headers["api-key"] == KEY
    assert "authorization" not in request.headers


def test_images_arrive_as_data_urls_before_the_text(ask: Ask, provider: Provider) -> None:
    jpeg, png = b"\xff\xd8\xff\xe0 jpeg", b"\x89PNG png"
    prompt = Prompt(system="s", shared="e", own="q", images=(PromptImage(jpeg), PromptImage(png, "image/png")))
    ask(sees_images=True).complete(prompt)

    first, second, text = provider.requests[0].body["messages"][-1]["content"]
    for part, kind, data in ((first, "image/jpeg", jpeg), (second, "image/png", png)):
        head, _, encoded = part["image_url"]["url"].partition(",")
        assert (part["type"], head) == ("image_url", f"data:{kind};base64")
        assert base64.b64decode(encoded) == data
    assert text == {"type": "text", "text": "e\n\nq"}


def test_a_request_of_many_megabytes_arrives_whole(ask: Ask, provider: Provider) -> None:
    picture = PromptImage(bytes(range(256)) * 16384)  # 4 MiB
    ask(sees_images=True).complete(Prompt(system="", shared="", own="q", images=(picture,)))

    assert provider.requests[0].body["messages"][-1]["content"][0]["image_url"]["url"] == picture.data_url()


@pytest.mark.parametrize(
    "answer",
    [
        reply("B", reasoning_content="because"),
        reply("B", reasoning="because"),
        reply("<think>\nbecause\n</think>\n\nB"),
        reply("because</think>B"),
    ],
    ids=["reasoning_content", "reasoning", "tags", "closing tag"],
)
def test_reasoning_is_kept_apart_from_the_answer(ask: Ask, answer: Answer) -> None:
    completion = ask(answer).complete(PROMPT)

    assert (completion.text, completion.reasoning) == ("B", "because")


def test_a_thought_that_never_ends_is_no_answer(ask: Ask) -> None:
    completion = ask(reply("<think>maybe A, maybe", finish="length")).complete(PROMPT)

    assert (completion.text, completion.reasoning, completion.attempts) == ("", "maybe A, maybe", 1)
    assert completion.cut
    assert not completion.whole


def test_it_can_be_awaited_from_a_loop_of_one_s_own_and_from_threads(ask: Ask, provider: Provider) -> None:
    """Calls of both kinds share the one client, whose home is the process's loop."""
    import asyncio

    reasoner = ask()

    async def both() -> list[str]:
        aside = asyncio.to_thread(reasoner.complete, PROMPT)
        return [completion.text for completion in await asyncio.gather(reasoner.acomplete(PROMPT), aside)]

    assert asyncio.run(both()) == ["(A) chair"] * 2
    assert event_loop.run(reasoner.acomplete(PROMPT)).text == "(A) chair"
    assert len(provider.requests) == 3


def test_it_works_again_after_close_and_says_its_answer_form(ask: Ask) -> None:
    reasoner = ask(answer_form="text")
    reasoner.complete(PROMPT)
    reasoner.close()

    assert reasoner.complete(PROMPT).text == "(A) chair"
    assert reasoner.answer_form == "text"
    assert ask().answer_form == "letter"


# -- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_connections": 0}, "max_connections"),
        ({"start_connections": 0}, "start_connections"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"answer_form": "essay"}, "answer_form is 'essay'"),
        ({"structured": "always"}, "structured is 'always'"),
        ({"azure": True}, "azure needs api_version"),
        ({"base_url": "https://user:secret@api.example.com/v1"}, "base_url"),
        ({"base_url": "https://api.example.com/v1?key=secret"}, "base_url"),
        ({"base_url": "api.example.com"}, "base_url"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        OpenAIReasoner(**{"model": "m", **options})

    assert "secret" not in str(caught.value)


def test_the_connections_of_all_ranks_are_those_of_the_configuration(ask: Ask) -> None:
    shares = []
    for rank in range(3):
        reasoner = ask(max_connections=32)
        reasoner.take_share(rank, 3)
        shares.append(reasoner.max_connections)

    assert sum(shares) == 32
    assert max(shares) - min(shares) == 1


def test_more_ranks_than_connections_is_an_error(ask: Ask) -> None:
    with pytest.raises(ConfigError, match="max_connections is 3, fewer than the 4 ranks"):
        ask(max_connections=3).take_share(0, 4)


# -- the key -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        status(401, f"Incorrect API key provided: {KEY}."),
        status(400, "x" * 480 + KEY),
        status(500, f"trace: Bearer {KEY}"),
        raw(f'{{"{KEY}": '),
        raw(json.dumps({"error": KEY})),
        cut_off,
    ],
    ids=["401", "400", "500", "cut", "no completion", "hung up"],
)
def test_the_key_is_nowhere_but_in_the_header(
    ask: Ask, provider: Provider, answer: Answer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lavis.reasoners.openai_compatible.START_S", 0.5)
    for name in (None, "openai", "httpx2", "httpx", "httpcore2", "aiohttp", "aiohttp.client", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    reasoner = ask(answer, max_attempts=2)

    with pytest.raises(ReasonerError) as caught:
        reasoner.complete(PROMPT)

    chain = "".join(traceback.format_exception(caught.value))
    records = "\n".join(f"{record.getMessage()} {record.args} {record.__dict__}" for record in caplog.records)
    told = "\n".join([chain, repr(reasoner), json.dumps(reasoner.identity()), records, repr(reasoner.monitor)])
    assert provider.requests[0].headers["authorization"].endswith(KEY)
    assert any(record.name.startswith("openai") for record in caplog.records)  # they were listened to
    assert KEY not in told
    assert caught.value.__context__ is None  # nothing of the client's hangs on it


def test_a_missing_key_is_named_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Building asks for no key, so that a configuration can be looked at where there is none."""
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    reasoner = OpenAIReasoner(model="m", base_url="https://api.example.com/v1", api_key_env="NO_SUCH_KEY")

    with pytest.raises(ReasonerError, match="NO_SUCH_KEY is not set"):
        reasoner.prepare()
    with pytest.raises(ReasonerError, match="NO_SUCH_KEY is not set"):
        reasoner.complete(PROMPT)


@pytest.mark.parametrize("options", [{"api_key_env": "NO_SUCH_KEY"}, {"api_key_env": None}], ids=["unset", "null"])
def test_a_server_on_this_machine_needs_no_key(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    reasoner = ask(**options)
    reasoner.prepare()

    assert reasoner.complete(PROMPT).text == "(A) chair"


def test_a_null_key_variable_sends_no_key_of_the_environment(
    ask: Ask, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    ask(api_key_env=None).complete(PROMPT)

    assert KEY not in json.dumps(provider.requests[0].headers)


def test_a_proxy_of_the_environment_does_not_catch_a_server_on_this_machine(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert ask().complete(PROMPT).text == "(A) chair"
