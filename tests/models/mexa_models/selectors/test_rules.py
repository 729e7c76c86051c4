"""The rules: which words, types and media lead to whom, and that the reason says so."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mexa_parts import PosedExpert, TextsExpert
from selecting import select
from selection import POOL, StandIn, fits, labelled, stand_ins

from lavis.common.errors import ConfigError
from lavis.datasets.question import Media, Question
from lavis.experts import Expert, ExpertCard
from lavis.experts.skills import SKILLS
from lavis.models.mexa_models.selectors import RulesSelector
from lavis.models.mexa_models.selectors.cues import CUES, GENERAL, MODALITY_NEEDS, PRESENCE, need_of

Ask = Callable[..., Question]


def asked(text: str, *modalities: str, **parts: Any) -> Question:
    return Question("q", text, Media("m", {name: Path("absent") / name for name in modalities}), **parts)


def chosen(question: Question, *names: str) -> tuple[str, ...]:
    pool = [expert for expert in stand_ins() if not names or expert.card.name in names]
    return RulesSelector().choose(question, [one for one in pool if not one.missing_needs(question)]).experts


def test_the_table_names_needs_that_there_are_and_patterns_that_compile() -> None:
    known = {*SKILLS, *MODALITY_NEEDS.values()}
    general = set(itertools.chain(*GENERAL.values()))
    assert {need for cue in CUES for need in cue.needs} | set(PRESENCE.values()) | general <= known
    for cue in CUES:
        re.compile(cue.pattern)
        re.compile(cue.unless)


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        (asked("How far is the lamp?", "frame", "depth"), {"depth"}),
        (asked("Which chord is played?", "audio", category="music"), {"music"}),
        (asked("Who is angry?", "audio", category="speech"), {"speech"}),
        (asked("Is the flute seen?", "audio", "frame", category="Visual/Counting"), {"frames", "image"}),
        (asked("What is the sum of column 2?", "table", "page"), {"table"}),
        (asked("How does it feel?", "touch", "frame"), {"touch"}),
        (asked("What does page 2 state?", "page", "chart"), {"pages"}),
        (asked("side is", "frame"), {"frames"}),
    ],
)
def test_words_types_and_media_lead_to_experts(question: Question, wanted: set[str]) -> None:
    assert set(chosen(question)) == wanted


def test_the_reason_says_which_cue_led_to_whom() -> None:
    question = asked("Which instrument plays first?", "audio", "frame", category="Audio-Visual/Temporal")
    available = [expert for expert in stand_ins() if expert.card.name in ("frames", "music")]
    selection = RulesSelector().choose(question, available)
    assert selection.reason == (
        "music: 'instrument', a question of type Audio-Visual/Temporal; "
        "frames: a question of type Audio-Visual/Temporal"
    )
    assert selection.occasional == ("music",), "the other one is asked about every question of the type"


def test_a_cue_of_the_card_decides_alone_and_comes_first(ask: Ask) -> None:
    rules = RulesSelector()
    left = select(rules, ask("Is it on my LEFT?"))
    assert (left.experts, left.occasional) == (("posed", "texts"), ("posed",))
    assert "posed: its cue 'LEFT'" in left.reason
    assert select(rules, ask("Is it leftover?")).experts == ("texts",)
    assert select(rules, ask("What?"), [PosedExpert()]).experts == ("posed",), "nobody else is there"
    assert select(RulesSelector(max_experts=1), ask("left?")).experts == ("posed",)


def test_this_packages_experts_have_the_table_whatever_their_cards_say() -> None:
    """The name ``frames`` is the package's, ``others`` is not; both cards' cue does not occur."""
    by_name = [
        StandIn(ExpertCard(name=name, modality="frame", skill="A1", summary="s", version="1", cue="zebra"))
        for name in ("frames", "others")
    ]
    question = asked("What is the man doing?", "frame", "video")
    assert RulesSelector().choose(question, by_name).experts == ("frames",)


def test_an_expert_of_a_skill_that_the_table_does_not_know_is_always_asked(ask: Ask) -> None:
    omni = StandIn(ExpertCard(name="omni", modality="captions", skill="omni", summary="s", version="1"))
    table = StandIn(ExpertCard(name="words", modality="captions", skill="A3", summary="s", version="1"))
    experts: list[Expert] = [omni, table, TextsExpert()]
    assert select(RulesSelector(), ask("Why?"), experts).experts == ("words", "omni")
    assert select(RulesSelector(), ask("Why?"), [omni, TextsExpert()]).experts == ("omni",)


def test_max_experts_of_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"max_experts: 0 .*type: none"):
        RulesSelector(max_experts=0)


def test_the_labelled_questions_can_be_served_by_the_pool() -> None:
    """A label that no expert of the medium serves could never be met."""
    questions = labelled()
    assert len(questions) == 120
    assert {one.split for one in questions} == {"tune", "held_out"}
    assert all(one.needs for one in questions)
    for one in questions:
        assert one.needs <= {need_of(expert.card) for expert in one.available(stand_ins())}, one.question


def test_rules_fit_the_labels_of_both_halves() -> None:
    """Measured: 0.94 on both; all experts of a medium get 0.33."""
    rules = RulesSelector()
    found = fits(labelled(), stand_ins(), lambda question, experts: rules.choose(question, experts).experts)
    assert found["tune"].f1 >= 0.9
    assert found["held_out"].f1 >= 0.9
    assert all(fit.f1 >= 0.6 for fit in found.values())
    everybody = fits(labelled(), stand_ins(), lambda question, experts: [expert.card.name for expert in experts])
    assert everybody["all"].f1 < 0.4
    assert len(POOL) == 25
