"""Each selector's rule."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from mexa_parts import PosedExpert, RecordingReasoner, TextsExpert

from lavis.common.errors import ConfigError
from lavis.datasets.question import Question
from lavis.models.mexa_models.selectors import AllSelector, FixedSelector, LLMSelector, NoneSelector, RulesSelector

Ask = Callable[..., Question]
EXPERTS = [TextsExpert(), PosedExpert()]


def test_all_and_none(ask: Ask) -> None:
    assert AllSelector().select(ask(), EXPERTS, RecordingReasoner()).experts == ("texts", "posed")
    assert NoneSelector().select(ask(), EXPERTS, RecordingReasoner()).experts == ()


def test_rules_ask_the_cued_expert_first_and_only_where_its_cue_occurs(ask: Ask) -> None:
    rules = RulesSelector()
    assert rules.select(ask("Is it on my LEFT?"), EXPERTS, RecordingReasoner()).experts == ("posed", "texts")
    assert rules.select(ask("Is it leftover?"), EXPERTS, RecordingReasoner()).experts == ("texts",)
    assert rules.select(ask("What?"), [PosedExpert()], RecordingReasoner()).experts == ("posed",)
    assert RulesSelector(max_experts=1).select(ask("left?"), EXPERTS, RecordingReasoner()).experts == ("posed",)


def test_fixed_keeps_its_order_and_refuses_a_name_that_is_not_configured(ask: Ask) -> None:
    fixed = FixedSelector(names=["posed", "texts"])
    assert fixed.select(ask(), EXPERTS, RecordingReasoner()).experts == ("posed", "texts")
    assert fixed.select(ask(), EXPERTS[:1], RecordingReasoner()).experts == ("texts",)
    with pytest.raises(ConfigError, match=r"'posd'.*'posed'"):
        FixedSelector(names=["posd"]).check(["texts", "posed"])


@pytest.mark.parametrize(
    ("reply", "chosen"),
    [
        ("posed", ("posed",)),
        ("posed, texts", ("posed", "texts")),
        ("texts, texts, nobody", ("texts",)),
        ("I would rather ask a plumber", ("texts", "posed")),
        ("", ("texts", "posed")),
    ],
)
def test_llm_takes_known_names_and_falls_back_to_everybody(ask: Ask, reply: str, chosen: tuple[str, ...]) -> None:
    reasoner = RecordingReasoner(reply)
    selection = LLMSelector().select(ask(), EXPERTS, reasoner)
    assert selection.experts == chosen
    prompt = reasoner.prompts[0]
    assert prompt.choices == ("texts", "posed")
    assert "what was written" in prompt.text()
    assert selection.usage.input_tokens > 0


def test_llm_does_not_ask_when_there_is_no_choice(ask: Ask) -> None:
    reasoner = RecordingReasoner("posed")
    assert LLMSelector().select(ask(), EXPERTS[:1], reasoner).experts == ("texts",)
    assert reasoner.prompts == []
