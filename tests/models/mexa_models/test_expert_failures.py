"""Experts that fail in every way that code and models fail, and media that give nothing: what becomes of a question."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawings import drawn
from frames_on_disk import grey_frames
from hearing import need
from mexa_parts import RecordingReasoner, TextsExpert
from pdfs import pdf
from performances import guitar
from PIL import Image
from provider import Provider, reply, slow
from sounds import tone, write_sound

from lavis.common import event_loop
from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.datasets.question import Media, Question
from lavis.datasets.span import MediaSpan
from lavis.experts import Evidence, Expert
from lavis.experts.served.vision import VideoDescriptionExpert
from lavis.models.mexa_models.answer import Answer
from lavis.models.mexa_models.mexa_aggregator import MexaAggregator
from lavis.models.mexa_models.panel import Panel, Seat
from lavis.models.mexa_models.selectors import AllSelector
from lavis.models.mexa_models.workbench import Workbench, new_workbench
from lavis.reasoners.base import Completion, Prompt

PATIENCE_S = 20.0
WRITTEN = "a brown chair / the door is open"  # what the fixture's texts say
LISTENING = ("sound", "sound_events", "music", "speech")
Ask = Callable[..., Question]


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return new_workbench(tmp_path / "kept", missing_media="record")


def named(name: str, write: Callable[..., Any]) -> Expert:
    """Return an expert on texts that is asked by a name of its own."""
    card = dataclasses.replace(TextsExpert.card, name=name)
    cls: Any = type("Made", (TextsExpert,), {"card": card, "write": lambda self, loaded: write(loaded)})
    expert: Expert = cls()
    return expert


def answered(question: Question, bench: Workbench, *seats: Seat) -> tuple[Answer, Prompt]:
    """Ask all of some experts and return the answer with the prompt that led to it."""
    reasoner = RecordingReasoner("left")
    model = MexaAggregator(selector=AllSelector(), panel=Panel(seats, n_frames=8, n_workers=2), reasoner=reasoner)
    try:
        answer = model.answer(question, bench)
    finally:
        model.close()
    return answer, reasoner.prompts[0]


def gathered(panel: Panel, question: Question, bench: Workbench) -> list[Evidence]:
    return event_loop.run(panel.gather(list(panel.experts), question, bench))


# -- an expert's own code ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ZeroDivisionError("by nothing"), "raised ZeroDivisionError: by nothing"),
        (StopIteration(), "raised RuntimeError: StopIteration"),
        (TimeoutError("its own socket"), "raised TimeoutError: its own socket"),
        (asyncio.CancelledError("its own task"), "raised RuntimeError: CancelledError: its own task"),
        (MemoryError("1 TB"), "raised MemoryError: 1 TB"),
        (SystemExit(3), "raised SystemExit: 3"),
        (RecursionError("too deep"), "raised RecursionError: too deep"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_whatever_an_expert_raises_is_recorded_at_once_and_the_others_are_heard(
    ask: Ask, bench: Workbench, error: BaseException, told: str
) -> None:
    """None of it is a timeout of the panel's: with one the record would name 1800 s, or come after them."""

    def fail(loaded: Any) -> str:
        raise error

    answer, prompt = answered(ask(), bench, Seat(named("failing", fail)), Seat(TextsExpert()))
    failing, texts = answer.evidence
    assert failing.error is not None
    assert failing.error.startswith(f"Question 7: expert 'failing' on medium 'scene' {told}")
    assert (answer.status, answer.text, texts.text) == ("answered", "left", WRITTEN)
    assert WRITTEN in prompt.shared and "failing" not in prompt.text()


@pytest.mark.parametrize("nothing", [None, b"bytes", 5, ["a", "list"]])
def test_what_is_no_text_is_an_error_that_names_its_type(ask: Ask, bench: Workbench, nothing: Any) -> None:
    answer, _ = answered(ask(), bench, Seat(named("wordless", lambda loaded: nothing)))
    (evidence,) = answer.evidence
    assert evidence.error is not None
    assert f"expert 'wordless' returned {type(nothing).__name__} where its text belongs" in evidence.error


