"""Each selector's rule."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from lrm_server import running
from mexa_parts import PosedExpert, RecordingReasoner, TextsExpert

from lavis.common import event_loop
from lavis.common.errors import ConfigError, ReasonerError
from lavis.datasets.question import Question
from lavis.experts import Expert
from lavis.models.mexa_models.answer import Selection
from lavis.models.mexa_models.selectors import (
    AllSelector,
    FixedSelector,
    Frames,
    LLMSelector,
    NoneSelector,
    RulesSelector,
    Selector,
)
from lavis.reasoners.base import Completion, Prompt, PromptImage, Reasoner
from lavis.reasoners.openai_compatible import OpenAIReasoner

Ask = Callable[..., Question]
EXPERTS = [TextsExpert(), PosedExpert()]
PICTURE = PromptImage(b"\xff\xd8 a picture", "image/jpeg")


def select(
    selector: Selector,
    question: Question,
    experts: Sequence[Expert] = EXPERTS,
    reasoner: Reasoner | None = None,
    frames: Frames | None = None,
) -> Selection:
    return event_loop.run(selector.select(question, experts, reasoner or RecordingReasoner(), frames))


def test_all_and_none(ask: Ask) -> None:
    assert select(AllSelector(), ask()).experts == ("texts", "posed")
    assert select(NoneSelector(), ask()).experts == ()


def test_rules_ask_the_cued_expert_first_and_only_where_its_cue_occurs(ask: Ask) -> None:
    rules = RulesSelector()
    assert select(rules, ask("Is it on my LEFT?")).experts == ("posed", "texts")
    assert select(rules, ask("Is it leftover?")).experts == ("texts",)
    assert select(rules, ask("What?"), [PosedExpert()]).experts == ("posed",)
    assert select(RulesSelector(max_experts=1), ask("left?")).experts == ("posed",)


def test_fixed_keeps_its_order_and_refuses_a_name_that_is_not_configured(ask: Ask) -> None:
    fixed = FixedSelector(names=["posed", "texts"])
    assert select(fixed, ask()).experts == ("posed", "texts")
    assert select(fixed, ask(), EXPERTS[:1]).experts == ("texts",)
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
    selection = select(LLMSelector(), ask(), reasoner=reasoner)
    assert selection.experts == chosen
    prompt = reasoner.prompts[0]
    assert prompt.choices == ("texts", "posed")
    assert prompt.schema is None, "this reasoner writes no JSON"
    assert "what was written" in prompt.text()
    assert selection.usage.input_tokens > 0


def test_llm_does_not_ask_when_there_is_no_choice(ask: Ask) -> None:
    reasoner = RecordingReasoner("posed")
    assert select(LLMSelector(), ask(), EXPERTS[:1], reasoner).experts == ("texts",)
    assert reasoner.prompts == []


def test_llm_takes_no_more_than_it_may(ask: Ask) -> None:
    reasoner = RecordingReasoner("posed, texts")
    assert select(LLMSelector(max_experts=1), ask(), reasoner=reasoner).experts == ("posed",)
    assert reasoner.prompts[0].max_choices == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_experts": 0}, r"max_experts: 0 .*type: none"),
        ({"n_frames": -1}, r"n_frames: -1"),
        ({"reasoner": {"type": "scriptd"}}, r"Unknown reasoner 'scriptd'.*'scripted'"),
        ({"reasoner": {"type": "scripted", "defualt": "x"}}, r"model\.selector\.reasoner\.defualt.*'default'"),
    ],
)
def test_llm_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LLMSelector(**options)


class JsonReasoner(RecordingReasoner):
    """Writes JSON, and says of its replies how they came to fit."""

    writes_json = True
    path = "json_schema"

    def complete(self, prompt: Prompt) -> Completion:
        return dataclasses.replace(super().complete(prompt), schema_path=self.path)  # type: ignore[arg-type]


def test_llm_holds_a_reasoner_that_writes_json_to_the_names_and_keeps_its_reason(ask: Ask) -> None:
    reasoner = JsonReasoner(json.dumps({"experts": ["posed", "posed"], "reason": "it asks for a side"}))
    selection = select(LLMSelector(), ask(), reasoner=reasoner)

    assert selection.experts == ("posed",)
    assert selection.reason == "recording: it asks for a side"
    assert (selection.schema_path, selection.model) == ("json_schema", "recording")
    schema = reasoner.prompts[0].schema
    assert schema is not None
    assert schema["properties"]["experts"]["items"]["enum"] == ["texts", "posed"]


def test_llm_leaves_the_choice_to_the_rules_where_no_reply_fits_and_says_so(ask: Ask) -> None:
    reasoner = JsonReasoner("posed, if you ask me")
    reasoner.path = "unfit"
    selection = select(LLMSelector(), ask("What is there?"), reasoner=reasoner)

    assert selection.experts == ("texts",), "the cue of the other one does not occur"
    assert "the rules chose" in selection.reason
    assert selection.schema_path == "unfit"
    assert selection.usage.output_tokens > 0, "what was paid for counts, used or not"


def test_llm_shows_pictures_only_to_a_reasoner_that_sees(ask: Ask) -> None:
    wanted: list[int] = []

    async def frames(n: int) -> tuple[PromptImage, ...]:
        wanted.append(n)
        return (PICTURE,) * n

    blind = RecordingReasoner("posed")
    with pytest.raises(ConfigError, match=r"sees_images: true"):
        select(LLMSelector(n_frames=2), ask(), reasoner=blind, frames=frames)
    assert blind.prompts == []

    seeing = RecordingReasoner("posed")
    seeing.sees_images = True
    select(LLMSelector(n_frames=2), ask(), reasoner=seeing, frames=frames)
    select(LLMSelector(), ask(), reasoner=seeing, frames=frames)
    assert [prompt.images for prompt in seeing.prompts] == [(PICTURE, PICTURE), ()]
    assert wanted == [2]


def test_llm_asks_a_reasoner_of_its_own_by_its_own_options(ask: Ask) -> None:
    selector = LLMSelector(reasoner={"type": "scripted", "answers": {"left": "posed"}, "default": "texts"})
    assert selector.reasoner is not None
    assert select(selector, ask("Is it left?"), reasoner=selector.reasoner).experts == ("posed",)
    assert select(selector, ask("What?"), reasoner=selector.reasoner).experts == ("texts",)


def test_llm_passes_on_that_its_reasoner_failed(ask: Ask) -> None:
    class Broken(RecordingReasoner):
        def complete(self, prompt: Prompt) -> Completion:
            raise ReasonerError("server gone")

    with pytest.raises(ReasonerError, match="server gone"):
        select(LLMSelector(), ask(), reasoner=Broken())


@pytest.mark.parametrize("structured", ["server", "words"])
def test_llm_with_a_real_server_gets_json_by_schema_or_by_repair(ask: Ask, structured: str) -> None:
    """The server writes a schema's fields where a request names one, and plain names where it does not."""
    with running() as server:
        reasoner = OpenAIReasoner(
            model="m", base_url=server.url, api_key_env=None, structured=structured, max_attempts=1
        )
        try:
            by_schema = select(LLMSelector(max_experts=2), ask(), reasoner=reasoner)
            server.control(reply='```json\n{"experts": ["posed"], "reason": "fenced"}\n```')
            fenced = select(LLMSelector(max_experts=2), ask(), reasoner=reasoner)
            server.control(reply="texts")
            unfit = select(LLMSelector(max_experts=2), ask("What?"), reasoner=reasoner)
        finally:
            reasoner.close()
        calls = server.stats()["calls"]
    if structured == "server":
        assert by_schema.schema_path == fenced.schema_path == "json_schema"
        assert "these see it" in by_schema.reason
        assert calls == 4
    else:
        assert (by_schema.schema_path, fenced.schema_path) == ("unfit", "parsed")
        assert calls == 5, "one repair is asked for, and no second one"
    assert fenced.experts == ("posed",)
    assert unfit.schema_path == "unfit"
    assert unfit.experts == ("texts",)
