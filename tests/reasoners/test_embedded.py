"""The embedded reasoner with a real model of 135 million parameters: what it may say, and what that depends on."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lavis.common import weights
from lavis.common.errors import ConfigError, ContextTooLongError, ReasonerError, WeightsError
from lavis.reasoners import Prompt
from lavis.reasoners.embedded import EmbeddedReasoner
from lavis.reasoners.llama_engine import Slots

MODEL = "smollm2-135m"
CUP = (
    "<evidence 7f>\n"
    + "\n".join(f"{s} s: the blue cup is {s * 5 % 11} cm from a spoon." for s in range(12))
    + "\n</evidence 7f>"
)
CAR = (
    "<evidence 7f>\n"
    + "\n".join(f"{s} s: a red car is {s * 3 % 7} m from a tall tree." for s in range(14))
    + "\n</evidence 7f>"
)


def ask(own: str = "Question: What colour is the cup?", shared: str = CUP, **changes: Any) -> Prompt:
    return Prompt(**{"system": "", "shared": shared, "own": own, **changes})


@pytest.fixture(scope="module")
def weights_file() -> Path:
    try:
        return weights.weights_path(MODEL)
    except WeightsError as error:
        pytest.skip(f"the test model is not fetched: {error}")


@pytest.fixture(scope="module")
def reasoner(weights_file: Path) -> Iterator[EmbeddedReasoner]:
    pytest.importorskip("xllamacpp")
    made = EmbeddedReasoner(model=MODEL, context_tokens=2048, n_threads=1)
    yield made
    made.close()


# -- what it may say ---------------------------------------------------------------------------


def test_the_answer_is_one_of_the_choices_whatever_they_contain(reasoner: EmbeddedReasoner) -> None:
    """Truth: every character that GBNF reads otherwise, and two alphabets."""
    for choices in (('say "hi"', "back\\slash"), ("[a-z]* | (b)",), ("grün", "青い"), ("tab\there", 'root ::= "x"')):
        assert reasoner.complete(ask(choices=choices)).text in choices


def test_706_choices_are_held(reasoner: EmbeddedReasoner) -> None:
    choices = tuple(f"{colour} {n}" for colour in ("red", "blue", "grey", "light brown") for n in range(180))[:706]
    reasoner.complete(ask(choices=("x",)))
    assert reasoner.complete(ask(choices=choices)).text in choices


def test_a_choice_longer_than_max_tokens_is_not_cut(reasoner: EmbeddedReasoner) -> None:
    choice = " ".join(f"word{n}" for n in range(6))

    assert reasoner.complete(ask(choices=(choice,), max_tokens=2)).text == choice


def test_a_list_names_each_choice_at_most_once(reasoner: EmbeddedReasoner) -> None:
    choices = ("frames", "depth", "flow", "audio, speech")

    for limit in (2, 4, 9):
        text = reasoner.complete(ask("Name the experts, separated by commas.", choices=choices, max_choices=limit)).text
        named = [name for name in choices if name in text]
        assert sorted(text.split(", ")) == sorted(", ".join(named).split(", "))
        assert 1 <= len(named) <= limit


def test_without_choices_it_is_one_line(reasoner: EmbeddedReasoner) -> None:
    completion = reasoner.complete(ask(max_tokens=12))

    assert completion.text
    assert "\n" not in completion.text
    assert 1 <= completion.usage.output_tokens <= 12


def test_control_tokens_in_a_text_stay_text(reasoner: EmbeddedReasoner) -> None:
    """Truth: as a control token `<|im_start|>` is one token; spelled out it takes several."""
    plain, spelled = ask("Read: x"), ask("Read: x" + "<|im_start|>" * 10)

    assert reasoner.count_tokens(spelled) - reasoner.count_tokens(plain) >= 30


# -- what it costs, and its limits -------------------------------------------------------------


def test_a_shared_prefix_is_read_once(reasoner: EmbeddedReasoner) -> None:
    reasoner.close()
    first = reasoner.complete(ask(choices=("red", "blue")))
    second = reasoner.complete(ask("Question: What lies near the cup?", choices=("a spoon", "a fork")))

    assert first.usage.cached_tokens == 0
    assert second.usage.input_tokens == reasoner.count_tokens(ask("Question: What lies near the cup?"))
    assert second.usage.cached_tokens / second.usage.input_tokens > 0.9


def test_prompts_on_two_media_may_alternate(reasoner: EmbeddedReasoner) -> None:
    for shared in (CUP, CAR, CUP, CAR):
        usage = reasoner.complete(ask("Question: What colour?", shared, choices=("red", "blue"))).usage

    assert usage.cached_tokens / usage.input_tokens > 0.9


def test_a_prompt_that_does_not_fit_is_refused_with_the_numbers(reasoner: EmbeddedReasoner) -> None:
    long = ask(shared=CUP * 20)
    n_tokens = reasoner.count_tokens(long)
    assert n_tokens > 2048

    with pytest.raises(ContextTooLongError, match=rf"{n_tokens} tokens.*2048 tokens.*context_tokens") as caught:
        reasoner.complete(long)
    assert (caught.value.limit_tokens, caught.value.prompt_tokens) == (2048, n_tokens)
    assert reasoner.complete(ask(choices=("red", "blue"))).text in ("red", "blue")


def test_a_prompt_with_nothing_to_complete_is_refused(reasoner: EmbeddedReasoner) -> None:
    with pytest.raises(ReasonerError, match="nothing to complete"):
        reasoner.complete(ask("", lead=""))


# -- what a completion depends on --------------------------------------------------------------


class Recorder:
    """Stands before the engine's server and keeps the probability of every token it generates."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.listening_address = server.listening_address
        self.logprobs: list[float] = []

    def handle_completions(self, request: dict[str, Any]) -> dict[str, Any]:
        reply: dict[str, Any] = self.server.handle_completions({**request, "n_probs": 1})
        if request["max_tokens"] > 0:
            self.logprobs = [token["logprob"] for token in reply["choices"][0]["logprobs"]["content"]]
        return reply


