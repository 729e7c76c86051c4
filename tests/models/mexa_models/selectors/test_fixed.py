"""Selectors that do not look at the question, and what all selectors do with a medium that nobody can look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from mexa_parts import BlindSpotExpert, RecordingReasoner
from selecting import EXPERTS, select

from lavis.common.errors import ConfigError
from lavis.datasets.question import Question
from lavis.models.mexa_models.mexa_aggregator import MexaAggregator
from lavis.models.mexa_models.panel import Panel, Seat
from lavis.models.mexa_models.selectors import (
    AllSelector,
    FixedSelector,
    LLMSelector,
    NoneSelector,
    OracleSelector,
    RulesSelector,
    Selector,
)
from lavis.models.mexa_models.workbench import new_workbench

Ask = Callable[..., Question]


def test_all_and_none(ask: Ask) -> None:
    assert select(AllSelector(), ask()).experts == ("texts", "posed")
    assert select(NoneSelector(), ask()).experts == ()
    assert not NoneSelector.asks_experts, "no expert's files are needed"


def test_fixed_keeps_its_order_and_refuses_a_name_that_is_not_configured(ask: Ask) -> None:
    fixed = FixedSelector(names=["posed", "texts"])
    assert select(fixed, ask()).experts == ("posed", "texts")
    part = select(fixed, ask(), EXPERTS[:1])
    assert part.experts == ("texts",)
    assert "not for this medium: posed" in part.reason
    with pytest.raises(ConfigError, match=r"'posd'.*'posed'"):
        FixedSelector(names=["posd"]).check(["texts", "posed"])


@pytest.mark.parametrize("kind", ["all", "fixed", "rules", "llm", "oracle"])
def test_a_medium_that_nobody_can_look_at_is_answered_without_evidence(ask: Ask, tmp_path: Path, kind: str) -> None:
    """The medium has captions; the only configured expert looks at depth."""
    file = tmp_path / "skills.json"
    file.write_text(json.dumps({"7": "A2"}))
    selectors: dict[str, Selector] = {
        "all": AllSelector(),
        "fixed": FixedSelector(names=["blind_spot"]),
        "rules": RulesSelector(),
        "llm": LLMSelector(),
        "oracle": OracleSelector(file=str(file)),
    }
    reasoner = RecordingReasoner("left")
    panel = Panel([Seat(BlindSpotExpert())], n_frames=8)
    model = MexaAggregator(selector=selectors[kind], panel=panel, reasoner=reasoner)
    try:
        answer = model.answer(ask(options=("left", "right")), new_workbench(tmp_path))
    finally:
        model.close()

    assert (answer.status, answer.text) == ("answered", "left")
    assert answer.selection.experts == answer.evidence == ()
    assert answer.selection.reason == "no configured expert can look at medium 'scene', which has captions"
    assert len(reasoner.prompts) == 1, "the selector asked nobody"
    assert "<evidence" not in reasoner.prompts[0].text()
