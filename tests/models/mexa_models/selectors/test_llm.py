"""The llm selector: what it asks, what it makes of replies, and one choice for many questions."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from lrm_server import running
from mexa_parts import RecordingReasoner
from selecting import EXPERTS, select
from selection import StandIn, stand_ins

from lavis.common import event_loop
from lavis.common.errors import ConfigError, ReasonerError
from lavis.datasets.question import Media, Question
from lavis.experts import ExpertCard
from lavis.models.mexa_models.selectors import LLMSelector
from lavis.models.mexa_models.selectors.by_skill import EXAMPLES, skills_prompt
from lavis.models.mexa_models.selectors.cues import KNOWN_NEEDS
from lavis.reasoners.base import Completion, Prompt, PromptImage
from lavis.reasoners.openai_compatible import OpenAIReasoner

Ask = Callable[..., Question]
PICTURE = PromptImage(b"\xff\xd8 a picture", "image/jpeg")


class JsonReasoner(RecordingReasoner):
    """Writes JSON, and says of its replies how they came to fit."""

    writes_json = True
    path = "json_schema"

    def complete(self, prompt: Prompt) -> Completion:
        return dataclasses.replace(super().complete(prompt), schema_path=self.path)  # type: ignore[arg-type]


def reply(**reasons: str) -> str:
    return json.dumps({"experts": [{"name": name, "reason": reason} for name, reason in reasons.items()]})


# -- reasoners that write JSON ---------------------------------------------------------------


def test_a_reasoner_that_writes_json_gives_a_reason_for_each_choice(ask: Ask) -> None:
    reasoner = JsonReasoner(reply(posed="it asks for a side", texts="it may be written"))
    selection = select(LLMSelector(), ask(category="what", options=("a", "b"), situation="I stand."), reasoner=reasoner)

    assert selection.experts == selection.occasional == ("posed", "texts")
    assert selection.reason == "recording: posed: it asks for a side; texts: it may be written"
    assert (selection.schema_path, selection.model) == ("json_schema", "recording")
    (prompt,) = reasoner.prompts
    assert prompt.schema is not None
    item = prompt.schema["properties"]["experts"]["items"]
    assert item["required"] == ["name", "reason"]
    assert item["properties"]["name"]["enum"] == ["texts", "posed"]
    shown = prompt.text()
    assert "texts: what was written (captions; A1, video description; takes milliseconds)" in shown
    assert "The medium has: captions" in shown
    assert "Question type: what" in shown
    assert "Situation: I stand." in shown
    assert "Options: a; b" in shown


def test_names_that_are_not_there_are_dropped_and_told(ask: Ask) -> None:
    reasoner = JsonReasoner(reply(plumber="pipes", posed="sides"))
    reasoner.path = "unfit"  # the schema lists the names, so that such a reply comes only after a repair in vain
    selection = select(LLMSelector(), ask(), reasoner=reasoner)
    assert selection.experts == ("posed",)
    assert selection.reason == "recording: posed: sides; not there: plumber"


def test_a_reply_that_names_all_is_kept_to_the_number(ask: Ask) -> None:
    selection = select(LLMSelector(max_experts=1), ask(), reasoner=JsonReasoner(reply(posed="p", texts="t")))
    assert selection.experts == ("posed",)
    assert "1 more than max_experts" in selection.reason


@pytest.mark.parametrize(
    ("said", "path", "why"),
    [
        ("posed, if you ask me", "unfit", "fits no schema"),
        ('{"experts": 3}', "unfit", "fits no schema"),
        ("[]", "unfit", "fits no schema"),
        (reply(plumber="pipes"), "repaired", "names nobody that is there"),
        (reply(), "json_schema", "names nobody that is there"),
    ],
)
def test_the_rules_choose_where_a_reply_cannot_be_used_and_the_reason_says_so(
    ask: Ask, said: str, path: str, why: str
) -> None:
    reasoner = JsonReasoner(said)
    reasoner.path = path
    selection = select(LLMSelector(), ask("What is there?"), reasoner=reasoner)

    assert selection.experts == ("texts",), "the cue of the other one does not occur"
    assert f"the reply {why}" in selection.reason
    assert "so the rules chose" in selection.reason
    assert selection.schema_path == path
    assert selection.usage.output_tokens > 0, "what was paid for counts, used or not"


@pytest.mark.parametrize("structured", ["server", "words"])
def test_a_real_server_gets_json_by_schema_or_by_repair(ask: Ask, structured: str) -> None:
    """The server fills a schema where a request names one, and says plain names where it does not."""
    with running() as server:
        reasoner = OpenAIReasoner(
            model="m", base_url=server.url, api_key_env=None, structured=structured, max_attempts=1
        )
        try:
            by_schema = select(LLMSelector(max_experts=2), ask(), reasoner=reasoner)
            server.control(reply=f"```json\n{reply(posed='fenced')}\n```")
            fenced = select(LLMSelector(max_experts=2), ask(), reasoner=reasoner)
            server.control(reply="texts")
            unfit = select(LLMSelector(max_experts=2), ask("What?"), reasoner=reasoner)
        finally:
            reasoner.close()
        calls = server.stats()["calls"]
    if structured == "server":
        assert by_schema.schema_path == fenced.schema_path == "json_schema"
        assert "it sees it" in by_schema.reason
        assert calls == 4
    else:
        assert (by_schema.schema_path, fenced.schema_path) == ("unfit", "parsed")
        assert calls == 5, "one repair is asked for, and no second one"
    assert fenced.experts == ("posed",)
    assert unfit.schema_path == "unfit"
    assert unfit.experts == ("texts",)


# -- small models ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "chosen"),
    [
        ("video description", ("texts", "posed")),
        ("posed", ("posed",)),
        ("posed, texts", ("posed", "texts")),
        ("texts, texts, nobody", ("texts",)),
    ],
)
def test_a_small_model_names_skills_or_experts(ask: Ask, said: str, chosen: tuple[str, ...]) -> None:
    reasoner = RecordingReasoner(said)
    selection = select(LLMSelector(), ask(), reasoner=reasoner)
    assert selection.experts == chosen
    assert ("not there: nobody" in selection.reason) == ("nobody" in said)
    (prompt,) = reasoner.prompts
    assert prompt.choices == ("video description",)
    assert prompt.schema is None, "this reasoner writes no JSON"
    assert selection.usage.input_tokens > 0


@pytest.mark.parametrize("said", ["I would rather ask a plumber", ""])
def test_a_small_model_that_names_nobody_leaves_it_to_the_rules(ask: Ask, said: str) -> None:
    selection = select(LLMSelector(), ask(), reasoner=RecordingReasoner(said))
    assert selection.experts == ("posed", "texts"), "the cue 'left' comes first"
    assert "so the rules chose (posed: its cue 'left'" in selection.reason


def test_one_expert_of_each_skill_comes_before_a_second_of_any(ask: Ask) -> None:
    """Sounds have two experts in the pool, speech and music one each."""
    experts = [expert for expert in stand_ins() if expert.card.modality == "audio"]
    reasoner = RecordingReasoner("sounds, music, subtitles and speech")
    for max_experts, names in (
        (3, ("sound_events", "music", "speech")),
        (4, ("sound_events", "music", "speech", "sound")),
    ):
        assert select(LLMSelector(max_experts=max_experts), ask(), experts, reasoner).experts == names


def test_examples_show_what_is_there_and_nothing_else(ask: Ask) -> None:
    assert {need for _, needs in EXAMPLES for need in needs} <= KNOWN_NEEDS
    music = [expert for expert in stand_ins() if expert.card.name in ("music", "speech")]
    shared = skills_prompt(ask(), music, max_experts=2).shared
    assert "Question: What does the singer call her song?\nNeeded: music, subtitles and speech" in shared
    assert "sign" not in shared, "nobody reads writing here"


# -- for both --------------------------------------------------------------------------------


def test_it_does_not_ask_when_there_is_no_choice(ask: Ask) -> None:
    reasoner = RecordingReasoner("posed")
    assert select(LLMSelector(), ask(), EXPERTS[:1], reasoner).experts == ("texts",)
    assert reasoner.prompts == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_experts": 0}, r"max_experts: 0 .*type: none"),
        ({"n_frames": -1}, r"n_frames: -1"),
        ({"group_by": "categry"}, r"group_by: 'categry'.*'category'"),
        ({"group_by": "category", "n_frames": 1}, r"n_frames: .* group_by: medium"),
        ({"reasoner": {"type": "scriptd"}}, r"Unknown reasoner 'scriptd'.*'scripted'"),
        ({"reasoner": {"type": "scripted", "defualt": "x"}}, r"model\.selector\.reasoner\.defualt.*'default'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LLMSelector(**options)


def test_pictures_are_shown_only_to_a_reasoner_that_sees(ask: Ask) -> None:
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


def test_it_asks_a_reasoner_of_its_own_by_its_own_options(ask: Ask) -> None:
    selector = LLMSelector(reasoner={"type": "scripted", "answers": {"left": "posed"}, "default": "texts"})
    assert selector.reasoner is not None
    assert select(selector, ask("Is it left?"), reasoner=selector.reasoner).experts == ("posed",)
    assert select(selector, ask("What?"), reasoner=selector.reasoner).experts == ("texts",)
    assert LLMSelector.needed_weights({"reasoner": {"type": "embedded", "model": "smollm2-135m"}}) == ("smollm2-135m",)


def test_it_passes_on_that_its_reasoner_failed(ask: Ask) -> None:
    class Broken(RecordingReasoner):
        def complete(self, prompt: Prompt) -> Completion:
            raise ReasonerError("server gone")

    with pytest.raises(ReasonerError, match="server gone"):
        select(LLMSelector(), ask(), reasoner=Broken())


# -- groups ----------------------------------------------------------------------------------


class SlowReasoner(JsonReasoner):
    """Takes a moment, so that questions come in while it is asked; fails the first times it is told to."""

    fails = 0

    async def acomplete(self, prompt: Prompt) -> Completion:
        await asyncio.sleep(0.02)
        completion = self.complete(prompt)
        if len(self.prompts) <= self.fails:
            raise ReasonerError("not now")
        return completion


def together(selector: LLMSelector, reasoner: SlowReasoner, questions: list[Question]) -> list[Any]:
    async def all_at_once() -> list[Any]:
        asked = [selector.select(question, EXPERTS, reasoner) for question in questions]
        return await asyncio.gather(*asked, return_exceptions=True)

    return event_loop.run(all_at_once())


@pytest.mark.parametrize(("group_by", "n_calls"), [("none", 4), ("category", 2), ("medium", 2)])
def test_a_group_is_asked_about_once(ask: Ask, group_by: str, n_calls: int) -> None:
    """Two types and two media: a and b ask of one medium, c and d of another."""
    media = [ask().media, Media("other", {"captions": ask().media.path("captions")})]
    questions = [
        ask(f"word-{letter}?", question_id=letter, category="what" if letter in "ac" else "how", media=medium)
        for letter, medium in zip("abcd", (*media[:1] * 2, *media[1:] * 2), strict=True)
    ]
    reasoner = SlowReasoner(reply(posed="sides"))
    selector = LLMSelector(group_by=group_by)  # type: ignore[arg-type]
    selections = together(selector, reasoner, questions)
    selections += [select(selector, questions[0], reasoner=reasoner)] if group_by != "none" else []

    assert len(reasoner.prompts) == n_calls
    assert {selection.experts for selection in selections} == {("posed",)}
    shown = "\n".join(prompt.text() for prompt in reasoner.prompts)
    if group_by == "none":
        assert all(f"word-{letter}?" in shown for letter in "abcd")
    else:
        assert "word-" not in shown, "the prompt may not depend on which question came first"
        assert all(selection.reason.startswith("for any question") for selection in selections)
        assert all(selection.occasional == () for selection in selections), "all questions of the group share them"


def test_a_group_that_failed_is_asked_about_again(ask: Ask) -> None:
    reasoner = SlowReasoner(reply(posed="sides"))
    reasoner.fails = 1
    selector = LLMSelector(group_by="category")
    questions = [ask(question_id=letter) for letter in "ab"]
    assert [type(found) for found in together(selector, reasoner, questions)] == [ReasonerError, ReasonerError]
    assert [found.experts for found in together(selector, reasoner, questions)] == [("posed",), ("posed",)]
    assert len(reasoner.prompts) == 2


def test_media_that_feed_other_experts_are_another_group(ask: Ask) -> None:
    reasoner = SlowReasoner(reply(posed="sides", third="thirds"))
    selector = LLMSelector(group_by="category")
    third = StandIn(ExpertCard(name="third", modality="captions", skill="A3", summary="s", version="1"))
    assert select(selector, ask(), reasoner=reasoner).experts == ("posed",)
    assert select(selector, ask(), [*EXPERTS, third], reasoner).experts == ("posed", "third")


def test_where_a_groups_reply_cannot_be_used_the_rules_choose_for_each_question(ask: Ask) -> None:
    reasoner = SlowReasoner("nonsense")
    reasoner.path = "unfit"
    selector = LLMSelector(group_by="category")
    left, other = together(selector, reasoner, [ask("Is it left?"), ask("What?")])
    assert (left.experts, other.experts) == (("posed", "texts"), ("texts",))
    assert len(reasoner.prompts) == 1
