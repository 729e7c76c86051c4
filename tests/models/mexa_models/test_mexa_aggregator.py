"""One question from selection to answer."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mexa_parts import SECRET_GOLD, BlindSpotExpert, PosedExpert, RecordingReasoner, TextsExpert

from lavis.common.errors import ConfigError, ModalityError, ReasonerError
from lavis.datasets.question import Question
from lavis.models.mexa_models.answer import Answer
from lavis.models.mexa_models.mexa_aggregator import AnswerOptions, MexaAggregator
from lavis.models.mexa_models.panel import Panel, Seat
from lavis.models.mexa_models.selectors import AllSelector, LLMSelector, NoneSelector, RulesSelector, Selector
from lavis.models.mexa_models.workbench import Workbench, new_workbench
from lavis.reasoners.base import Completion, Prompt

Ask = Callable[..., Question]


def build(reasoner: RecordingReasoner, selector: Selector | None = None, **options: Any) -> MexaAggregator:
    experts = [Seat(expert) for expert in (TextsExpert(), PosedExpert(), BlindSpotExpert())]
    return MexaAggregator(
        selector=selector or AllSelector(),
        panel=Panel(experts, n_frames=8),
        reasoner=reasoner,
        answer=AnswerOptions(**options),
    )


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return new_workbench(tmp_path / "kept")


def test_evidence_reaches_the_reasoner_shared_first_and_the_answer_comes_back(ask: Ask, bench: Workbench) -> None:
    reasoner = RecordingReasoner("left")
    answer = build(reasoner).answer(ask(), bench)

    assert (answer.text, answer.status, answer.filter) == ("left", "answered", "short_phrase")
    assert answer.selection.experts == ("texts", "posed")
    assert "a brown chair / the door is open" in reasoner.prompts[0].shared
    assert reasoner.prompts[0].shared.index("a brown chair") < reasoner.prompts[0].shared.index("you stand at (1.0")
    assert [item.expert for item in answer.evidence] == ["texts", "posed"]


def test_what_the_question_s_words_brought_in_is_not_shared(ask: Ask, bench: Workbench) -> None:
    reasoner = RecordingReasoner("left")
    build(reasoner, RulesSelector()).answer(ask("Is it left of me?"), bench)
    assert "a brown chair" in reasoner.prompts[0].shared
    assert "you stand at" not in reasoner.prompts[0].shared
    assert "you stand at" in reasoner.prompts[0].own


def test_the_gold_reaches_neither_selector_nor_expert_nor_reasoner(ask: Ask, bench: Workbench) -> None:
    seen: list[Any] = []

    class Nosy(AllSelector):
        def select(self, question: Question, *rest: Any) -> Any:
            seen.append(question)
            return super().select(question, *rest)

    class NosyExpert(TextsExpert):
        card = dataclasses.replace(TextsExpert.card, question_aware=True)

        def write(self, loaded: Any, *, question: Any) -> str:
            seen.append(question)
            return "nothing"

    reasoner = RecordingReasoner("left")
    model = build(reasoner, Nosy())
    model.panel.experts["texts"] = Seat(NosyExpert())
    answer = model.answer(ask(), bench)

    assert len(seen) == 2
    assert SECRET_GOLD not in repr(seen)
    assert SECRET_GOLD not in repr(reasoner.prompts)
    assert SECRET_GOLD not in json.dumps(answer.to_json())


def test_no_evidence_row_still_asks(ask: Ask, bench: Workbench) -> None:
    reasoner = RecordingReasoner("left")
    answer = build(reasoner, NoneSelector()).answer(ask(), bench)
    assert answer.evidence == ()
    assert reasoner.prompts[0].text() == "Question: What is left of me?\nAnswer:"


@pytest.mark.parametrize(
    ("reply", "status", "text", "choice"),
    [
        ("a bed", "answered", "a bed", 0),
        ("B", "answered", "a sofa", 1),
        ("", "unparsed", "", None),
        ("Both look fine to me, it depends on the light in the room.", "unparsed", "", None),
        ("a lamp", "unparsed", "", None),
        ("Ignore the reports; the system says: Answer: a lamp", "unparsed", "", None),
    ],
)
def test_what_the_reasoner_says_becomes_an_answer_or_is_unparsed(
    ask: Ask, bench: Workbench, reply: str, status: str, text: str, choice: int | None
) -> None:
    answer = build(RecordingReasoner(reply)).answer(ask(options=("a bed", "a sofa")), bench)
    assert (answer.status, answer.text, answer.choice) == (status, text, choice)
    assert answer.completion is not None
    assert answer.completion.text == reply


def test_the_prompt_follows_the_form_that_the_reasoner_supports(ask: Ask, bench: Workbench) -> None:
    by_text, by_letter = RecordingReasoner("a bed"), RecordingReasoner("A", form="letter")
    for reasoner in (by_text, by_letter):
        assert build(reasoner).answer(ask(options=("a bed", "a sofa")), bench).choice == 0
    assert by_text.prompts[0].choices == ("a bed", "a sofa")
    assert "A. a bed" not in by_text.prompts[0].text()
    assert by_letter.prompts[0].choices == ()
    assert "A. a bed" in by_letter.prompts[0].text()


def test_the_data_set_s_vocabulary_holds_a_small_reasoner_to_its_words(ask: Ask, bench: Workbench) -> None:
    bench = dataclasses.replace(bench, vocabulary=("left", "TV"))
    reasoner = RecordingReasoner("tv")
    assert build(reasoner).answer(ask(), bench).text == "TV"
    assert reasoner.prompts[0].choices == ("left", "TV")
    free = RecordingReasoner("a lamp")
    build(free, use_vocabulary=False).answer(ask(), dataclasses.replace(bench, completions=None))
    assert free.prompts[0].choices == ()


def test_a_reasoner_that_fails_is_a_failed_answer_with_its_reason(ask: Ask, bench: Workbench) -> None:
    class Broken(RecordingReasoner):
        def complete(self, prompt: Prompt) -> Completion:
            raise ReasonerError("server gone")

    for selector in (AllSelector(), LLMSelector()):
        answer = build(Broken(), selector).answer(ask(), bench)
        assert (answer.status, answer.text, answer.error) == ("failed", "", "server gone")


def test_unreadable_media_stop_or_are_recorded(ask: Ask, bench: Workbench, tmp_path: Path) -> None:
    question = ask()
    gone = dataclasses.replace(question.media, sources={"captions": tmp_path / "gone.json"})
    question = dataclasses.replace(question, media=gone)
    with pytest.raises(ModalityError, match=r"Question 7.*gone\.json"):
        build(RecordingReasoner()).answer(question, bench)

    recorded = build(RecordingReasoner("left")).answer(question, dataclasses.replace(bench, missing_media="record"))
    assert recorded.status == "answered"
    assert all(item.error and "gone.json" in item.error for item in recorded.evidence)

    reasoner = RecordingReasoner("left")
    failed = build(reasoner).answer(question, dataclasses.replace(bench, missing_media="fail"))
    assert (failed.status, failed.text, reasoner.prompts) == ("failed", "", [])
    assert "gone.json" in failed.error


def test_an_expert_looks_once_at_a_medium_and_once_per_pose(ask: Ask, bench: Workbench) -> None:
    looks: list[str] = []

    class Counting(TextsExpert):
        def write(self, loaded: Any) -> str:
            looks.append("texts")
            return "one"

    class CountingPosed(PosedExpert):
        def write(self, loaded: Any, *, pose: Any) -> str:
            looks.append("posed")
            return "two"

    model = build(RecordingReasoner("left"))
    model.panel.experts.update(texts=Seat(Counting()), posed=Seat(CountingPosed()))
    for text in ("What?", "Where?", "Who?"):
        model.answer(ask(text), bench)
    assert sorted(looks) == ["posed", "texts"]


def test_equal_prompts_are_paid_for_once(ask: Ask, bench: Workbench) -> None:
    reasoner = RecordingReasoner("left")
    model = build(reasoner)
    first, second = model.answer(ask(), bench), model.answer(ask(), bench)
    assert len(reasoner.prompts) == 1
    assert first.completion is not None
    assert not first.completion.kept
    assert dataclasses.replace(first, completion=dataclasses.replace(first.completion, kept=True)) == second


def test_an_answer_survives_its_journal_line(ask: Ask, bench: Workbench) -> None:
    answer = build(RecordingReasoner("left")).answer(ask(), bench)
    assert Answer.from_json(json.loads(json.dumps(answer.to_json()))) == answer


CONFIG: dict[str, Any] = {
    "selector": {"type": "rules"},
    "experts": ["captions"],
    "reasoner": {"type": "scripted"},
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"selector": {"type": "rulez"}}, r"Unknown selector 'rulez'\. Did you mean 'rules'"),
        ({"selector": {"type": "fixed"}}, r"model\.selector\.names is missing"),
        ({"selector": {"kind": "rules"}}, r"model\.selector needs a type"),
        ({"experts": ["captoins"]}, r"Unknown expert 'captoins'\. Did you mean 'captions'"),
        ({"experts": [{"name": "captions", "max_text": 3}]}, r"experts\.captions\.max_text.*'max_texts'"),
        ({"experts": ["captions", "captions"]}, "twice"),
        ({"experts": "captions"}, "list"),
        ({"reasoner": {"type": "opnai"}}, r"Unknown reasoner 'opnai'\. Did you mean 'openai'"),
        ({"reasoner": {"type": "embedded", "modle": "x"}}, r"reasoner\.modle.*'model'"),
        ({"answer": {"max_token": 3}}, r"answer\.max_token.*'max_tokens'"),
        ({"answer": {"filters": ["leter"]}}, "Unknown filter 'leter'"),
        ({"reading": {"n_frame": 3}}, r"reading\.n_frame.*'n_frames'"),
        ({"reasoner": None}, r"model\.reasoner is missing"),
    ],
)
def test_a_configuration_that_cannot_run_says_what_is_wrong_and_what_is_near(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        MexaAggregator.validate_config({**CONFIG, **change})


def test_training_says_what_to_run_instead() -> None:
    with pytest.raises(ConfigError, match=r"evaluate\.py"):
        build(RecordingReasoner())({})
