"""Completions are kept where they can be repeated, and only then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mexa_parts import RecordingReasoner

from lavis.reasoners.base import Prompt
from lavis.reasoners.cached import CachedReasoner
from lavis.store import CompletionCache


class Warm(RecordingReasoner):
    def identity(self) -> dict[str, Any]:
        return {"model": "recording", "temperature": 0.7}


def ask(reasoner: RecordingReasoner, folder: Path, marker: str) -> str:
    cached = CachedReasoner(reasoner, CompletionCache(folder), marker)
    return cached.complete(Prompt("", f"<evidence {marker}>\na\n</evidence {marker}>", "Question: what?")).text


def test_the_same_prompt_is_asked_once_over_runs(tmp_path: Path) -> None:
    reasoner = RecordingReasoner("left", "right")
    assert [ask(reasoner, tmp_path, "aaaa"), ask(reasoner, tmp_path, "bbbb")] == ["left", "left"]
    assert len(reasoner.prompts) == 1


@pytest.mark.parametrize(("reasoner", "calls"), [(Warm("left"), 2), (RecordingReasoner(" "), 2)])
def test_what_is_drawn_or_empty_is_asked_again(tmp_path: Path, reasoner: RecordingReasoner, calls: int) -> None:
    ask(reasoner, tmp_path, "aaaa")
    ask(reasoner, tmp_path, "aaaa")
    assert len(reasoner.prompts) == calls


def test_form_and_connections_are_the_inner_reasoner_s(tmp_path: Path) -> None:
    inner = RecordingReasoner("A", form="letter")
    inner.max_connections = 5
    cached = CachedReasoner(inner, CompletionCache(tmp_path), "aaaa")
    assert (cached.answer_form, cached.max_connections) == ("letter", 5)
