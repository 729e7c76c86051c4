"""A chat model of the transformers library in this process: batched, greedy, held to the choices."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib.metadata
import logging
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, get_args

from lavis.common.errors import ConfigError, ContextTooLongError, LavisError, ReasonerError
from lavis.reasoners.base import AnswerForm, Completion, Prompt, Reasoner
from lavis.reasoners.chat_model import ChatModel, Row, said

# Changes whenever the same prompt may be completed otherwise by the same model.
PROTOCOL = 1
DTYPES = ("float32", "bfloat16", "float16")

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Failure:
    """Why a batch has no completions."""

    error: LavisError
    out_of_memory: bool = False


class TransformersReasoner(Reasoner):
    """Completes prompts with a causal language model from a folder or the hub, several in one batch.

    A prompt goes through the model's own chat template; a model without one continues the prompt as plain
    text. With choices, the text is exactly one of them (or several, separated by commas) from the first token
    on, so that such a prompt leaves no room for thinking; for the answer form ``text`` the assistant's turn is
    begun with the prompt's lead ("Answer:"), which the choice continues. Without choices the turn is the model's
    own, and ``<think>…</think>`` becomes the completion's reasoning.

    Control tokens that stand in the prompt's text are broken up by a blank: evidence cannot end a turn.
    Decoding is greedy, and the model's own generation settings (penalties, sampling) are not used. A prompt
    is computed with whatever else waits: the batch changes the order of floating-point sums, which can turn a
    near tie, in half precision more easily; with ``batch_size: 1`` a completion depends on the prompt alone.

    Args:
        model: a folder with config.json, safetensors and tokenizer, or a hub name.
        device: null for cuda if there is one, else cpu.
        dtype: ``float32``, ``bfloat16`` or ``float16``; null for bfloat16 on a CUDA device that has it, else float32.
        batch_size: prompts computed at once, and calls that may be in flight.
        max_wait_s: how long a batch waits for more prompts.
        context_tokens: prompt and completion together; null for what the model's config says.
        answer_form: ``text`` or ``letter``.
        enable_thinking: handed to the chat template; null leaves it to the template.

    Raises:
        ConfigError: an option is out of range.
    """

    uses_cores = True

    def __init__(
        self,
        *,
        model: str,
        device: str | None = None,
        dtype: str | None = None,
        batch_size: int = 8,
        max_wait_s: float = 0.02,
        context_tokens: int | None = None,
        answer_form: AnswerForm = "text",
        enable_thinking: bool | None = None,
    ) -> None:
        if not model:
            raise ConfigError("transformers reasoner: model is empty; give a folder or a hub name.")
        if dtype is not None and dtype not in DTYPES:
            raise ConfigError(f"transformers reasoner: dtype is {dtype!r}; say one of {', '.join(DTYPES)}, or null.")
        if batch_size < 1:
            raise ConfigError(f"transformers reasoner: batch_size is {batch_size}; it must be at least 1.")
        if max_wait_s < 0:
            raise ConfigError(f"transformers reasoner: max_wait_s is {max_wait_s}; it must not be negative.")
        if context_tokens is not None and context_tokens < 1:
            raise ConfigError(f"transformers reasoner: context_tokens is {context_tokens}; it must be at least 1.")
        if answer_form not in get_args(AnswerForm):
            raise ConfigError(f"transformers reasoner: answer_form is {answer_form!r}; say text or letter.")
        self._chat = ChatModel(
            model,
            device=device,
            dtype=dtype,
            context_tokens=context_tokens,
            answer_form=answer_form,
            enable_thinking=enable_thinking,
        )
        self.model = self._chat.name
        self.context_tokens = self._chat.context_tokens
        self.batch_size = self.max_connections = batch_size
        self.max_wait_s = max_wait_s
        self.answer_form = answer_form
        self.enable_thinking = enable_thinking
        self._lock = threading.Lock()  # the queue, the worker and the monitor
        self._queue: queue.SimpleQueue[Row | None] | None = None
        self._worker: threading.Thread | None = None
        self._identity: dict[str, Any] | None = None
        self.monitor.limit = batch_size

    def complete(self, prompt: Prompt) -> Completion:
        """Complete a prompt, together with those that other threads and tasks ask for at this time.

        Raises:
            ReasonerError: the batch could not be computed, or the choices cannot be told apart.
            ReasonerUnusableError: the model cannot be loaded.
            ContextTooLongError: prompt and completion do not fit into the context.
        """
        return self._submit(prompt).result()

    async def acomplete(self, prompt: Prompt) -> Completion:
        """Complete a prompt without a thread of its own: see :meth:`complete`."""
        return await asyncio.wrap_future(self._submit(prompt))

    def count_tokens(self, prompt: Prompt) -> int:
        """Return how many tokens of the context a prompt takes; loads the tokenizer, not the model."""
        return len(self._encode(prompt))

    def reply_tokens(self, prompt: Prompt) -> int:
        """Return how many tokens of the context a reply may take: a choice is not cut at ``max_tokens``."""
        return max(prompt.max_tokens, self._chat.guide(prompt).longest if prompt.choices else 0)

    def identity(self) -> dict[str, Any]:
        """Return the model by its fingerprint, the libraries and what else decides a completion."""
        if self._identity is None:
            self._identity = {
                "type": "transformers",
                "protocol": PROTOCOL,
                "model": self.model,
                "fingerprint": self._chat.fingerprint(),
                "dtype": self._chat.device_and_dtype()[1],
                "temperature": 0,
                "enable_thinking": self.enable_thinking,
                "answer_form": self.answer_form,
                "torch": importlib.metadata.version("torch"),
                "transformers": importlib.metadata.version("transformers"),
            }
        return dict(self._identity)

    def close(self) -> None:
        """Complete what waits, then free model and worker; a later call loads the model again."""
        with self._lock:
            waiting, worker = self._queue, self._worker
            self._queue = self._worker = None
            if waiting is not None:
                waiting.put(None)
        if worker is not None:
            worker.join()
        self._chat.free()

    # -- the queue and its worker ------------------------------------------------------------------

    def _submit(self, prompt: Prompt) -> Future[Completion]:
        row = Row(prompt, Future(), time.perf_counter())
        with self._lock:
            if self._queue is None:
                self._queue = queue.SimpleQueue()
                # A daemon: an interpreter that ends without close() shall not wait for it.
                self._worker = threading.Thread(
                    target=self._work, args=(self._queue,), name="transformers-reasoner", daemon=True
                )
                self._worker.start()
            self.monitor.in_flight += 1
            self._queue.put(row)
        row.future.add_done_callback(self._landed)
        return row.future

    def _landed(self, future: Future[Completion]) -> None:
        with self._lock:
            self.monitor.in_flight -= 1

    def _work(self, waiting: queue.SimpleQueue[Row | None]) -> None:
        last = False
        while not last:
            rows, last = self._next_batch(waiting)
            rows = [row for row in rows if row.future.set_running_or_notify_cancel()]
            ready = [row for row in rows if self._prepared(row)]
            if ready:
                self._answer(ready)

    def _next_batch(self, waiting: queue.SimpleQueue[Row | None]) -> tuple[list[Row], bool]:
        """Return the rows of the next batch, and whether it is the last one."""
        rows: list[Row] = []
        row = waiting.get()
        until_s = time.monotonic() + self.max_wait_s
        with contextlib.suppress(queue.Empty):
            while row is not None:
                rows.append(row)
                if len(rows) == self.batch_size:
                    break
                row = waiting.get(timeout=max(0.0, until_s - time.monotonic()))
        return rows, row is None

    def _encode(self, prompt: Prompt) -> list[int]:
        tokens = self._chat.encode(prompt)
        self.context_tokens = self._chat.context_tokens  # of a hub name it is known from here on
        return tokens

    def _prepared(self, row: Row) -> bool:
        """Encode a row and check that it fits; one that doesn't keeps none of the others from their completion."""
        try:
            row.tokens = self._encode(row.prompt)
            row.guide = self._chat.guide(row.prompt) if row.prompt.choices else None
            row.n_new = self.reply_tokens(row.prompt)
            if self.context_tokens is not None and len(row.tokens) + row.n_new > self.context_tokens:
                raise ContextTooLongError(
                    f"A prompt of {len(row.tokens)} tokens and {row.n_new} to generate exceed the context of "
                    f"{self.context_tokens} tokens of {self.model}. Raise model.reasoner.context_tokens if the model "
                    "can read more, or let experts write less (fewer experts, frames or lines).",
                    limit_tokens=self.context_tokens,
                    prompt_tokens=len(row.tokens),
                )
        except LavisError as error:
            row.future.set_exception(error)
        except Exception as error:
            row.future.set_exception(ReasonerError(f"{self.model} could not encode a prompt: {said(error)}"))
        return not row.future.done()

    def _answer(self, rows: Sequence[Row]) -> None:
        """Complete a batch; one that is too large for the device's memory is halved."""
        failure = self._attempt(rows)
        if failure is None:
            return
        # Here, and not where it was caught: a traceback holds on to the batch's tensors.
        if failure.out_of_memory and len(rows) > 1:
            log.warning("%s: a batch of %d does not fit into memory; it is halved", self.model, len(rows))
            self._answer(rows[: len(rows) // 2])
            self._answer(rows[len(rows) // 2 :])
            return
        for row in rows:
            row.future.set_exception(failure.error)

    def _attempt(self, rows: Sequence[Row]) -> _Failure | None:
        """Generate for a batch and hand out the completions; return what was wrong, if anything was."""
        try:
            completions = self._chat.generate(rows)
        except LavisError as error:
            return _Failure(error)
        except Exception as error:
            if "OutOfMemory" not in type(error).__name__:
                return _Failure(
                    ReasonerError(f"{self.model} could not complete a batch of {len(rows)} prompts: {said(error)}")
                )
            told = (
                f"The device's memory does not suffice for {self.model} and a prompt of {len(rows[0].tokens)} tokens. "
                "Let experts write less, or choose a smaller model, or another model.reasoner.dtype or device."
            )
            return _Failure(ReasonerError(told), out_of_memory=True)
        for row, completion in zip(rows, completions, strict=True):
            row.future.set_result(completion)
        return None
