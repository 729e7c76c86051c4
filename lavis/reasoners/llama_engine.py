"""A GGUF model in this process, through xllamacpp: tokens in, text out, and what it cost."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import secrets
import threading
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lavis.common.errors import ReasonerError

# States of earlier prompts that are kept in memory, so that prompts on several media can alternate.
PROMPT_CACHE_MIB = 512
TOKENIZE_TIMEOUT_S = 60.0


@dataclasses.dataclass(frozen=True)
class Generation:
    """Generated text and the tokens it took; ``finished`` is False where it was cut off."""

    text: str
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    finished: bool


class Slots:
    """Which slot of an engine computes which prompt: one at a time, and where its shared part already lies.

    A shared part belongs to the slot that computed it last. While that slot is busy, other prompts with this part
    wait for it: reading the part again in a free slot would take longer than their answers.

    Args:
        n_slots: of the engine.
    """

    def __init__(self, n_slots: int) -> None:
        self._held = [""] * n_slots
        self._free = list(range(n_slots))  # the one that has been free for longest comes first
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def one(self, shared: str) -> Iterator[int]:
        """Take a slot for a prompt with this shared part; an empty one fits everywhere."""
        with self._changed:
            slot = self._changed.wait_for(lambda: self._choice(shared))[0]
            self._free.remove(slot)
            self._held[slot] = shared
        try:
            yield slot
        finally:
            with self._changed:
                self._free.append(slot)
                self._changed.notify_all()

    @contextlib.contextmanager
    def all(self) -> Iterator[None]:
        """Wait until every slot is free and keep them all; afterwards they hold nothing."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._free) == len(self._held))
            self._held = [""] * len(self._held)
            yield

    def _choice(self, shared: str) -> list[int]:
        """Return the slot to take, in a list that is empty where one must be waited for."""
        if shared and shared in self._held:
            return [slot for slot in self._free if self._held[slot] == shared]
        return sorted(self._free, key=lambda slot: self._held[slot] != "")[:1]


class LlamaEngine:
    """One loaded model, with a cache of its own in each slot.

    Args:
        gguf: the model file.
        n_threads: of the computation.
        context_tokens: prompt and generated text together, in each slot.
        seed: of the sampler.
        n_slots: prompts that may be computed at once.

    Raises:
        ReasonerError: xllamacpp is not installed, or it cannot load the file.
    """

    def __init__(self, gguf: Path, *, n_threads: int, context_tokens: int, seed: int, n_slots: int = 1) -> None:
        # Threads that spin while they wait take the cores from whatever else runs: 1 to 6 tokens/s instead of 16.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        try:
            import xllamacpp
        except ImportError as error:
            raise ReasonerError(f"the embedded reasoner needs xllamacpp ({error}): pip install xllamacpp") from error
        parameters = xllamacpp.CommonParams()
        parameters.model.path = str(gguf)
        self.n_slots = n_slots
        parameters.n_ctx = context_tokens * n_slots
        parameters.n_parallel = n_slots
        # Unified, every slot computes over the positions of all.
        parameters.kv_unified = False
        parameters.cpuparams.n_threads = n_threads
        parameters.cpuparams_batch.n_threads = n_threads
        parameters.sampling.seed = seed
        parameters.cache_ram_mib = PROMPT_CACHE_MIB
        # Flash attention splits its sums by thread, so that the text would depend on the number of threads.
        parameters.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.warmup = False
        parameters.ui = False
        parameters.verbosity = -1
        # The engine also listens on a loopback port; nobody else shall use it.
        self._key = secrets.token_hex(16)
        parameters.api_keys = [self._key]
        try:
            self._server = xllamacpp.Server(parameters)
        except RuntimeError as error:
            raise ReasonerError(f"{gguf} cannot be loaded: {error}") from error
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def tokenize(self, text: str, *, begin: bool) -> list[int]:
        """Return the tokens of a text; control tokens spelled out in it stay ordinary text.

        Args:
            text: what to tokenize.
            begin: whether the model's begin-of-text token, if it has one, comes first.
        """
        body = {"content": text, "add_special": begin, "parse_special": False}
        request = urllib.request.Request(  # noqa: S310 - the engine's own loopback address
            f"{self._server.listening_address}/tokenize",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"},
        )
        try:
            with self._opener.open(request, timeout=TOKENIZE_TIMEOUT_S) as response:
                tokens: list[int] = json.loads(response.read())["tokens"]
        except (OSError, ValueError, KeyError) as error:
            raise ReasonerError(f"the embedded engine could not tokenize a text: {error}") from error
        return tokens

    def generate(
        self,
        tokens: Sequence[int],
        *,
        max_tokens: int,
        grammar: str = "",
        stop: Sequence[str] = (),
        reuse_cache: bool,
        slot: int = 0,
    ) -> Generation:
        """Continue a prompt greedily.

        Args:
            tokens: the prompt.
            max_tokens: generated at most; with 0 the prompt is only read into the cache.
            grammar: GBNF that the text must follow; empty for none.
            stop: texts that end the generation.
            reuse_cache: whether tokens may come from the cache of an earlier prompt.
            slot: which one computes it; a slot computes one prompt at a time.

        Raises:
            ReasonerError: the engine refused; carries its words.
        """
        request: dict[str, Any] = {
            "prompt": list(tokens),
            "max_tokens": max_tokens,
            "temperature": 0,
            "cache_prompt": reuse_cache,
            "stop": list(stop),
        }
        if self.n_slots > 1:
            request["id_slot"] = slot
        if grammar:
            request["grammar"] = grammar
        reply = self._server.handle_completions(request)
        if "error" in reply:
            raise ReasonerError(f"the embedded engine refused: {reply['error'].get('message', reply['error'])}")
        choice, usage = reply["choices"][0], reply["usage"]
        return Generation(
            text=choice["text"],
            input_tokens=usage["prompt_tokens"],
            cached_tokens=usage["prompt_tokens_details"]["cached_tokens"],
            output_tokens=usage["completion_tokens"],
            finished=choice["finish_reason"] == "stop",
        )
