"""Experts for the benchmarks: one that makes a choice necessary, and two that take a set time."""

from __future__ import annotations

import time

from lavis.common.registry import registry
from lavis.datasets.loaders.captions import Caption
from lavis.experts import Expert, ExpertCard

EXPERT_S = 0.05


def _card(name: str, *, question_aware: bool = False) -> ExpertCard:
    return ExpertCard(
        name=name,
        modality="captions",
        skill="A3",
        summary="counts the texts",
        version="1",
        question_aware=question_aware,
    )


@registry.register_expert("second_reader")
class SecondReader(Expert):
    """Counts texts, at once."""

    card = _card("second_reader")

    def write(self, captions: tuple[Caption, ...]) -> str:
        """Return how many there are."""
        return f"{len(captions)} texts"


@registry.register_expert("long_reader")
class LongReader(Expert):
    """Quotes every text, at once."""

    card = _card("long_reader")

    def write(self, captions: tuple[Caption, ...]) -> str:
        """Return a line per text."""
        return "\n".join(caption.text for caption in captions)


@registry.register_expert("waiting_reader")
class WaitingReader(Expert):
    """Takes 50 ms a question without using a core."""

    card = _card("waiting_reader", question_aware=True)

    def write(self, captions: tuple[Caption, ...], *, question: object) -> str:
        """Wait, then return how many there are."""
        time.sleep(EXPERT_S)
        return f"{len(captions)} texts"


@registry.register_expert("busy_reader")
class BusyReader(Expert):
    """Uses a core for 50 ms a question."""

    card = _card("busy_reader", question_aware=True)

    def write(self, captions: tuple[Caption, ...], *, question: object) -> str:
        """Compute, then return how many there are."""
        until = time.thread_time() + EXPERT_S
        steps = 0
        while time.thread_time() < until:
            steps += 1
        return f"{len(captions)} texts"
