"""What the tests of reasoners share: a scripted provider, and reasoners that ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from provider import KEY, Answer, Provider

from lavis.reasoners.openai_compatible import OpenAIReasoner


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., OpenAIReasoner]]:
    """Make reasoners that are closed at the end and wait little between attempts."""
    monkeypatch.setenv("PLANTED_KEY", KEY)
    made: list[OpenAIReasoner] = []

    def build(base_url: str, **options: Any) -> OpenAIReasoner:
        defaults = {"model": "m", "base_url": base_url, "api_key_env": "PLANTED_KEY", "retry_base_s": 0.01}
        made.append(OpenAIReasoner(**{**defaults, **options}))
        return made[-1]

    yield build
    for reasoner in made:
        reasoner.close()


@pytest.fixture
def ask(provider: Provider, make: Callable[..., OpenAIReasoner]) -> Callable[..., OpenAIReasoner]:
    """Give the provider a script and return a reasoner that asks it."""

    def build(*script: Answer, **options: Any) -> OpenAIReasoner:
        provider.script = list(script) or provider.script
        return make(provider.url, **options)

    return build