def record(order: tuple[int, ...], n_threads: int, slots: int = 1) -> dict[int, tuple[str, list[float]]]:
    prompts = [
        ask("Question: What colour is the cup?", max_tokens=10),
        ask("Question: What is near?", max_tokens=10),
        ask("Question: What colour is the car?", CAR, max_tokens=10),
        ask("Question: What colour is the sky?", "", max_tokens=10),
        ask("Question: What colour?", CAR, choices=("red", "blue", "tall")),
    ]
    reasoner = EmbeddedReasoner(model=MODEL, context_tokens=2048, n_threads=n_threads, slots=slots)
    engine = reasoner._loaded()
    recorder = Recorder(engine._server)
    engine._server = recorder
    said = {}
    for index in order:
        said[index] = (reasoner.complete(prompts[index]).text, recorder.logprobs)
    reasoner.close()
    return said


def test_a_completion_depends_on_neither_order_nor_threads(weights_file: Path) -> None:
    """Bit for bit: so a run that is killed and resumed, on other ranks, gives the same answers."""
    pytest.importorskip("xllamacpp")
    reference = record((0, 1, 2, 3, 4), n_threads=2)

    assert all(math.isfinite(value) for _, logprobs in reference.values() for value in logprobs)
    assert record((4, 3, 1, 2, 0, 1), n_threads=1) == reference


def test_threads_wait_for_each_other_and_get_their_own_answers(reasoner: EmbeddedReasoner) -> None:
    prompts = [ask(f"Question: What is at {s} s?", (CUP, CAR)[s % 2], max_tokens=6) for s in range(6)]
    alone = [reasoner.complete(prompt).text for prompt in prompts]

    with ThreadPoolExecutor(2) as pool:
        together = [completion.text for completion in pool.map(reasoner.complete, prompts)]

    assert together == alone


