"""The embedded reasoner: a small model in this process, held to the options' texts by a grammar."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import inspect
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from lavis.common.cores import usable_cores
from lavis.common.errors import ConfigError, ContextTooLongError, ReasonerError
from lavis.common.weights import find, weights_path
from lavis.reasoners.base import AnswerForm, Completion, Prompt, Reasoner, Usage
from lavis.reasoners.grammar import PHRASE_GRAMMAR, choice_grammar, further_choice_grammar
from lavis.reasoners.llama_engine import Generation, LlamaEngine, Slots

# Changes whenever the same prompt may be completed otherwise by the same model.
PROTOCOL = 1
# Shared parts whose tokens are remembered, in addition to the slots'; the engine keeps about as many states.
N_REMEMBERED = 8


class EmbeddedReasoner(Reasoner):
    """Continues a prompt with a GGUF model: one of the choices, several, or one line.

    With one slot, the completion of a prompt depends on nothing but the prompt and the model: not on
    what was asked before, nor on the number of threads. Reusing a prefix changes the order of
    floating-point sums, so the shared part is always computed alone and from its beginning, once, and
    every question is computed after exactly that state.

    With more slots, what is computed at the same moment shares the engine's matrix products, and the
    order of their sums changes with it: a near tie may turn, so that a completion may depend on what
    was asked beside it, and two runs may differ. A prompt with nothing beside it is completed as with
    one slot. Questions on one medium follow each other in one slot, so that its evidence is read once as a
    rule; only questions on different media are computed at once. Few cores gain little from slots: reading
    evidence keeps them all busy already.

    Args:
        model: a name of ``lavis weights list``, or the path of a .gguf file.
        n_threads: null for this process's share of the cores.
        context_tokens: prompt and answer together, of each question.
        slots: questions computed at once; each has a context, and so a share of the memory, of its own.
        seed: of the sampler; at temperature 0 it decides nothing but is part of the identity.

    Raises:
        WeightsError: the weights are not there; gives the command that fetches them.
        ConfigError: an option is out of range, or the path is no file.
    """

    answer_form: AnswerForm = "text"
    max_connections: int = 1
    context_tokens: int
    uses_cores = True
    _load_lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        *,
        model: str = "qwen2.5-coder-1.5b",
        n_threads: int | None = None,
        context_tokens: int = 4096,
        slots: int = 1,
        seed: int = 0,
    ) -> None:
        if n_threads is not None and n_threads < 1:
            raise ConfigError(f"embedded reasoner: n_threads is {n_threads}; it must be at least 1, or null.")
        if context_tokens < 64:
            raise ConfigError(f"embedded reasoner: context_tokens is {context_tokens}; a prompt needs at least 64.")
        if slots < 1:
            raise ConfigError(f"embedded reasoner: slots is {slots}; it must be at least 1.")
        self.model = model
        self.path = _model_path(model)
        self.n_threads = n_threads or usable_cores()
        self.context_tokens = context_tokens
        self.slots = self.max_connections = slots
        self.seed = seed
        self.monitor.limit = slots
        self._engine: LlamaEngine | None = None
        self._slots = Slots(slots)
        self._lock = threading.RLock()  # the engine while it is loaded, what is remembered, the monitor
        self._heads: OrderedDict[str, list[int]] = OrderedDict()
        self._sha256: str | None = None

    @classmethod
    def needed_weights(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the listed model's name; none where the model is a file of the user's."""
        model = options.get("model") or inspect.signature(cls).parameters["model"].default
        return () if model.endswith(".gguf") else (model,)

    def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt; calls from more threads than there are slots wait for each other.

        Raises:
            ContextTooLongError: prompt and completion do not fit into the context.
            ReasonerError: there is nothing to complete, or the engine refused.
        """
        start = time.perf_counter()
        self._count(1)
        try:
            with self._slots.one(prompt.shared) as slot:
                engine = self._loaded()
                head, tail = self._tokens(engine, prompt)
                n_prompt = len(head) + len(tail)
                if n_prompt + prompt.max_tokens > self.context_tokens:
                    raise ContextTooLongError(
                        f"A prompt of {n_prompt} tokens and {prompt.max_tokens} to generate exceed the embedded "
                        f"reasoner's context of {self.context_tokens} tokens. Raise model.reasoner.context_tokens, "
                        "or let experts write less (fewer experts, frames or lines).",
                        limit_tokens=self.context_tokens,
                        prompt_tokens=n_prompt,
                    )
                cached_tokens = self._pin(engine, slot, prompt.shared, head, tail[0]) if prompt.shared else 0
                generated = self._generate(engine, slot, prompt, head + tail)
        finally:
            self._count(-1)
        return Completion(
            text="".join(generation.text for generation in generated).strip(),
            usage=Usage(
                input_tokens=n_prompt,
                output_tokens=sum(generation.output_tokens for generation in generated),
                cached_tokens=cached_tokens,
            ),
            model=self.model,
            latency_s=time.perf_counter() - start,
        )

    def count_tokens(self, prompt: Prompt) -> int:
        """Return how many tokens of the context a prompt takes, without completing it."""
        head, tail = self._tokens(self._loaded(), prompt)
        return len(head) + len(tail)

    def identity(self) -> dict[str, Any]:
        """Return the model by its hash, the engine's version and what else decides a completion."""
        if self._sha256 is None:
            self._sha256 = _sha256_of(self.model, self.path)
        identity = {
            "type": "embedded",
            "model": Path(self.model).name,
            "sha256": self._sha256,
            "engine": f"xllamacpp {_version('xllamacpp')}",
            "protocol": PROTOCOL,
            "temperature": 0,
            "seed": self.seed,
        }
        # Beside other questions, a completion may differ from what it is alone.
        return identity if self.slots == 1 else {**identity, "slots": self.slots}

    def close(self) -> None:
        """Free the model; a later call loads it again."""
        with self._slots.all(), self._lock:
            self._engine = None
            self._heads.clear()

    def _loaded(self) -> LlamaEngine:
        with self._lock:
            if self._engine is None:
                with self._load_lock:  # two models loaded at once would need twice the memory of the larger
                    self._engine = LlamaEngine(
                        self.path,
                        n_threads=self.n_threads,
                        context_tokens=self.context_tokens,
                        seed=self.seed,
                        n_slots=self.slots,
                    )
            return self._engine

    def _count(self, change: int) -> None:
        with self._lock:
            self.monitor.in_flight += change

    def _tokens(self, engine: LlamaEngine, prompt: Prompt) -> tuple[list[int], list[int]]:
        """Return the tokens of the shared part and of the rest; their boundary depends on neither."""
        with self._lock:
            head = self._heads.get(prompt.shared)
        if head is None:
            head = engine.tokenize(f"{prompt.shared}\n" if prompt.shared else "", begin=True)
        tail = engine.tokenize("\n".join(part for part in (prompt.own, prompt.lead) if part), begin=False)
        if not tail:
            raise ReasonerError("The prompt has neither an own part nor a lead: there is nothing to complete.")
        return head, tail

    def _generate(self, engine: LlamaEngine, slot: int, prompt: Prompt, tokens: list[int]) -> list[Generation]:
        """Generate one line, one choice, or one choice after the other, none of them twice."""
        step = functools.partial(self._step, engine, slot, prompt)
        if not prompt.choices:
            return [step(tokens, PHRASE_GRAMMAR, fresh=not prompt.shared)]
        generated = [step(tokens, choice_grammar(prompt.choices), fresh=not prompt.shared)]
        left = dict.fromkeys(prompt.choices)
        left.pop(generated[0].text.removeprefix(" "), None)
        while left and len(generated) < prompt.max_choices:
            so_far = engine.tokenize("".join(generation.text for generation in generated), begin=False)
            further = step(tokens + so_far, further_choice_grammar(left), fresh=False)
            if not further.text.strip():
                break
            generated.append(further)
            left.pop(further.text.removeprefix(", "), None)
        return generated

    def _step(
        self, engine: LlamaEngine, slot: int, prompt: Prompt, tokens: list[int], grammar: str, *, fresh: bool
    ) -> Generation:
        # A choice ends by its grammar; cut short by a number of tokens, it would be none of the choices.
        max_tokens = self.context_tokens - len(tokens) if prompt.choices else prompt.max_tokens
        step = engine.generate(
            tokens, max_tokens=max_tokens, grammar=grammar, stop=("\n",), reuse_cache=not fresh, slot=slot
        )
        if prompt.choices and not step.finished:
            raise ContextTooLongError(
                f"The context of {self.context_tokens} tokens ended within the choice {step.text!r}. "
                "Raise model.reasoner.context_tokens, or let experts write less.",
                limit_tokens=self.context_tokens,
                prompt_tokens=len(tokens),
            )
        return step

    def _pin(self, engine: LlamaEngine, slot: int, shared: str, head: list[int], first: int) -> int:
        """Leave the slot holding exactly ``head``, computed alone; return how many tokens were reused.

        One token that is not the next one goes after it: it cuts off what an earlier question left there.
        """
        other = next(token for token in (*head, first + 1) if token != first)
        pinned = [*head, other]
        with self._lock:
            known = shared in self._heads
            self._heads[shared] = head
            self._heads.move_to_end(shared)
            while len(self._heads) > N_REMEMBERED + self.slots - 1:
                self._heads.popitem(last=False)
        read = functools.partial(engine.generate, pinned, max_tokens=0, slot=slot)
        if known and read(reuse_cache=True).cached_tokens >= len(head):
            return len(head)
        read(reuse_cache=False)
        return 0


def _model_path(model: str) -> Path:
    if not model.endswith(".gguf"):
        return weights_path(model)
    path = Path(model).expanduser()
    if not path.is_file():
        raise ConfigError(f"embedded reasoner: model {model!r} is not a file.")
    return path


def _sha256_of(model: str, path: Path) -> str:
    if not model.endswith(".gguf"):
        return find(model).sha256
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
