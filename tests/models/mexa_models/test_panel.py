"""The panel under many questions at once: who looks, how often, at what, and who hears of it."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import threading
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from mexa_parts import PosedExpert, TextsExpert

from lavis.common import event_loop
from lavis.common.errors import ConfigError, ExpertError, ModalityError, RunStoppedError
from lavis.datasets.question import Media, Question
from lavis.experts import Evidence, Expert
from lavis.models.mexa_models.panel import MAX_LOST, OPEN_MEDIA, Panel, Seat
from lavis.models.mexa_models.workbench import Workbench, new_workbench

Ask = Callable[..., Question]
SCENES = [f"scene{number}" for number in range(12)]
MOMENT_S = 0.1
PATIENCE_S = 20.0


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return new_workbench(tmp_path / "kept")


@pytest.fixture
def on(tmp_path: Path) -> Callable[..., Question]:
    """State a question on a scene, by number."""
    path = tmp_path / "texts.json"
    path.write_text(json.dumps({scene: [f"what is in {scene}"] for scene in SCENES}))

    def make(number: int, question_id: str = "1") -> Question:
        return Question(question_id, "What?", Media(SCENES[number], {"captions": path}))

    return make


class Gated(TextsExpert):
    """Waits for a gate, and says how often it began and how many looked at once, in all and at one medium."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.began: list[str] = []
        self.inside: list[str] = []
        self.most_at_once = 0
        self.most_at_one_medium = 0
        self.lock = threading.Lock()

    def look(self, question: Question, reader: Any, **more: Any) -> Evidence:
        medium = question.media.media_id
        with self.lock:
            self.began.append(medium)
            self.inside.append(medium)
            self.most_at_once = max(self.most_at_once, len(self.inside))
            self.most_at_one_medium = max(self.most_at_one_medium, self.inside.count(medium))
        assert self.gate.wait(PATIENCE_S)
        try:
            return super().look(question, reader, **more)
        finally:
            with self.lock:
                self.inside.remove(medium)


class Twin(Gated):
    card = dataclasses.replace(TextsExpert.card, name="twin")


def panel(*experts: Expert, n_workers: int = 4) -> Panel:
    return Panel([Seat(expert) for expert in experts], n_frames=8, n_workers=n_workers)


def together(*gathering: Coroutine[Any, Any, Any], gate: threading.Event) -> list[Any]:
    """Run coroutines at once; the gate opens when all of them have had the time to come to it."""

    async def run() -> list[Any]:
        tasks = [asyncio.create_task(one) for one in gathering]
        await asyncio.sleep(MOMENT_S)
        gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    return event_loop.run(run())


def test_questions_that_want_the_same_evidence_look_once(on: Ask, bench: Workbench) -> None:
    expert = Gated()
    experts = panel(expert)
    asked = [experts.gather(["texts"], on(0, str(number)), bench) for number in range(20)]
    found = together(*asked, gate=expert.gate)
    assert expert.began == ["scene0"]
    assert [evidence.text for (evidence,) in found] == ["what is in scene0"] * 20


def test_different_media_are_looked_at_at_once_as_many_as_there_are_workers(on: Ask, bench: Workbench) -> None:
    expert = Gated()
    experts = panel(expert, n_workers=3)
    found = together(*(experts.gather(["texts"], on(n), bench) for n in range(6)), gate=expert.gate)
    assert expert.most_at_once == 3
    assert [evidence.text for (evidence,) in found] == [f"what is in scene{n}" for n in range(6)]


def test_one_medium_is_read_by_one_thread_at_a_time(on: Ask, bench: Workbench) -> None:
    one, twin = Gated(), Twin()
    twin.gate, twin.inside, twin.lock = one.gate, one.inside, one.lock
    experts = panel(one, twin)
    found = together(*(experts.gather(["texts", "twin"], on(0, q), bench) for q in "ab"), gate=one.gate)
    assert [[item.expert for item in items] for items in found] == [["texts", "twin"]] * 2
    assert max(one.most_at_one_medium, twin.most_at_one_medium) == 1
    assert len(one.began) + len(twin.began) == 2


def test_pictures_wait_for_whoever_reads_the_medium(on: Ask, bench: Workbench) -> None:
    expert = Gated()
    experts = panel(expert)
    order: list[str] = []

    async def look() -> None:
        await experts.gather(["texts"], on(0), bench)
        order.append("expert")

    async def show() -> None:
        await asyncio.sleep(MOMENT_S / 2)
        order.append(await experts.with_reader(on(0), bench, lambda reader: reader.media.media_id))

    together(look(), show(), gate=expert.gate)
    assert sorted(order) == ["expert", "scene0"]
    assert expert.most_at_one_medium == 1


