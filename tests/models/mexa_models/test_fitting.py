"""Evidence meets a model's context: shortened ahead where it is known, after a refusal where not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from lrm_server import running
from mexa_parts import PosedExpert, RecordingReasoner, TextsExpert

from lavis.common import event_loop
from lavis.common.errors import ContextTooLongError
from lavis.datasets.question import Question
from lavis.experts import Evidence
from lavis.models.mexa_models.answer import Answer
from lavis.models.mexa_models.fitting import Fitted, complete_fitting
from lavis.models.mexa_models.mexa_aggregator import MexaAggregator
from lavis.models.mexa_models.panel import Panel, Seat
from lavis.models.mexa_models.selectors import FixedSelector
from lavis.models.mexa_models.workbench import new_workbench
from lavis.reasoners.base import Completion, Prompt, Reasoner, Usage
from lavis.reasoners.openai_compatible import OpenAIReasoner

Ask = Callable[..., Question]
QUESTION = "Question: what is the last word of a question that is never cut?"
REPORT = Evidence("long", "scene", "\n".join(["heading:", *(f"- thing number {n:03d}" for n in range(100))]), "1")
OTHER = Evidence("other", "scene", "y" * 1000, "1")


def prompt(items: Sequence[Evidence]) -> Prompt:
    return Prompt("system", "\n".join(item.text for item in items), QUESTION)


class NarrowReasoner(RecordingReasoner):
    """Refuses prompts beyond a number of characters; 2 of them are a token to it, as in no estimate of ours.

    Args:
        room_chars: of a prompt and its reply.
        says_numbers: whether its refusal tells limit and length.
    """

    def __init__(self, room_chars: int, *, says_numbers: bool) -> None:
        super().__init__("left")
        self.room_chars = room_chars
        self.says_numbers = says_numbers

    def complete(self, prompt: Prompt) -> Completion:
        completion = super().complete(prompt)
        length = len(prompt.shared) + len(prompt.own)
        if length > self.room_chars:
            numbers = {"limit_tokens": self.room_chars // 2, "prompt_tokens": length // 2}
            raise ContextTooLongError("too long", **(numbers if self.says_numbers else {}))
        return completion


def fit(reasoner: Reasoner, evidence: Sequence[Evidence], ranks: Sequence[str] = ("long", "other")) -> Fitted:
    return event_loop.run(complete_fitting(reasoner, prompt, evidence, ranks))


def test_a_known_context_is_never_exceeded_and_no_call_is_wasted() -> None:
    reasoner = RecordingReasoner("left")
    reasoner.context_tokens = 300
    fitted = fit(reasoner, [REPORT, OTHER])

    (asked,) = reasoner.prompts
    assert reasoner.count_tokens(asked) + asked.max_tokens <= 300
    assert asked.shared.startswith("heading:\n- thing number 000\n")
    assert asked.shared.endswith("number 099")
    assert asked.own == QUESTION
    kept = asked.shared.count("\n")
    assert 30 < kept < 60
    assert fitted.shortened == ("other: left out (1000 characters)", f"long: {kept} of 100 lines kept")


def test_what_fits_a_known_context_is_sent_whole() -> None:
    reasoner = RecordingReasoner("left")
    reasoner.context_tokens = 3000
    assert fit(reasoner, [REPORT, OTHER]).shortened == ()
    assert reasoner.prompts == [prompt([REPORT, OTHER])]


@pytest.mark.parametrize(("says_numbers", "most_calls"), [(True, 3), (False, 9)])
def test_a_refusal_shortens_and_asks_again(says_numbers: bool, most_calls: int) -> None:
    reasoner = NarrowReasoner(2000, says_numbers=says_numbers)
    fitted = fit(reasoner, [REPORT, OTHER])

    lengths = [len(asked.shared) for asked in reasoner.prompts]
    assert lengths == sorted(lengths, reverse=True)
    assert 2 <= len(lengths) <= most_calls
    assert lengths[-1] > 800, "more was taken out than a refusal asks for"
    assert {asked.own for asked in reasoner.prompts} == {QUESTION}
    assert fitted.shortened
    assert fitted.completion.text == "left"


def test_nothing_is_learned_from_one_question_for_the_next() -> None:
    reasoner = NarrowReasoner(2000, says_numbers=True)
    first, calls = fit(reasoner, [REPORT, OTHER]), len(reasoner.prompts)
    second = fit(reasoner, [REPORT, OTHER])
    assert reasoner.prompts[:calls] == reasoner.prompts[calls:]
    assert first == second
    assert reasoner.context_tokens is None


def test_a_question_that_does_not_fit_by_itself_is_an_error_and_is_not_cut() -> None:
    for says_numbers in (True, False):
        reasoner = NarrowReasoner(20, says_numbers=says_numbers)
        with pytest.raises(ContextTooLongError):
            fit(reasoner, [REPORT])
        assert {asked.own for asked in reasoner.prompts} == {QUESTION}
        assert len(reasoner.prompts) <= 9
    bare = NarrowReasoner(20, says_numbers=True)
    with pytest.raises(ContextTooLongError):
        fit(bare, [])
    assert len(bare.prompts) == 1, "without evidence there is nothing that could be taken out"


def test_a_real_server_s_context_error_leads_to_an_answer_whose_record_says_what_was_dropped(
    ask: Ask, tmp_path: Path
) -> None:
    """The server refuses what vLLM would refuse, in its words; the pose ranks above the texts."""

    class Talkative(TextsExpert):
        def write(self, loaded: object) -> str:
            return REPORT.text

    experts = [Seat(Talkative()), Seat(PosedExpert())]
    options = tuple(f"option number {number} of a long list" for number in range(8))
    answers: list[Answer] = []
    with running(context_chars=2000) as server:
        reasoner = OpenAIReasoner(model="m", base_url=server.url, api_key_env=None)
        selector = FixedSelector(names=["posed", "texts"])
        model = MexaAggregator(selector=selector, panel=Panel(experts, n_frames=8), reasoner=reasoner)
        bench = new_workbench(tmp_path / "kept")
        try:
            answers.append(model.answer(ask(options=options), bench))
            server.control(context_chars=0)
            answers.append(model.answer(ask("Another?", options=options), bench))
        finally:
            model.close()
        asked = server.stats()["asked"]
    assert [answer.status for answer in answers] == ["answered", "answered"]
    assert answers[0].shortened == (f"texts: left out ({len(REPORT.text)} characters)",)
    assert {item.expert for item in answers[0].evidence} == {"texts", "posed"}, "the record keeps what was gathered"
    assert Answer.from_json(answers[0].to_json()) == answers[0]
    assert answers[1].shortened == ()
    assert asked == {"What is left of me?": 2, "Another?": 1}


def test_a_limit_that_the_server_tells_is_used_up() -> None:
    """1,500 tokens fit. No more than a line, about 10 tokens, is taken out beyond what has to go."""

    class Telling(Reasoner):
        asked: ClassVar[list[int]] = []

        def complete(self, prompt: Prompt) -> Completion:
            tokens = self.count_tokens(prompt) + prompt.max_tokens
            self.asked.append(tokens)
            if tokens > 1500:
                raise ContextTooLongError("too long", limit_tokens=1500, prompt_tokens=self.count_tokens(prompt))
            return Completion("left", Usage(tokens, 1), "telling", 0.0)

        def identity(self) -> dict[str, Any]:
            return {}

    report = "\n".join(f"at {number:03d} s: a chair stands to the left" for number in range(200))
    evidence = [Evidence("frames", "scene", report, "1")]

    def prompt(items: Sequence[Evidence]) -> Prompt:
        return Prompt("", "\n".join(item.text for item in items), "Question: where?")

    fitted = event_loop.run(complete_fitting(Telling(), prompt, evidence, ["frames"]))
    assert fitted.shortened
    assert Telling.asked[0] > 1500
    assert len(Telling.asked) == 2
    assert 1500 - 12 <= Telling.asked[1] <= 1500