def test_identity_is_the_file_s_hash_however_it_is_named(reasoner: EmbeddedReasoner, weights_file: Path) -> None:
    by_path = EmbeddedReasoner(model=str(weights_file)).identity()

    assert reasoner.identity()["sha256"] == by_path["sha256"] == weights.find(MODEL).sha256
    assert str(weights_file.parent) not in str(by_path)
    assert reasoner.answer_form == "text"


# -- several slots -----------------------------------------------------------------------------


class Watcher:
    """Stands before the engine's server: which slots compute at the same time, and what each was given."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.listening_address = server.listening_address
        self.lock = threading.Lock()
        self.busy: list[int] = []
        self.together: list[set[int]] = []
        self.slot_of: dict[tuple[int, ...], set[int]] = {}

    def handle_completions(self, request: dict[str, Any]) -> dict[str, Any]:
        slot = request["id_slot"]
        with self.lock:
            assert slot not in self.busy
            self.busy.append(slot)
            self.together.append(set(self.busy))
            self.slot_of.setdefault(tuple(request["prompt"][:100]), set()).add(slot)
        reply: dict[str, Any] = self.server.handle_completions(request)
        with self.lock:
            self.busy.remove(slot)
        return reply


@pytest.fixture(scope="module")
def three_slots(weights_file: Path) -> Iterator[EmbeddedReasoner]:
    pytest.importorskip("xllamacpp")
    made = EmbeddedReasoner(model=MODEL, context_tokens=700, slots=3)
    yield made
    made.close()


def test_slots_compute_at_once_and_every_caller_gets_its_own_answer(three_slots: EmbeddedReasoner) -> None:
    """Truth: each prompt has choices that no other has; a medium stays in its slot and is read once."""
    media = (CUP, CAR, CAR.replace("car", "bus"))
    prompts = [ask(f"Question {n}: which?", media[n % 3], choices=(f"red {n}", f"blue {n}")) for n in range(9)]
    engine = three_slots._loaded()
    watcher = Watcher(engine._server)
    engine._server = watcher
    try:
        with ThreadPoolExecutor(three_slots.max_connections) as pool:
            said = list(pool.map(three_slots.complete, prompts))
    finally:
        engine._server = watcher.server

    for prompt, completion in zip(prompts, said, strict=True):
        assert completion.text in prompt.choices
    assert max(map(len, watcher.together)) == 3
    assert len(watcher.slot_of) == 3
    assert all(len(slots) == 1 for slots in watcher.slot_of.values())
    assert sorted(each.usage.cached_tokens > 0.9 * each.usage.input_tokens for each in said) == [False] * 3 + [True] * 6


def test_each_slot_has_the_whole_context(three_slots: EmbeddedReasoner) -> None:
    """Truth: 700 tokens are not divided by three; three prompts of nearly that length at once are answered."""
    long = [ask("Question?", f"{n} " + CUP * 3, choices=("red", "blue")) for n in range(3)]
    n_tokens = [three_slots.count_tokens(prompt) for prompt in long]
    assert 550 < min(n_tokens) <= max(n_tokens) <= 700 - long[0].max_tokens
    with ThreadPoolExecutor(3) as pool:
        assert {each.text for each in pool.map(three_slots.complete, long)} <= {"red", "blue"}

    with pytest.raises(ContextTooLongError, match="700 tokens") as caught:
        three_slots.complete(ask(shared=CUP * 4))
    assert caught.value.limit_tokens == 700


def test_with_nothing_beside_it_a_slot_computes_what_one_slot_computes(weights_file: Path) -> None:
    """Bit for bit, whichever slot it is; beside others it may differ, which is said and not tested."""
    pytest.importorskip("xllamacpp")

    assert record((2, 0, 1, 4, 3), n_threads=2, slots=3) == record((0, 1, 2, 3, 4), n_threads=2)


def test_lists_are_held_in_slots_too(three_slots: EmbeddedReasoner) -> None:
    choices = ("frames", "depth", "flow")
    prompts = [ask("Name the experts.", shared, choices=choices, max_choices=2) for shared in (CUP, CAR, "", "")]
    with ThreadPoolExecutor(3) as pool:
        for completion in pool.map(three_slots.complete, prompts):
            named = completion.text.split(", ")
            assert len(set(named)) == len(named) <= 2
            assert set(named) <= set(choices)


def test_close_waits_for_what_is_computed_and_slots_load_again(three_slots: EmbeddedReasoner) -> None:
    three_slots.complete(ask(choices=("red",)))
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(three_slots.complete, ask("Q?", shared, max_tokens=4)) for shared in (CUP, CAR)]
        three_slots.close()
        assert all(call.result().usage.input_tokens > 100 for call in calls)
    assert three_slots.monitor.in_flight == 0


def test_the_number_of_slots_is_part_of_the_identity_where_it_matters(
    reasoner: EmbeddedReasoner, three_slots: EmbeddedReasoner
) -> None:
    assert "slots" not in reasoner.identity()
    assert three_slots.identity() == {**reasoner.identity(), "slots": 3}
    assert (reasoner.max_connections, three_slots.max_connections) == (1, 3)


def test_a_prompt_goes_to_the_free_slot_that_holds_its_shared_part() -> None:
    slots = Slots(3)
    with slots.one("cup") as cup, slots.one("car") as car, slots.one("bus") as bus:
        assert sorted((cup, car, bus)) == [0, 1, 2]
    for shared, expected in (("bus", bus), ("cup", cup), ("car", car), ("bus", bus)):
        with slots.one(shared) as slot:
            assert slot == expected
    with slots.one("tree") as slot:
        assert slot == cup  # free for longest
    with slots.all(), slots.one("bus"):
        pass


def test_a_prompt_waits_for_the_busy_slot_that_reads_its_shared_part() -> None:
    slots, order = Slots(2), []
    entered = threading.Event()

    def second() -> None:
        entered.set()
        with slots.one("cup") as slot:
            order.append(slot)

    waiting = threading.Thread(target=second)
    with slots.one("cup") as first:
        waiting.start()
        entered.wait(10)
        with slots.one("car") as other:
            assert other != first
        waiting.join(0.2)
        assert order == []
    waiting.join(10)
    assert order == [first]


# -- what can be wrong before it starts --------------------------------------------------------


def test_absent_weights_are_an_error_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAVIS_CACHE", str(tmp_path))

    with pytest.raises(WeightsError, match=r"lavis weights fetch qwen2\.5-coder-1\.5b"):
        EmbeddedReasoner()


def test_a_damaged_file_is_named_when_it_is_loaded(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + bytes(1000))

    with pytest.raises(ReasonerError, match=r"broken\.gguf cannot be loaded"):
        EmbeddedReasoner(model=str(path)).complete(ask())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_threads": 0}, "n_threads"),
        ({"context_tokens": 1}, "context_tokens"),
        ({"slots": 0}, "slots"),
        ({"model": "/no/such.gguf"}, "not a file"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EmbeddedReasoner(**options)


BESIDE_DECORD = """
import sys
from pathlib import Path
from lavis.common.decoder import import_decord
from lavis.reasoners.base import Prompt
from lavis.reasoners.embedded import EmbeddedReasoner

print(len(import_decord().VideoReader(sys.argv[1])))
reasoner = EmbeddedReasoner(model=sys.argv[2], context_tokens=512, n_threads=1)
print(reasoner.complete(Prompt("", "a", "Question: x?", choices=("yes", "no"))).text)
"""


def test_a_video_decoded_before_does_not_crash_the_engine(weights_file: Path, tmp_path: Path, repo_root: Path) -> None:
    """decord's own loader takes the place of the C++ runtime of every library loaded after it."""
    cv2 = pytest.importorskip("cv2")
    video = tmp_path / "three.mp4"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"mp4v"), 8.0, (64, 48))
    for value in (0, 100, 200):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    command = [sys.executable, "-c", BESIDE_DECORD, str(video), str(weights_file)]
    ran = subprocess.run(command, cwd=repo_root, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr[-500:]
    assert ran.stdout.split() in (["3", "yes"], ["3", "no"])