def test_a_cancelled_question_does_not_take_the_evidence_from_another(on: Ask, bench: Workbench) -> None:
    expert = Gated()
    experts = panel(expert)

    async def run() -> list[Evidence]:
        first = asyncio.create_task(experts.gather(["texts"], on(0, "1"), bench))
        await asyncio.sleep(MOMENT_S)
        second = asyncio.create_task(experts.gather(["texts"], on(0, "2"), bench))
        await asyncio.sleep(MOMENT_S)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        expert.gate.set()
        return await asyncio.wait_for(second, PATIENCE_S)

    (evidence,) = event_loop.run(run())
    assert evidence.text == "what is in scene0"
    assert expert.began == ["scene0"]


def test_a_medium_is_free_again_after_everybody_who_waited_for_it_gave_up(on: Ask, bench: Workbench) -> None:
    one, twin = Gated(), Twin()
    experts = panel(one, twin)

    async def run() -> list[Evidence]:
        asked = [asyncio.create_task(experts.gather(names, on(0), bench)) for names in (["texts"], ["twin"])]
        await asyncio.sleep(MOMENT_S)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        one.gate.set()
        twin.gate.set()
        return await asyncio.wait_for(experts.gather(["texts", "twin"], on(0), bench), PATIENCE_S)

    assert [item.expert for item in event_loop.run(run())] == ["texts", "twin"]


class Unreadable(Gated):
    def write(self, loaded: Any) -> str:
        raise ModalityError("it is torn.")


def test_who_waits_for_evidence_that_fails_hears_of_it_under_their_own_name(on: Ask, bench: Workbench) -> None:
    recording = dataclasses.replace(bench, missing_media="record")
    for its_bench in (recording, bench):
        expert = Unreadable()
        experts = panel(expert)
        found = together(*(experts.gather(["texts"], on(0, q), its_bench) for q in "ab"), gate=expert.gate)
        assert expert.began == ["scene0"]
        told = [one[0].error if its_bench is recording else str(one) for one in found]
        assert [text[: text.index(":")] for text in told] == ["Question a", "Question b"]
        assert all("texts.json" in text and text.endswith("it is torn.") for text in told)
    assert all(isinstance(one, ModalityError) for one in found)


def test_an_error_of_an_expert_reaches_all_who_wait_and_the_next_question_tries_again(
    on: Ask, bench: Workbench
) -> None:
    class Buggy(Gated):
        def write(self, loaded: Any) -> str:
            if len(self.began) == 1:
                raise ZeroDivisionError("a bug")
            return "fine"

    expert = Buggy()
    experts = panel(expert)
    found = together(*(experts.gather(["texts"], on(0, q), bench) for q in "ab"), gate=expert.gate)
    assert [type(one) for one in found] == [ExpertError] * 2
    assert [str(one).split(": ", 1) for one in found] == [
        [f"Question {q}", "expert 'texts' on medium 'scene0' raised ZeroDivisionError: a bug"] for q in "ab"
    ]
    assert event_loop.run(experts.gather(["texts"], on(0), bench))[0].text == "fine"


def test_evidence_that_is_kept_opens_no_medium_in_another_process(on: Ask, bench: Workbench, tmp_path: Path) -> None:
    """Another store on the same folder stands for another process."""
    first, second = Gated(), Gated()
    first.gate.set()
    event_loop.run(panel(first).gather(["texts"], on(0), bench))
    elsewhere = new_workbench(tmp_path / "kept")
    (evidence,) = event_loop.run(panel(second).gather(["texts"], on(0), elsewhere))
    assert evidence.text == "what is in scene0"
    assert (first.began, second.began) == (["scene0"], [])


def test_no_more_media_are_held_open_than_are_allowed(on: Ask, bench: Workbench) -> None:
    readers: list[weakref.ref[Any]] = []

    class Holding(TextsExpert):
        def look(self, question: Question, reader: Any, **more: Any) -> Evidence:
            readers.append(weakref.ref(reader))
            return super().look(question, reader, **more)

    experts = panel(Holding())
    for number in range(len(SCENES)):
        event_loop.run(experts.gather(["texts"], on(number), bench))
    gc.collect()
    assert len(readers) == len(SCENES)
    assert sum(reader() is not None for reader in readers) <= OPEN_MEDIA


def test_a_medium_whose_files_lie_elsewhere_is_opened_anew(on: Ask, bench: Workbench, tmp_path: Path) -> None:
    experts = panel(TextsExpert())
    moved = tmp_path / "moved.json"
    moved.write_text(json.dumps({"scene0": ["another text"]}))
    question = on(0)
    there = dataclasses.replace(question, media=Media("scene0", {"captions": moved}))
    texts = [event_loop.run(experts.gather(["texts"], one, bench))[0].text for one in (question, there, question)]
    assert texts == ["what is in scene0", "another text", "what is in scene0"]


