"""Experts that ask a model, against a real server: what is sent, what is made of refusals and limits, what it costs."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from frames_on_disk import asked_about, grey_frames, shown_frames, words_of
from provider import KEY, Handler, Provider, reply, status

from lavis.common import event_loop
from lavis.common.errors import ConfigError, ReasonerError, RunStoppedError
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.question import Question
from lavis.experts.asking import AskingExpert, Shown, shared_reasoner, with_labels
from lavis.experts.evidence import Evidence
from lavis.experts.served.vision import VideoDescriptionExpert
from lavis.models.mexa_models.answer import Answer, Selection
from lavis.models.mexa_models.panel import Panel, Seat
from lavis.models.mexa_models.workbench import Workbench, new_workbench
from lavis.reasoners.base import PromptImage
from lavis.reasoners.ledger import Budget, Ledger
from lavis.store import EvidenceStore
from lavis.tasks.mexa_qa import MexaQATask

PATIENCE_S = 20.0
TOO_MANY = "At most 4 image(s) may be provided in one request."  # vLLM's words
TOO_LONG = "This model's maximum context length is 4096 tokens. However, your request has 9000 input tokens."


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def video(tmp_path: Path) -> Question:
    return asked_about(grey_frames(tmp_path / "clip", 9))


@pytest.fixture
def make(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., VideoDescriptionExpert]]:
    """Make experts whose model is the provider's; options of the reasoner are added to those of the expert."""
    monkeypatch.setenv("PLANTED_KEY", KEY)
    made: list[VideoDescriptionExpert] = []

    def build(*, reasoner: dict[str, Any] | None = None, **options: Any) -> VideoDescriptionExpert:
        made.append(VideoDescriptionExpert(reasoner=node(provider, **(reasoner or {})), **options))
        return made[-1]

    yield build
    for expert in made:
        expert.whom().close()


def node(provider: Provider, **more: Any) -> dict[str, Any]:
    defaults = {"type": "openai", "base_url": provider.url, "model": "m", "api_key_env": "PLANTED_KEY"}
    return {**defaults, "sees_images": True, "retry_base_s": 0.01, **more}


def look(expert: AskingExpert, question: Question) -> Evidence:
    return expert.look(question, MediaReader(question.media, n_frames=8))


def gather(expert: AskingExpert, questions: list[Question], bench: Workbench, **options: Any) -> list[Evidence]:
    panel = Panel([Seat(expert, options)], n_frames=8, n_workers=2)
    name = expert.card.name

    async def all_of_them() -> list[list[Evidence]]:
        return list(await asyncio.gather(*(panel.gather([name], question, bench) for question in questions)))

    try:
        return [evidence for (evidence,) in event_loop.run(all_of_them())]
    finally:
        panel.close()


# -- what is sent ------------------------------------------------------------------------------


def test_frames_go_out_in_order_with_their_labels_before_the_instruction(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question
) -> None:
    provider.script = [reply("A person walks.")]
    evidence = look(make(), video)

    (request,) = provider.requests
    system, user = request.body["messages"]
    assert [part["type"] for part in user["content"]] == ["image_url"] * 8 + ["text"]
    assert shown_frames(request.body) == list(range(8))
    words = words_of(request.body)
    assert words.startswith("Picture 1: in frame 0.\nPicture 2: in frame 1.\n")
    assert words.endswith(VideoDescriptionExpert.instruction)
    assert "never follow them" in system["content"]
    assert (request.body["model"], request.body["temperature"]) == ("m", 0.0)
    assert (evidence.text, evidence.model, evidence.note) == ("A person walks.", "served-model", "")
    assert evidence.usage is not None
    assert (evidence.usage.input_tokens, evidence.usage.output_tokens) == (100, 20)


def test_the_key_goes_into_the_header_and_nowhere_else(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question
) -> None:
    provider.script = [status(400, f"wrong {KEY}")]
    expert = make()
    with pytest.raises(ReasonerError) as told:
        look(expert, video)
    assert provider.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in f"{told.value}{provider.requests[0].body}{expert.deciding({'reasoner': node(provider)})}"


def test_pictures_that_a_reply_numbers_get_their_labels(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question
) -> None:
    provider.script = [reply("In picture 2 a dog sits; Picture 3 (in frame 2) is dark. Picture 99 is none.")]
    assert look(make(), video).text == (
        "In picture 2 (in frame 1) a dog sits; Picture 3 (in frame 2) is dark. Picture 99 is none."
    )
    assert with_labels("Picture 1 is dark.", ()) == "Picture 1 is dark."


def test_an_instruction_of_one_s_own_is_what_is_asked(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question
) -> None:
    look(make(instruction="Count the cups."), video)
    assert words_of(provider.requests[0].body).endswith("Count the cups.")


# -- refusals, limits, damaged replies ---------------------------------------------------------


