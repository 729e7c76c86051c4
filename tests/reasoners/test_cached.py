"""Completions are kept where they can be repeated, and only then."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from mexa_parts import RecordingReasoner

from lavis.common.errors import ReasonerError
from lavis.reasoners.base import Completion, Prompt, PromptImage, SchemaPath, Usage
from lavis.reasoners.cached import CachedReasoner
from lavis.store import CompletionCache

PROMPT = Prompt("system", "shared", "own", choices=("a", "b"))


class Warm(RecordingReasoner):
    def identity(self) -> dict[str, Any]:
        return {"model": "recording", "temperature": 0.7}


class Given(RecordingReasoner):
    """Returns given completions in turn, or raises given errors."""

    def __init__(self, *given: Completion | ReasonerError) -> None:
        super().__init__()
        self.given = list(given)

    def complete(self, prompt: Prompt) -> Completion:
        self.prompts.append(prompt)
        found = self.given.pop(0) if len(self.given) > 1 else self.given[0]
        if isinstance(found, ReasonerError):
            raise found
        return found


def ask(reasoner: RecordingReasoner, folder: Path, marker: str) -> str:
    cached = CachedReasoner(reasoner, CompletionCache(folder), marker)
    return cached.complete(Prompt("", f"<evidence {marker}>\na\n</evidence {marker}>", "Question: what?")).text


def completion(text: str = "left", *, cut: bool = False, schema_path: SchemaPath = "") -> Completion:
    return Completion(text, Usage(10, 2, usd=0.5), "served", 1.5, cut=cut, schema_path=schema_path)


def test_the_same_prompt_is_asked_once_over_runs(tmp_path: Path) -> None:
    reasoner = RecordingReasoner("left", "right")
    assert [ask(reasoner, tmp_path, "aaaa"), ask(reasoner, tmp_path, "bbbb")] == ["left", "left"]
    assert len(reasoner.prompts) == 1


@pytest.mark.parametrize(("reasoner", "calls"), [(Warm("left"), 2), (RecordingReasoner(" "), 2)])
def test_what_is_drawn_or_empty_is_asked_again(tmp_path: Path, reasoner: RecordingReasoner, calls: int) -> None:
    ask(reasoner, tmp_path, "aaaa")
    ask(reasoner, tmp_path, "aaaa")
    assert len(reasoner.prompts) == calls


@pytest.mark.parametrize(
    ("given", "calls"),
    [
        (completion(), 1),
        (completion(schema_path="json_schema"), 1),
        (completion(schema_path="parsed"), 1),
        (completion(schema_path="repaired"), 1),
        (completion(schema_path="unfit"), 2),
        (completion(cut=True), 2),
        (completion(""), 2),
    ],
    ids=["whole", "json_schema", "parsed", "repaired", "unfit", "cut", "empty"],
)
@pytest.mark.parametrize("awaited", [False, True])
def test_only_a_whole_completion_is_kept(tmp_path: Path, given: Completion, calls: int, awaited: bool) -> None:
    inner = Given(given)
    cached = CachedReasoner(inner, CompletionCache(tmp_path), "aaaa")

    first, second = (asyncio.run(cached.acomplete(PROMPT)) if awaited else cached.complete(PROMPT) for _ in range(2))
    assert len(inner.prompts) == calls
    assert first == given
    # What is kept says so, and says what it used; its price is another matter.
    usage = dataclasses.replace(given.usage, usd=None)
    assert second == (given if calls == 2 else dataclasses.replace(given, kept=True, usage=usage))


@pytest.mark.parametrize("awaited", [False, True])
def test_an_error_is_never_kept(tmp_path: Path, awaited: bool) -> None:
    inner = Given(ReasonerError("no luck"), completion())
    cached = CachedReasoner(inner, CompletionCache(tmp_path), "aaaa")

    with pytest.raises(ReasonerError, match="no luck"):
        asyncio.run(cached.acomplete(PROMPT)) if awaited else cached.complete(PROMPT)
    assert not list(tmp_path.rglob("*.json"))
    assert cached.complete(PROMPT).text == "left"
    assert len(inner.prompts) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"images": (PromptImage(b"a"),)},
        {"images": (PromptImage(b"b"),)},
        {"images": (PromptImage(b"a"), PromptImage(b"b"))},
        {"images": (PromptImage(b"b"), PromptImage(b"a"))},
        {"schema": {"type": "object"}},
        {"schema": {"type": "array"}},
        {"system": "other"},
        {"shared": "other"},
        {"own": "other"},
        {"choices": ("b", "a")},
        {"max_choices": 2},
        {"max_tokens": 33},
        {"lead": "So:"},
    ],
    ids=lambda change: "-".join(change),
)
def test_everything_that_is_asked_is_in_the_key(tmp_path: Path, change: dict[str, Any]) -> None:
    inner = RecordingReasoner("one", "two")
    cached = CachedReasoner(inner, CompletionCache(tmp_path), "aaaa")
    other = dataclasses.replace(PROMPT, **change)

    assert [cached.complete(prompt).text for prompt in (PROMPT, other, PROMPT, other)] == ["one", "two", "one", "two"]


def test_pictures_and_schemas_tell_their_like_apart(tmp_path: Path) -> None:
    """Thirteen prompts that differ in their pictures or schemas alone have thirteen keys."""
    cache = CompletionCache(tmp_path)
    pictures = [tuple(PromptImage(bytes([k])) for k in range(n)) for n in range(10)]
    schemas = [{"type": kind} for kind in ("object", "array", "string")]
    prompts = [dataclasses.replace(PROMPT, images=images) for images in pictures]
    prompts += [dataclasses.replace(PROMPT, schema=schema) for schema in schemas]

    assert len({cache.key({"model": "m"}, prompt, "aaaa") for prompt in prompts}) == 13
    assert cache.key({"model": "n"}, PROMPT, "aaaa") != cache.key({"model": "m"}, PROMPT, "aaaa")


def test_form_and_connections_are_the_inner_reasoner_s(tmp_path: Path) -> None:
    inner = RecordingReasoner("A", form="letter")
    inner.max_connections, inner.context_tokens, inner.sees_images, inner.writes_json = 5, 4096, True, True
    cached = CachedReasoner(inner, CompletionCache(tmp_path), "aaaa")

    assert (cached.answer_form, cached.max_connections, cached.context_tokens) == ("letter", 5, 4096)
    assert (cached.sees_images, cached.writes_json) == (True, True)
