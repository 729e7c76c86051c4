"""Replies that must fit a JSON schema: asked of the server, asked for in words, repaired once, summed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from provider import Answer, Handler, Provider, reply, status

from lavis.common.errors import ReasonerError
from lavis.reasoners.base import Prompt, PromptImage
from lavis.reasoners.openai_compatible import OpenAIReasoner
from lavis.reasoners.structured import asked_in_words, misfit, repair_messages, response_format

Ask = Callable[..., OpenAIReasoner]

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"experts": {"type": "array", "items": {"type": "string"}}},
    "required": ["experts"],
    "additionalProperties": False,
}
PROMPT = Prompt(system="Choose.", shared="", own="Question: What?", schema=SCHEMA)
FITS = '{"experts": ["depth"]}'
NO_SCHEMAS = status(400, "response_format of type json_schema is not supported by this model")


def without_schemas(answer: Answer) -> Answer:
    """A server that refuses the field it does not know."""

    def play(handler: Handler) -> None:
        (NO_SCHEMAS if "response_format" in handler.body else answer)(handler)

    return play


# -- the parts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [FITS, f"```json\n{FITS}\n```", f"```\n{FITS}\n```", f"  {FITS}\n"])
def test_json_alone_or_in_a_fence_fits(text: str) -> None:
    assert misfit(text, SCHEMA) == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is no JSON"),
        ("depth", "it is no JSON"),
        (f"Here you are: {FITS}", "it is no JSON"),
        (FITS[:-3], "it is no JSON"),
        (f"{FITS} {FITS}", "it is no JSON"),
        ("{}", "'experts' is a required property"),
        ('{"experts": "depth"}', "'depth' is not of type 'array'"),
        ('{"experts": [], "why": 1}', "'why' was unexpected"),
        ("[]", "[] is not of type 'object'"),
    ],
)
def test_anything_else_is_told_apart_in_words(text: str, problem: str) -> None:
    assert problem in misfit(text, SCHEMA)


def test_the_schema_stands_at_the_end_of_the_question_beside_pictures_too() -> None:
    pictured = Prompt(system="s", shared="", own="q", images=(PromptImage(b"x"),))

    for prompt in (PROMPT, pictured):
        before = prompt.messages()
        *rest, last = asked_in_words(prompt.messages(), SCHEMA)
        assert rest == before[:-1]
        text = last["content"] if isinstance(last["content"], str) else last["content"][-1]["text"]
        assert text.endswith(json.dumps(SCHEMA))
        if prompt is pictured:
            assert last["content"][:-1] == before[-1]["content"]


def test_a_repair_says_what_was_said_and_what_is_wrong() -> None:
    *rest, said, wanted = repair_messages(PROMPT.messages(), "depth", "it is no JSON")

    assert rest == PROMPT.messages()
    assert said == {"role": "assistant", "content": "depth"}
    assert wanted["role"] == "user"
    assert "it is no JSON" in wanted["content"]


# -- with a server -----------------------------------------------------------------------------


def test_a_server_that_can_is_held_to_the_schema(ask: Ask, provider: Provider) -> None:
    completion = ask(reply(FITS)).complete(PROMPT)

    body = provider.requests[0].body
    assert body["response_format"] == response_format(SCHEMA)
    assert body["response_format"]["json_schema"]["schema"] == SCHEMA
    assert body["messages"] == PROMPT.messages()
    assert (completion.text, completion.schema_path, completion.attempts) == (FITS, "json_schema", 1)


def test_a_server_that_cannot_is_asked_in_words_from_then_on(ask: Ask, provider: Provider) -> None:
    reasoner = ask(without_schemas(reply(FITS)))

    paths = [reasoner.complete(PROMPT).schema_path for _ in range(3)]
    assert paths == ["parsed"] * 3
    asked = [request.body for request in provider.requests]
    assert ["response_format" in body for body in asked] == [True, False, False, False]
    assert all(json.dumps(SCHEMA) in body["messages"][-1]["content"] for body in asked[1:])


def test_many_first_calls_at_once_find_out_together(ask: Ask, provider: Provider) -> None:
    """Forty calls are on their way before the first refusal comes back; that is no broken server."""
    all_asked = threading.Barrier(40, timeout=20)

    def play(handler: Handler) -> None:
        if "response_format" in handler.body:
            all_asked.wait()
        without_schemas(reply(FITS))(handler)

    reasoner = ask(play, max_connections=40, start_connections=40)
    with ThreadPoolExecutor(40) as pool:
        completions = list(pool.map(lambda _: reasoner.complete(PROMPT), range(40)))

    assert {completion.schema_path for completion in completions} == {"parsed"}


@pytest.mark.parametrize(("structured", "in_body"), [("words", False), ("server", True)])
def test_the_way_can_be_set(ask: Ask, provider: Provider, structured: str, in_body: bool) -> None:
    completion = ask(reply(FITS), structured=structured).complete(PROMPT)

    assert ("response_format" in provider.requests[0].body) == in_body
    assert completion.schema_path == ("json_schema" if in_body else "parsed")


def test_a_server_that_must_and_cannot_is_an_error(ask: Ask, provider: Provider) -> None:
    with pytest.raises(ReasonerError, match="response_format of type json_schema is not supported"):
        ask(without_schemas(reply(FITS)), structured="server").complete(PROMPT)
    assert len(provider.requests) == 1


def test_another_refusal_does_not_turn_schemas_off(ask: Ask, provider: Provider) -> None:
    reasoner = ask(status(400, "the picture is damaged"), reply(FITS))

    with pytest.raises(ReasonerError, match="the picture is damaged"):
        reasoner.complete(PROMPT)
    assert reasoner.complete(PROMPT).schema_path == "json_schema"


@pytest.mark.parametrize(("second", "path"), [(FITS, "repaired"), ("depth, still", "unfit")])
def test_a_reply_that_does_not_fit_is_repaired_once(ask: Ask, provider: Provider, second: str, path: str) -> None:
    first_usage = {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 60}}
    second_usage = {"prompt_tokens": 130, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 90}}
    script = reply("depth", usage=first_usage), reply(second, usage=second_usage)
    completion = ask(*script).complete(PROMPT)

    assert (completion.text, completion.schema_path, completion.attempts) == (second, path, 2)
    assert len(provider.requests) == 2
    usage = completion.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (230, 27, 150)
    assert provider.requests[1].body["messages"][2] == {"role": "assistant", "content": "depth"}
    assert completion.whole == (path == "repaired")


def test_a_repair_in_words_repeats_the_schema(ask: Ask, provider: Provider) -> None:
    completion = ask(reply("depth"), reply(FITS), structured="words").complete(PROMPT)

    assert completion.schema_path == "repaired"
    assert provider.requests[1].body["messages"][-1]["content"].endswith(json.dumps(SCHEMA))


def test_a_prompt_without_a_schema_is_not_looked_at(ask: Ask, provider: Provider) -> None:
    completion = ask(reply("depth")).complete(Prompt(system="", shared="", own="q"))

    assert (completion.text, completion.schema_path) == ("depth", "")
    assert "response_format" not in provider.requests[0].body