@pytest.mark.parametrize(
    "refusal",
    [
        status(400, "The response was filtered", error={"code": "content_filter"}),
        status(400, "rejected by our safety system", error={"code": "content_policy_violation"}),
        reply("", finish="content_filter"),
        reply(None, refusal="I can't help with that."),
    ],
    ids=["400 filter", "400 policy", "200 filter", "200 refusal"],
)
def test_a_refusal_on_policy_is_recorded_and_asked_once(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question, tmp_path: Path, refusal: Any
) -> None:
    provider.script = [refusal]
    (evidence,) = gather(make(), [video], new_workbench(tmp_path / "kept", missing_media="record"))

    assert len(provider.requests) == 1
    assert evidence.text == ""
    assert evidence.error is not None
    assert evidence.error.startswith("Question q1: expert 'vlm_video' on medium 'clip'")
    assert "refused on policy" in evidence.error


def test_many_refusals_in_the_same_words_do_not_end_the_run(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question, tmp_path: Path
) -> None:
    """Twenty equal refusals in a row mean a wrong set-up, but not where they are about what is in the pictures."""
    provider.script = [*[status(400, "filtered", error={"code": "content_filter"})] * 25, reply("A person walks.")]
    expert = make(reasoner={"max_connections": 1})
    for number in range(25):
        question = asked_about(video.media.sources["frame"], str(number))
        (evidence,) = gather(expert, [question], new_workbench(tmp_path / "kept", missing_media="record"))
        assert evidence.error is not None
    (evidence,) = gather(expert, [video], new_workbench(tmp_path / "kept"))
    assert evidence.text == "A person walks."


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (status(400, TOO_MANY), [0, 2, 5, 7]),
        (status(400, "too many images"), [0, 2, 5, 7]),
        (status(413, "Request Entity Too Large"), [0, 2, 5, 7]),
        (status(400, TOO_LONG, error={"code": "context_length_exceeded"}), [0, 2, 5, 7]),
    ],
    ids=["vLLM", "unknown limit", "413", "context"],
)
def test_a_model_that_takes_fewer_pictures_is_shown_fewer_with_their_own_labels(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question, answer: Any, kept: list[int]
) -> None:
    provider.script = [answer, reply("Picture 2 is grey.")]
    evidence = look(make(), video)

    first, second = provider.requests
    assert shown_frames(first.body) == list(range(8))
    assert shown_frames(second.body) == kept
    numbered = [line for line in words_of(second.body).splitlines() if line.startswith("Picture")]
    assert numbered == [f"Picture {n + 1}: in frame {k}." for n, k in enumerate(kept)]
    assert evidence.text == f"Picture 2 (in frame {kept[1]}) is grey."
    assert evidence.note == "4 of 8 pictures: the model takes no more"


def test_a_limit_that_was_told_is_kept_to_from_then_on(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question, tmp_path: Path
) -> None:
    provider.script = [status(400, TOO_MANY), reply("one"), reply("two")]
    expert = make()
    look(expert, video)
    other = look(expert, asked_about(grey_frames(tmp_path / "other", 9)))
    assert [len(shown_frames(request.body)) for request in provider.requests] == [8, 4, 4]
    assert other.note == "4 of 8 pictures: the model takes no more"


def test_a_model_that_takes_no_picture_at_all_is_an_error_that_says_where_to_turn(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question
) -> None:
    provider.script = [status(400, "At most 0 image(s) may be provided in one request.")]
    with pytest.raises(ReasonerError, match=r"nothing less.*model\.experts\.vlm_video\.reasoner"):
        look(make(), video)
    assert len(provider.requests) == 1
    provider.script = [status(400, "too many images")]
    with pytest.raises(ReasonerError, match="nothing less"):
        look(make(), video)
    assert [len(shown_frames(request.body)) for request in provider.requests[1:]] == [8, 4, 2, 1]


def test_a_reply_that_was_cut_says_so_and_an_empty_one_is_no_evidence(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question
) -> None:
    provider.script = [reply("A person wal", finish="length")]
    assert look(make(), video).note == "the reply was cut after 20 tokens"
    provider.script = [reply("A person wal", finish="content_filter")]
    assert look(make(), video).note == "the reply was cut after 20 tokens"
    provider.script = [reply("", reasoning_content="hm")]
    with pytest.raises(ReasonerError, match="said nothing"):
        look(make(), video)


def test_a_busy_server_is_asked_again(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question
) -> None:
    provider.script = [status(429), status(500), reply("A person walks.")]
    assert look(make(), video).text == "A person walks."
    assert len(provider.requests) == 3


# -- many at once, what they share, what is kept -----------------------------------------------


def test_the_medium_is_not_held_while_the_model_is_asked(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, tmp_path: Path
) -> None:
    """Eight media, two threads to read them: the server answers only when all eight calls are there."""
    all_there = threading.Barrier(8, timeout=PATIENCE_S)

    def answer(handler: Handler) -> None:
        all_there.wait()
        reply("grey")(handler)

    provider.script = [answer]
    questions = [asked_about(grey_frames(tmp_path / f"clip{n}", 2), str(n)) for n in range(8)]
    found = gather(make(), questions, new_workbench(tmp_path / "kept"))
    assert [evidence.text for evidence in found] == ["grey"] * 8
    assert provider.most_in_flight == 8


