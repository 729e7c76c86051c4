"""The embedded reasoner with a real model of 135 million parameters: what it may say, and what that depends on."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lavis.common import weights
from lavis.common.errors import ConfigError, ReasonerError, WeightsError
from lavis.reasoners import Prompt
from lavis.reasoners.embedded import EmbeddedReasoner, usable_threads

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

    with pytest.raises(ReasonerError, match=rf"{n_tokens} tokens.*2048 tokens.*context_tokens"):
        reasoner.complete(long)
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


def record(order: tuple[int, ...], n_threads: int) -> dict[int, tuple[str, list[float]]]:
    prompts = [
        ask("Question: What colour is the cup?", max_tokens=10),
        ask("Question: What is near?", max_tokens=10),
        ask("Question: What colour is the car?", CAR, max_tokens=10),
        ask("Question: What colour is the sky?", "", max_tokens=10),
        ask("Question: What colour?", CAR, choices=("red", "blue", "tall")),
    ]
    reasoner = EmbeddedReasoner(model=MODEL, context_tokens=2048, n_threads=n_threads)
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
        ({"model": "/no/such.gguf"}, "not a file"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EmbeddedReasoner(**options)


def test_ranks_on_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    alone = usable_threads()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1000")

    assert alone >= 1
    assert usable_threads() == 1


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
