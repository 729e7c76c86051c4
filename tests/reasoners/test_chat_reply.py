"""What a body says, byte for byte; and the words in which servers say that a prompt is too long."""

from __future__ import annotations

import json
from typing import Any

import pytest
from provider import reply_body

from lavis.reasoners.base import Usage
from lavis.reasoners.chat_reply import ChatReply, context_limits, read_reply, split_thinking
from lavis.reasoners.retries import Failure


def read(body: str | bytes) -> ChatReply | Failure:
    return read_reply(body.encode() if isinstance(body, str) else body, model="asked")


def test_a_reply_is_read_with_its_usage_and_the_name_of_its_model() -> None:
    assert read(reply_body("B", reasoning="why")) == ChatReply("B", "why", Usage(100, 20, 60), "served-model")


def test_blank_lines_before_the_json_are_skipped() -> None:
    found = read("\n\n \r\n" + reply_body("B"))

    assert isinstance(found, ChatReply)
    assert found.text == "B"


def test_what_a_provider_leaves_out_is_zero_or_what_was_asked() -> None:
    bare = {"choices": [{"message": {"content": "B"}}]}

    assert read(json.dumps(bare)) == ChatReply("B", "", Usage(), "asked")
    assert read(json.dumps({**bare, "usage": None, "model": None})) == ChatReply("B", "", Usage(), "asked")


def test_content_may_come_in_parts_and_in_any_script() -> None:
    parts = [{"type": "text", "text": "椅"}, {"type": "text", "text": "子 🪑"}]
    found = read(reply_body(parts))

    assert isinstance(found, ChatReply)
    assert found.text == "椅子 🪑"


def test_deepseek_counts_its_cache_elsewhere() -> None:
    found = read(reply_body("A", usage={"prompt_tokens": 100, "completion_tokens": 2, "prompt_cache_hit_tokens": 64}))

    assert isinstance(found, ChatReply)
    assert found.usage == Usage(100, 2, 64)


@pytest.mark.parametrize(("finish", "cut"), [("length", True), ("stop", False), (None, False)])
def test_only_the_end_of_the_tokens_cuts_a_reply(finish: Any, cut: bool) -> None:
    found = read(reply_body("The chair is", finish=finish))

    assert isinstance(found, ChatReply)
    assert found.cut == cut


@pytest.mark.parametrize(
    ("body", "cause", "reason"),
    [
        (b"", "empty reply", "empty"),
        (b" \n\t ", "empty reply", "empty"),
        (reply_body(""), "empty reply", "no text"),
        (reply_body(None), "empty reply", "no text"),
        (reply_body("<think></think>"), "empty reply", "no text"),
        (b'{"choices": [', "damaged reply", "not whole JSON"),
        (b"<html>busy</html>", "damaged reply", "not whole JSON"),
        (b"\xff\xfe{}", "damaged reply", "not UTF-8"),
        (reply_body("é").encode().replace(b"\\u00e9", b"\xe9"), "damaged reply", "not UTF-8"),
        (b"[]", "damaged reply", "no chat completion"),
        (b"null", "damaged reply", "no chat completion"),
        (b'"text"', "damaged reply", "no chat completion"),
        (b"{}", "damaged reply", "no chat completion"),
        (b'{"choices": []}', "damaged reply", "no chat completion"),
        (b'{"choices": [null]}', "damaged reply", "no chat completion"),
        (b'{"choices": [{"message": null}]}', "damaged reply", "no chat completion"),
        (b'{"choices": [{"message": {"content": [1]}}]}', "damaged reply", "no chat completion"),
        (reply_body("A", usage={"prompt_tokens": "many"}), "damaged reply", "no chat completion"),
        (b'{"error": {"message": "overloaded"}}', "damaged reply", "no chat completion"),
    ],
)
def test_what_is_no_reply_is_a_failure_that_may_pass(body: str | bytes, cause: str, reason: str) -> None:
    found = read(body)

    assert isinstance(found, Failure)
    assert (found.cause, found.retryable) == (cause, True)
    assert reason in found.reason
    assert not found.unreachable  # somebody answered


@pytest.mark.parametrize(
    ("content", "thought", "text"),
    [
        ("<think>a</think>B", "a", "B"),
        ("\n<think>\na\n</think>\n\nB\n", "a", "B"),
        ("a</think>B", "a", "B"),
        ("<think>a", "a", ""),
        ("B", "", "B"),
        ("The tag is <think>", "", "The tag is <think>"),
    ],
)
def test_thoughts_are_split_off(content: str, thought: str, text: str) -> None:
    assert split_thinking(content) == (thought, text)


@pytest.mark.parametrize(
    ("words", "code", "limit", "prompt"),
    [
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens. "
            "Please reduce the length of the messages.",
            "context_length_exceeded",
            8192,
            9000,
        ),
        (
            "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 300000 tokens.",
            "context_length_exceeded",
            272000,
            300000,
        ),
        ("Your input exceeds the context window of this model.", "context_length_exceeded", None, None),
        (
            "This model's maximum context length is 16384 tokens. However, you requested 122946 tokens "
            "(112946 in the messages, 10000 in the completion).",
            "400",
            16384,
            122946,
        ),
        (
            "This model's maximum context length is 4096 tokens. However, your request has 5000 input tokens.",
            "BadRequestError",
            4096,
            5000,
        ),
        (
            "You passed 9000 input tokens and requested 100 output tokens. However, the model's context length is "
            "only 8192 tokens, resulting in a maximum input length of 8092 tokens.",
            "BadRequestError",
            8192,
            9000,
        ),
        (
            "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
            "BadRequestError",
            8192,
            9000,
        ),
        ("The input (9000 tokens) is longer than the model's context length (8192 tokens).", "400", 8192, 9000),
        (
            "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total "
            "of 9000 tokens: 8500 tokens from the input messages and 500 tokens for the completion.",
            "400",
            8192,
            9000,
        ),
        (
            "request (5120 tokens) exceeds the available context size (4096 tokens), try increasing it",
            "exceed_context_size_error",
            4096,
            5120,
        ),
        (
            "the request exceeds the available context size {'n_prompt_tokens': 5120, 'n_ctx': 4096}",
            "exceed_context_size_error",
            4096,
            5120,
        ),
        (
            "The input token count (1300000) exceeds the maximum number of tokens allowed (1048576).",
            "400",
            1048576,
            1300000,
        ),
        ("The input token count exceeds the maximum number of tokens allowed 1048576.", "400", 1048576, None),
        ("prompt is too long: 213462 tokens > 200000 maximum", "invalid_request_error", 200000, 213462),
        (
            "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
            "400",
            131072,
            537812,
        ),
    ],
    ids=[
        *("openai", "openai limit", "openai window", "vllm and deepseek", "vllm input", "vllm only", "vllm decoder"),
        *("sglang", "sglang total", "llama.cpp", "llama.cpp fields", "gemini", "gemini bare", "anthropic", "xai"),
    ],
)
def test_a_prompt_that_is_too_long_is_known_by_its_words(
    words: str, code: str, limit: int | None, prompt: int | None
) -> None:
    assert context_limits(words, code) == (True, limit, prompt)


@pytest.mark.parametrize(
    "words", ["Incorrect API key provided", "Unknown field 'seed'", "The image has 4096 tokens", "Rate limit reached"]
)
def test_other_errors_are_not_about_the_context(words: str) -> None:
    assert context_limits(words, "invalid_request_error") == (False, None, None)