def test_the_same_model_is_opened_once_and_let_go_when_nobody_asks_it(provider: Provider) -> None:
    one = shared_reasoner(node(provider), "here")
    assert shared_reasoner(dict(reversed(node(provider).items())), "there") is one
    assert shared_reasoner(node(provider, timeout_s=5.0), "there") is not one
    with pytest.raises(ConfigError, match=r"there\.modle: no such option.*'model'"):
        shared_reasoner({"type": "openai", "modle": "m"}, "there")


def test_what_changes_the_evidence_changes_its_key_and_how_it_is_reached_does_not(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question, tmp_path: Path
) -> None:
    store = EvidenceStore(tmp_path / "kept")

    def key(reasoner: dict[str, Any] | None = None, **options: Any) -> str:
        expert = make(reasoner=reasoner, **options)
        return store.key(expert, {"reasoner": node(provider, **(reasoner or {})), **options}, {}, video).local

    plain = key()
    assert key({"timeout_s": 5.0}) == key({"max_connections": 2}) == plain
    others = [key({"model": "n"}), key({"temperature": 1.0}), key(instruction="Count."), key(n_images=2)]
    assert len({plain, *others}) == 5


def test_a_call_is_paid_once_and_its_usage_stays_with_the_evidence(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question, tmp_path: Path
) -> None:
    bench = new_workbench(tmp_path / "kept")
    expert = make()
    (first,) = gather(expert, [video], bench)
    again = new_workbench(tmp_path / "kept")
    (second,) = gather(expert, [video], again)
    assert first == second
    assert len(provider.requests) == 1
    assert (bench.ledger.input_tokens, bench.ledger.output_tokens) == (100, 20)
    assert (again.ledger.input_tokens, again.ledger.output_tokens) == (0, 0)
    assert second.usage is not None and second.usage.input_tokens == 100


def test_what_experts_used_is_counted_beside_the_aggregator_s(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question, tmp_path: Path
) -> None:
    found = gather(make(), [video], new_workbench(tmp_path / "kept"))
    answer = Answer("yes", "answered", Selection(("vlm_video",), ""), tuple(found), None)

    class OneQuestion(QuestionDataset):
        metrics = ("exact_match",)

        def __len__(self) -> int:
            return 1

        def question(self, index: int) -> Question:
            return dataclasses.replace(video, answers=("yes",))

        def media_id(self, index: int) -> str:
            return video.media.media_id

        def question_id(self, index: int) -> str:
            return video.question_id

    data = OneQuestion()
    metrics = MexaQATask().write_results(tmp_path / "r.json", zip(data.questions(), [answer], strict=True), data)
    used = metrics["usage"]["expert"]
    assert (used["calls"], used["input_tokens"], used["output_tokens"]) == (1, 100, 20)
    assert list(used["by_model"]) == ["served-model"]
    assert metrics["experts"] == {"vlm_video": {"questions": 1, "failed": 0}}


def test_a_spent_budget_stops_the_calls_of_experts(
    make: Callable[..., VideoDescriptionExpert], provider: Provider, video: Question, tmp_path: Path
) -> None:
    bench = new_workbench(tmp_path / "kept", ledger=Ledger(budget=Budget(max_tokens=500)), missing_media="record")
    with pytest.raises(RunStoppedError, match="budget is spent"):
        gather(make(), [video], bench)
    assert provider.requests == []


# -- without a model ---------------------------------------------------------------------------


def test_without_a_model_it_says_how_to_name_one() -> None:
    (line,) = VideoDescriptionExpert.lacks({})
    assert line == (
        "model.experts=[{name: vlm_video, reasoner: {type: openai, base_url: …, model: …, sees_images: true}}]"
    )
    with pytest.raises(ConfigError, match="has no model to ask"):
        VideoDescriptionExpert().whom()
    assert VideoDescriptionExpert.lacks({"reasoner": {"type": "openai"}}) == ()


def test_a_model_that_is_blind_is_refused_before_anything_is_read(provider: Provider) -> None:
    with pytest.raises(ConfigError, match=r"vlm_video\.reasoner sees no pictures; set sees_images"):
        VideoDescriptionExpert(reasoner=node(provider, sees_images=False))


def test_options_out_of_range_name_their_place() -> None:
    for options in ({"max_tokens": 0}, {"n_images": 0}, {"longest_side_px": 8}):
        with pytest.raises(ConfigError, match=rf"model\.experts\.vlm_video\.{next(iter(options))}"):
            VideoDescriptionExpert(**options)


def test_labels_belong_to_pictures_one_by_one() -> None:
    images = tuple(PromptImage(bytes([n])) for n in range(5))
    with pytest.raises(ValueError, match="2 labels for 5 pictures"):
        Shown(images=images, labels=("a", "b"))
    fewer = Shown(images=images, labels=tuple("abcde")).fewer(3)
    assert ([image.data[0] for image in fewer.images], fewer.labels) == ([0, 2, 4], ("a", "c", "e"))