def test_half_a_surrogate_pair_can_be_kept_sent_and_journaled(ask: Ask, bench: Workbench, tmp_path: Path) -> None:
    answer, prompt = answered(ask(), bench, Seat(named("torn", lambda loaded: "a \ud83d b")))
    assert answer.evidence[0].text == "a ? b"
    prompt.text().encode()
    assert len(list((tmp_path / "kept" / "evidence").rglob("*.json"))) == 1


def test_a_path_that_is_no_text_is_told_in_a_way_that_a_journal_can_keep(bench: Workbench, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    question = Question("7", "What?", Media("scene", {"captions": folder / "gone.json"}))
    answer, _ = answered(question, bench, Seat(TextsExpert()))
    error = answer.evidence[0].error
    assert error is not None and "\\udcff/gone.json" in error
    json.dumps(answer.to_json(), ensure_ascii=False).encode()


class Hanging(TextsExpert):
    """Hangs on one medium until a gate opens."""

    card = dataclasses.replace(TextsExpert.card, name="hanging")

    def __init__(self, media_id: str) -> None:
        self.media_id = media_id
        self.gate = threading.Event()
        self.began: list[str] = []

    def look(self, question: Question, reader: Any, **more: Any) -> Evidence:
        self.began.append(question.media.media_id)
        if question.media.media_id == self.media_id:
            self.gate.wait(PATIENCE_S)
        return super().look(question, reader, **more)


def test_a_medium_on_which_an_expert_hangs_costs_its_patience_once(ask: Ask, bench: Workbench) -> None:
    """Twelve questions on it one after another: more than the looks that may hang before a run is ended."""
    expert = Hanging("scene")
    panel = Panel([Seat(expert, timeout_s=0.1)], n_frames=8, n_workers=1)
    question = ask()
    try:
        told = [gathered(panel, dataclasses.replace(question, question_id=str(n)), bench)[0].error for n in range(12)]
        expert.gate.set()
        deadline = time.monotonic() + PATIENCE_S
        while not (found := gathered(panel, question, bench)[0]).text and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        expert.gate.set()
        panel.close()
    assert told == [f"Question {n}: expert 'hanging' on medium 'scene' did not return within 0.1 s." for n in range(12)]
    assert expert.began == ["scene"]
    assert found.text == WRITTEN, "what it says in the end is evidence from then on"


def test_experts_that_contradict_each_other_are_both_heard_between_the_marks(ask: Ask, bench: Workbench) -> None:
    said = {"optimist": "The door is open.", "pessimist": "The door is closed."}
    seats = [Seat(named(name, lambda loaded, text=text: text)) for name, text in said.items()]
    _, prompt = answered(ask(), bench, *seats)
    assert prompt.shared == "\n".join(
        [
            f"<evidence {bench.marker}>",
            "[optimist] The door is open.",
            "[pessimist] The door is closed.",
            f"</evidence {bench.marker}>",
        ]
    )


def test_five_megabytes_leave_room_for_the_others(ask: Ask, bench: Workbench) -> None:
    flood = Seat(named("flood", lambda loaded: "word " * 1_000_000), max_chars=500)
    answer, prompt = answered(ask(), bench, flood, Seat(TextsExpert()))
    assert len(prompt.text()) < 1000 and WRITTEN in prompt.shared
    assert answer.evidence[0].note == "cut to 500 of 4999999 characters"


# -- a model that an expert asks ---------------------------------------------------------------


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.setenv("SOME_KEY", "sk-some")
    server = Provider()
    server.start()
    yield server
    server.stop()


def asking(provider: Provider, **more: Any) -> Seat:
    node = {"type": "openai", "base_url": provider.url, "model": "m", "api_key_env": "SOME_KEY", "sees_images": True}
    return Seat(VideoDescriptionExpert(reasoner={**node, "retry_base_s": 0.01, **more}))


def seen(tmp_path: Path) -> Question:
    captions = tmp_path / "texts.json"
    captions.write_text(json.dumps({"clip": ["a brown chair"]}))
    return Question("7", "What?", Media("clip", {"frame": grey_frames(tmp_path / "clip", 3), "captions": captions}))


def test_a_served_model_that_hangs_is_recorded_after_its_own_patience(
    bench: Workbench, provider: Provider, tmp_path: Path
) -> None:
    provider.script = [slow(3.0, reply("too late"))]
    start = time.monotonic()
    answer, prompt = answered(
        seen(tmp_path), bench, asking(provider, timeout_s=0.2, max_attempts=1), Seat(TextsExpert())
    )
    assert time.monotonic() - start < 2.5
    by_name = {item.expert: item for item in answer.evidence}
    assert "could not ask its model" in (by_name["vlm_video"].error or "")
    assert answer.status == "answered" and "a brown chair" in prompt.shared


def test_half_a_surrogate_pair_in_a_served_reply_ends_no_run(
    bench: Workbench, provider: Provider, tmp_path: Path
) -> None:
    provider.script = [reply("a \ud83d b")]
    answer, _ = answered(seen(tmp_path), bench, asking(provider))
    assert answer.evidence[0].text == "a ? b"


# -- media -------------------------------------------------------------------------------------


def about(modality: str, path: Path, text: str = "What is it?", **side: Any) -> Question:
    return Question("7", text, Media(path.stem, {modality: path}, side))


def heard(question: Question, bench: Workbench, *names: str) -> dict[str, Evidence]:
    experts = [Seat(registry.require("expert", name)()) for name in names]
    return {item.expert: item for item in answered(question, bench, *experts)[0].evidence}


@pytest.fixture
def listening() -> None:
    pytest.importorskip("faster_whisper")
    for name in LISTENING:
        need(*registry.require("expert", name).weights)


@pytest.mark.usefixtures("listening")
def test_silence_is_said_by_everyone_who_listens(bench: Workbench, tmp_path: Path) -> None:
    path = write_sound(tmp_path / "silent.wav", np.zeros((1, 32_000), np.float32), 16_000)
    found = heard(about("audio", path), bench, *LISTENING)
    assert {name: "2.0 s long and silent throughout" in item.text for name, item in found.items()} == dict.fromkeys(
        LISTENING, True
    )


@pytest.mark.usefixtures("listening")
def test_clipping_is_said_by_everyone_who_listens(bench: Workbench, tmp_path: Path) -> None:
    """Ground truth: a sine eight times too loud; its tops are cut off."""
    path = write_sound(tmp_path / "clipped.wav", np.clip(8 * tone(2, 16_000), -1, 1)[None], 16_000)
    found = heard(about("audio", path), bench, *LISTENING)
    assert {name: "the recording is probably clipped" in item.text for name, item in found.items()} == dict.fromkeys(
        LISTENING, True
    )


@pytest.mark.parametrize(("rate_hz", "n_channels"), [(8_000, 1), (48_000, 8)], ids=["8 kHz", "7.1"])
def test_a_tone_at_8_khz_and_in_7_1_is_the_same_tone(
    bench: Workbench, tmp_path: Path, rate_hz: int, n_channels: int
) -> None:
    channels = np.zeros((n_channels, 3 * rate_hz), np.float32)
    channels[n_channels // 4] = tone(3, rate_hz)  # the centre of 7.1
    path = write_sound(tmp_path / "tone.wav", channels, rate_hz)
    text = heard(about("audio", path), bench, "sound")["sound"].text
    assert text.startswith("The sound is 3.0 s long") and text.endswith("Pitches in order: A4 (440 Hz).")


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize(("rate_hz", "n_channels"), [(8_000, 1), (16_000, 8)], ids=["8 kHz", "7.1"])
def test_a_guitar_at_8_khz_and_in_7_1_is_a_guitar(
    bench: Workbench, tmp_path: Path, rate_hz: int, n_channels: int
) -> None:
    played = guitar()[:: 16_000 // rate_hz]
    channels = np.zeros((n_channels, len(played)), np.float32)
    channels[n_channels // 4] = played
    path = write_sound(tmp_path / "guitar.wav", channels, rate_hz)
    assert "guitar" in heard(about("audio", path), bench, "music")["music"].text.lower()


def test_a_pdf_without_a_text_layer_is_read_and_a_locked_one_is_recorded(bench: Workbench, tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2", reason="PDFium reads the documents")
    pytest.importorskip("rapidocr", reason="RapidOCR reads the pictures")
    Image.fromarray(drawn((400, 120), [("Invoice 2041", 30, 40, 32)])).save(tmp_path / "scan.pdf", resolution=100)
    read = heard(about("page", tmp_path / "scan.pdf"), bench, "pages")["pages"].text
    assert "Read from the picture by OCR: page 1." in read and "[page 1] Invoice 2041" in read

    (tmp_path / "locked.pdf").write_bytes(pdf([(595.0, 842.0, "secret")], password=b"key"))
    answer, prompt = answered(
        about("page", tmp_path / "locked.pdf"), bench, Seat(registry.require("expert", "pages")())
    )
    error = answer.evidence[0].error
    assert error is not None and "is encrypted; save it without a password" in error
    assert answer.status == "answered" and "<evidence" not in prompt.text()


def test_merged_cells_reach_the_evidence_in_every_place_that_they_cover(bench: Workbench, tmp_path: Path) -> None:
    path = tmp_path / "t.html"
    path.write_text(
        "<table><tr><th>Shop<th>Q1<th>Q2<tr><td rowspan=2>North<td>1<td>2<tr><td colspan=2>closed"
        "<tr><td>South<td>5<td>6</table>"
    )
    text = heard(about("table", path), bench, "table")["table"].text
    assert "1 | North | 1 | 2\n2 | North | closed | closed\n3 | South | 5 | 6" in text


def test_another_span_of_a_medium_is_looked_at_anew(bench: Workbench, tmp_path: Path) -> None:
    """Nine frames, the n-th of grey 20 n; the panel holds the medium open between the two questions."""
    folder = grey_frames(tmp_path / "clip", 9)

    class Greys(Expert):
        card = dataclasses.replace(TextsExpert.card, name="greys", modality="frame")

        def write(self, clip: Any) -> str:
            return str(list(clip.indices))

    panel = Panel([Seat(Greys())], n_frames=2)
    spans = [MediaSpan(0, 3, "frames"), MediaSpan(6, 9, "frames")]
    texts = [gathered(panel, about("frame", folder, span=span), bench)[0].text for span in spans]
    panel.close()
    first, second = (json.loads(text) for text in texts)
    assert set(first) <= {0, 1, 2} and set(second) <= {6, 7, 8}


# -- experts that are not there ----------------------------------------------------------------


def test_an_unavailable_expert_is_refused_at_the_start_with_what_enables_it() -> None:
    reasoner = {"type": "scripted"}
    refused = 0
    for name in registry.list_names("expert"):
        lacking = registry.require("expert", name).lacks({})
        node = {"selector": {"type": "all"}, "experts": [name], "reasoner": reasoner}
        if not lacking:
            MexaAggregator.validate_config(node)
            continue
        with pytest.raises(ConfigError) as told:
            MexaAggregator.validate_config(node)
        assert f"{name!r} is not available here. To enable it: " in str(told.value)
        assert all(line in str(told.value) for line in lacking)
        refused += 1
    assert refused >= 20, "served and local models that nobody named"


def test_a_reasoner_is_told_of_no_expert_that_failed_and_answers_from_nothing(ask: Ask, bench: Workbench) -> None:
    def fail(loaded: Any) -> str:
        raise OSError("a disk that is gone")

    class Honest(RecordingReasoner):
        def complete(self, prompt: Prompt) -> Completion:
            assert "a disk" not in prompt.text() and "evidence" not in prompt.shared
            return super().complete(prompt)

    panel = Panel([Seat(named("alone", fail))], n_frames=8)
    model = MexaAggregator(selector=AllSelector(), panel=panel, reasoner=Honest("left"))
    answer = model.answer(ask(), bench)
    model.close()
    assert answer.status == "answered" and "a disk that is gone" in (answer.evidence[0].error or "")