def test_breadth_follows_what_a_card_depends_on() -> None:
    class Aware(TextsExpert):
        card = dataclasses.replace(TextsExpert.card, name="aware", question_aware=True)

    experts = panel(TextsExpert(), PosedExpert(), Aware())
    assert [experts.breadth(name) for name in ("texts", "posed", "aware")] == [2, 1, 0]


def test_a_closed_panel_leaves_no_thread_and_can_be_asked_again(on: Ask, bench: Workbench) -> None:
    others = set(threading.enumerate())
    experts = panel(TextsExpert())
    event_loop.run(experts.gather(["texts"], on(0), bench))
    mine = {thread for thread in threading.enumerate() if thread.name.startswith("expert")} - others
    assert mine
    experts.close()
    for thread in mine:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert event_loop.run(experts.gather(["texts"], on(1), bench))[0].text == "what is in scene1"
    experts.close()


class Sleeper(TextsExpert):
    card = dataclasses.replace(TextsExpert.card, name="sleeper")

    def __init__(self, media_id: str) -> None:
        self.media_id = media_id
        self.gate = threading.Event()

    def look(self, question: Question, reader: Any, **more: Any) -> Evidence:
        if question.media.media_id == self.media_id:
            self.gate.wait(PATIENCE_S)
        return super().look(question, reader, **more)


def test_an_expert_that_hangs_is_recorded_and_the_others_go_on(on: Ask, bench: Workbench) -> None:
    """It hangs on one medium only; two places, so that without a replacement the third look would wait."""
    sleeper = Sleeper("scene0")
    experts = Panel([Seat(sleeper, timeout_s=0.1), Seat(TextsExpert())], n_frames=8, n_workers=1)
    recording = dataclasses.replace(bench, missing_media="record")
    try:
        hung, fine = event_loop.run(experts.gather(["sleeper", "texts"], on(0), recording))
        (other,) = event_loop.run(experts.gather(["sleeper"], on(1), recording))
    finally:
        sleeper.gate.set()
    assert hung.error == "Question 1: expert 'sleeper' on medium 'scene0' did not return within 0.1 s."
    assert (fine.text, other.text) == ("what is in scene0", "what is in scene1")


def test_looks_that_keep_hanging_end_the_run_instead_of_filling_the_memory(on: Ask, bench: Workbench) -> None:
    class AlwaysAsleep(Sleeper):
        def look(self, question: Question, reader: Any, **more: Any) -> Evidence:
            self.gate.wait(PATIENCE_S)
            raise AssertionError("it was not to return")

    sleeper = AlwaysAsleep("any")
    experts = Panel([Seat(sleeper, timeout_s=0.02)], n_frames=8, n_workers=1)
    recording = dataclasses.replace(bench, missing_media="record")
    try:
        with pytest.raises(RunStoppedError, match=rf"{MAX_LOST} looks hang by now.*timeout_s"):
            for number in range(MAX_LOST + 1):
                event_loop.run(experts.gather(["sleeper"], on(number), recording))
    finally:
        sleeper.gate.set()


class Chatterbox(TextsExpert):
    card = dataclasses.replace(TextsExpert.card, name="chatterbox")

    def write(self, loaded: Any) -> str:
        return "many words " * 500_000


def test_five_megabytes_are_cut_and_say_so(on: Ask, bench: Workbench) -> None:
    whole, short = Seat(Chatterbox()), Seat(Chatterbox(), max_chars=200)
    (evidence,) = event_loop.run(Panel([whole], n_frames=8).gather(["chatterbox"], on(0), bench))
    assert len(evidence.text) <= whole.expert.card.max_chars
    assert evidence.text.endswith("many words [cut: 5499999 characters in all]")
    assert evidence.note == "cut to 20000 of 5499999 characters"
    (shorter,) = event_loop.run(Panel([short], n_frames=8).gather(["chatterbox"], on(0), bench))
    assert len(shorter.text) <= 200, "another length is another key in the store"


class Silent(TextsExpert):
    card = dataclasses.replace(TextsExpert.card, name="silent")

    def write(self, loaded: Any) -> str:
        return " \n"


def test_an_expert_that_says_nothing_is_an_error_and_not_evidence(on: Ask, bench: Workbench) -> None:
    recording = dataclasses.replace(bench, missing_media="record")
    (evidence,) = event_loop.run(panel(Silent()).gather(["silent"], on(0), recording))
    assert evidence.text == ""
    assert evidence.error is not None and "expert 'silent' says nothing" in evidence.error
    assert "scene0" in evidence.error and "texts.json" in evidence.error


@pytest.mark.parametrize("seat", [{"timeout_s": 0.0}, {"max_chars": 0}])
def test_a_seat_with_no_time_or_no_room_is_refused(seat: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=rf"model\.experts\.texts\.{next(iter(seat))}"):
        Seat(TextsExpert(), **seat)
