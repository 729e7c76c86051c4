"""Replies that fit a JSON schema: held to it by the server, or parsed strictly and repaired once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

FENCED = re.compile(r"\A```(?:json)?\s*\n(?P<inside>.*)\n```\Z", re.DOTALL)
# What servers name when they refuse a response format that they do not know.
UNSUPPORTED = re.compile(r"response_format|json_schema|structured output|guided|schema", re.IGNORECASE)


def response_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request's field that holds a server to a schema."""
    return {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": dict(schema)}}


def asked_in_words(messages: list[dict[str, Any]], schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return messages that end with the schema, for a server that cannot be held to it."""
    words = f"Reply with JSON alone, without a word before or after it, that fits this schema:\n{json.dumps(schema)}"
    return [*messages[:-1], {**messages[-1], "content": _with_text(messages[-1]["content"], words)}]


def repair_messages(messages: list[dict[str, Any]], reply: str, problem: str) -> list[dict[str, Any]]:
    """Return messages that ask for the same reply once more, in the right form."""
    said = {"role": "assistant", "content": reply}
    wanted = f"That reply cannot be used: {problem}. Reply again, with JSON alone that fits the schema."
    return [*messages, said, {"role": "user", "content": wanted}]


def misfit(text: str, schema: Mapping[str, Any]) -> str:
    """Return why a text does not fit a schema; empty if it does."""
    import jsonschema

    try:
        jsonschema.validate(read_json(text), schema)
    except ValueError as error:
        return f"it is no JSON ({error})"
    except jsonschema.ValidationError as error:
        return str(error.message)
    return ""


def read_json(text: str) -> Any:
    """Read JSON that stands alone, or alone in a code fence.

    Raises:
        ValueError: anything else.
    """
    fenced = FENCED.match(text.strip())
    return json.loads(fenced["inside"] if fenced else text)


def _with_text(content: Any, words: str) -> Any:
    if isinstance(content, str):
        return f"{content}\n\n{words}"
    return [*content, {"type": "text", "text": words}]
