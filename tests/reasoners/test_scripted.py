"""The scripted reasoner answers by rule and never by chance."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lavis.common.errors import ConfigError, ReasonerError
from lavis.experts.evidence import Evidence
from lavis.models.mexa_models.prompts import draw_marker, fence
from lavis.reasoners import Prompt
from lavis.reasoners.scripted import ScriptedReasoner

EVIDENCE = [Evidence("frames", "m1", "a red chair", "1")]
CHOICES = tuple(f"answer {index}" for index in range(50))


def ask(own: str = "Question: How many (red) chairs?", **changes: Any) -> Prompt:
    return Prompt(**{"system": "", "shared": "", "own": own, "choices": CHOICES, **changes})


def test_a_literal_text_wins_over_an_expression() -> None:
    """Truth: as an expression, 'How many (red) chairs?' would not match its own parentheses."""
    reasoner = ScriptedReasoner(answers={r"How many .*": "seven", "How many (red) chairs?": "two"})

    assert reasoner.complete(ask()).text == "two"
    assert reasoner.complete(ask("Question: How many tables?")).text == "seven"


def test_without_a_reply_the_default_or_an_error() -> None:
    assert ScriptedReasoner(default="yes").complete(ask()).text == "yes"
    with pytest.raises(ReasonerError, match="How many"):
        ScriptedReasoner().complete(ask())


def test_modes_pick_among_the_choices() -> None:
    assert ScriptedReasoner(mode="first_choice").complete(ask()).text == "answer 0"
    picked = {ScriptedReasoner(mode="hash_choice").complete(ask(f"Question {n}")).text for n in range(40)}
    assert picked <= set(CHOICES)
    assert len(picked) > 20


def test_a_hash_does_not_see_the_run_s_marker_but_sees_the_evidence() -> None:
    reasoner = ScriptedReasoner(mode="hash_choice")
    other = [Evidence("frames", "m1", "a blue chair", "1")]

    in_two_runs = {reasoner.complete(ask(shared=fence(EVIDENCE, draw_marker()))).text for _ in range(2)}
    elsewhere = reasoner.complete(ask(shared=fence(other, draw_marker()))).text

    assert len(in_two_runs) == 1
    assert elsewhere not in in_two_runs


def test_latency_is_slept_and_reported() -> None:
    start = time.perf_counter()
    completion = ScriptedReasoner(default="yes", latency_s=0.05).complete(ask())

    assert time.perf_counter() - start >= 0.05
    assert completion.latency_s >= 0.05


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="first_choice"):
        ScriptedReasoner(mode="random")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no regular expression"):
        ScriptedReasoner(answers={"(": "x"})
