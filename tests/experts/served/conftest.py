"""What the tests of experts with a model share: a provider, and experts that ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from provider import Provider

from lavis.experts.asking import AskingExpert


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def make(provider: Provider) -> Iterator[Callable[..., Any]]:
    """Make an expert whose model is the provider's, and sees and hears."""
    made: list[AskingExpert] = []

    def build(cls: type[AskingExpert], **options: Any) -> AskingExpert:
        node = {"type": "openai", "base_url": provider.url, "model": "m", "api_key_env": None}
        made.append(cls(reasoner={**node, "sees_images": True, "hears_audio": True}, **options))
        return made[-1]

    yield build
    for expert in made:
        expert.whom().close()
