"""The panel: the configured experts, and their evidence on a question's medium."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from lavis.common.cores import usable_cores
from lavis.common.errors import (
    ConfigError,
    ExpertError,
    LavisError,
    ModalityError,
    ReasonerError,
    ReasonerUnusableError,
    RunStoppedError,
)
from lavis.datasets.loaders.reader import MediaReader, sampled_by
from lavis.datasets.question import Media, Question
from lavis.experts.base import Expert
from lavis.experts.evidence import Evidence
from lavis.experts.unfinished import Unfinished
from lavis.models.mexa_models.workbench import Workbench
from lavis.models.mexa_models.workers import HangingError, Workers
from lavis.reasoners.base import Completion, Prompt, Reasoner
from lavis.reasoners.ledger import MeteredReasoner
from lavis.store.evidence_store import EvidenceKey, is_sampled, looked_at

# Media held open at once in a process; their arrays are what costs memory.
OPEN_MEDIA = 4
# An hour of speech takes a small model on two cores some minutes.
TIMEOUT_S = 1800.0
# Looks that never returned; each of them still holds a thread and what it has in memory.
MAX_LOST = 8

Result = TypeVar("Result")

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Seat:
    """An expert of the panel, as configured.

    Attributes:
        expert: the expert.
        options: its own options in the configuration.
        timeout_s: how long a look may take; the medium's other experts wait meanwhile.
        max_chars: its evidence is cut after so many characters; None for what its card allows.
    """

    expert: Expert
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    timeout_s: float = TIMEOUT_S
    max_chars: int | None = None

    def __post_init__(self) -> None:
        where = f"model.experts.{self.expert.card.name}"
        if not self.timeout_s > 0:
            raise ConfigError(f"{where}.timeout_s: {self.timeout_s} s is no time; give more than 0.")
        if self.max_chars is not None and self.max_chars < 1:
            raise ConfigError(f"{where}.max_chars: {self.max_chars} leaves nothing; give 1 or more.")

    @property
    def deciding(self) -> dict[str, Any]:
        """What of the configuration decides the evidence."""
        return {**self.options, **({} if self.max_chars is None else {"max_chars": self.max_chars})}


class Panel:
    """Gathers evidence: from the store where it lies there, from the experts where not.

    Experts look in threads, as many at once as this process has cores, and at one medium one after
    another; whoever asks for evidence that is being made waits for it. An expert that asks a model does so
    when its medium is free again.

    Args:
        experts: in the configuration's order.
        n_frames: frames looked at per clip.
        n_workers: experts that look at once; None for this process's share of the cores.
    """

    def __init__(self, experts: Sequence[Seat], *, n_frames: int, n_workers: int | None = None) -> None:
        self.experts = {seat.expert.card.name: seat for seat in experts}
        self.n_frames = n_frames
        self.n_workers = n_workers or usable_cores()
        self._workers = Workers(self.n_workers)
        self._complained: set[tuple[str, type[BaseException]]] = set()
        self._readers: OrderedDict[str, MediaReader] = OrderedDict()
        self._media = _MediumLocks()
        # Who is looking for the evidence of a key, and the question whose turn it was.
        self._looking: dict[EvidenceKey, tuple[asyncio.Task[Evidence], str]] = {}
        # Looks that did not return; a medium's next question does not wait for the same again.
        self._hung: set[EvidenceKey] = set()

    def available(self, question: Question) -> list[Expert]:
        """Return the experts that the question's medium can feed, in the configuration's order."""
        return [seat.expert for seat in self.experts.values() if not seat.expert.missing_needs(question)]

    @property
    def reasoners(self) -> list[Reasoner]:
        """The models that experts ask, each once."""
        asked = [seat.expert.reasoner for seat in self.experts.values() if seat.expert.reasoner is not None]
        return list({id(reasoner): reasoner for reasoner in asked}.values())

    async def gather(self, names: Sequence[str], question: Question, bench: Workbench) -> list[Evidence]:
        """Return the evidence of some experts, in their order.

        Args:
            names: experts that the medium can feed.
            question: blind.
            bench: where evidence is kept, and what a medium that cannot be read means.

        Raises:
            ModalityError: a medium cannot be read, and ``bench.missing_media`` is ``error``.
        """
        found: dict[str, Evidence] = {}
        missing: dict[str, EvidenceKey] = {}
        for name in names:
            key = await self.key(name, question, bench)
            held = bench.store.held(key)
            if held is None:
                missing[name] = key
            else:
                found[name] = held
        looked = await asyncio.gather(*(self._evidence(name, key, question, bench) for name, key in missing.items()))
        found.update(zip(missing, looked, strict=True))
        return [found[name] for name in names]

    def breadth(self, name: str) -> int:
        """Return how many questions an expert's evidence serves: 2 all on a medium, 1 all of a pose, 0 one."""
        card = self.experts[name].expert.card
        if card.question_aware:
            return 0
        return 1 if card.needs else 2

    async def with_reader(
        self,
        question: Question,
        bench: Workbench,
        work: Callable[[MediaReader], Result],
        timeout_s: float | None = None,
    ) -> Result:
        """Do work in a thread on the question's opened medium, which nobody else reads meanwhile.

        Raises:
            HangingError: it took longer than ``timeout_s``.
        """
        async with self._media.of(question.media.media_id):
            reader = self._reader(question.media, bench)
            try:
                return await self._workers.run(lambda: work(reader), timeout_s=timeout_s)
            except (HangingError, asyncio.CancelledError):
                # A thread may still read from it: the next one opens the medium anew.
                self._readers.pop(question.media.media_id, None)
                raise

    def close(self) -> None:
        """End the threads."""
        self._workers.close()
        self._workers = Workers(self.n_workers)

    async def key(self, name: str, question: Question, bench: Workbench) -> EvidenceKey:
        """Return where the evidence of an expert on a question's medium is kept."""
        seat = self.experts[name]
        media, card = question.media, seat.expert.card
        # How another modality is read, and how many frames, must not make everybody look again.
        read = {media.serving(modality) for modality in looked_at(media, card)}
        reading: dict[str, Any] = {"loaders": {name: of for name, of in bench.loader_options.items() if name in read}}
        if is_sampled(media, card):
            reading["n_frames"] = self.n_frames
        make = functools.partial(bench.store.key, seat.expert, seat.deciding, reading, question)
        # A fingerprint lists folders, which may lie on a slow file system.
        return make() if bench.store.knows(media, card) else await self._workers.run(make)

    async def _evidence(self, name: str, key: EvidenceKey, question: Question, bench: Workbench) -> Evidence:
        if key not in self._looking:
            task = asyncio.get_running_loop().create_task(self._fetch(name, key, question, bench))
            self._looking[key] = (task, question.question_id)
            task.add_done_callback(lambda done: self._forget(key, done))
        task, asker = self._looking[key]
        try:
            # A question that is given up must not take the evidence from the others that wait for it.
            return await asyncio.shield(task)
        except (ModalityError, ExpertError) as error:
            # Whose turn it was depends on the moment; the record must not.
            told = str(error).replace(f"Question {asker}:", f"Question {question.question_id}:", 1)
            # A path's bytes may be no text; a journal can keep nothing else.
            told = told.encode("utf-8", "backslashreplace").decode("utf-8")
            if bench.missing_media == "error":
                raise type(error)(told) from error
            card = self.experts[name].expert.card
            return Evidence(name, question.media.media_id, "", card.version, error=told)

    def _forget(self, key: EvidenceKey, done: asyncio.Task[Evidence]) -> None:
        self._looking.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waited has it; nobody else need be told

    async def _fetch(self, name: str, key: EvidenceKey, question: Question, bench: Workbench) -> Evidence:
        seat = self.experts[name]
        if key in self._hung:
            raise _late(seat, question)

        def look(reader: MediaReader) -> Evidence | Unfinished:
            evidence = bench.store.get(key)
            if evidence is not None:
                return evidence
            begun = seat.expert.begin(question, reader, max_chars=seat.max_chars)
            if isinstance(begun, Evidence):
                bench.store.put(key, begun)
            return begun

        begun = await self._guarded(seat, question, key, self.with_reader(question, bench, look, seat.timeout_s))
        if isinstance(begun, Evidence):
            return begun

        async def ask(reasoner: Reasoner, prompt: Prompt) -> Completion:
            return await MeteredReasoner(reasoner, bench.ledger).acomplete(prompt)

        evidence = await self._guarded(seat, question, key, begun.finish(ask))
        await self._workers.run(lambda: bench.store.put(key, evidence))
        return evidence

    async def _guarded(self, seat: Seat, question: Question, key: EvidenceKey, look: Awaitable[Result]) -> Result:
        """Await what an expert does; whatever goes wrong in it alone becomes an ExpertError.

        Raises:
            ModalityError: the medium cannot be read.
            ExpertError: the expert raised, did not return in time, or could not ask its model.
            LavisError: nothing like it can succeed: weights that are not there, a wrong key, a budget that is spent.
        """
        name, where = seat.expert.card.name, _where(seat, question)
        try:
            return await look
        except HangingError as error:
            self._hung.add(key)
            if self._workers.n_lost >= MAX_LOST:
                raise RunStoppedError(
                    f"{where} {error}; {self._workers.n_lost} looks hang by now. Leave the expert out, or raise "
                    f"model.experts.{name}.timeout_s, and start again with the same run.run_id."
                ) from error
            raise _late(seat, question) from error
        except ReasonerUnusableError:
            raise
        except ReasonerError as error:
            raise ExpertError(f"{where} could not ask its model: {error}") from error
        except LavisError:
            raise
        # An expert may be anybody's code: one that fails, or that would leave the process, must not end the run.
        except (Exception, SystemExit) as error:
            if (name, type(error)) not in self._complained:
                self._complained.add((name, type(error)))
                logger.warning("%s raised; told once for %s:", where, type(error).__name__, exc_info=error)
            raise ExpertError(f"{where} raised {type(error).__name__}: {str(error)[:300]}") from error

    def _reader(self, media: Media, bench: Workbench) -> MediaReader:
        reader = self._readers.pop(media.media_id, None)
        opened = None if reader is None else (reader.media.sources, sampled_by(reader.media))
        if reader is None or opened != (media.sources, sampled_by(media)):
            reader = MediaReader(media, n_frames=self.n_frames, modalities=dict(bench.loader_options))
        self._readers[media.media_id] = reader
        while len(self._readers) > OPEN_MEDIA:
            self._readers.popitem(last=False)
        return reader


def _where(seat: Seat, question: Question) -> str:
    name, media_id = seat.expert.card.name, question.media.media_id
    return f"Question {question.question_id}: expert {name!r} on medium {media_id!r}"


def _late(seat: Seat, question: Question) -> ExpertError:
    return ExpertError(f"{_where(seat, question)} did not return within {seat.timeout_s:g} s.")


class _MediumLocks:
    """One lock a medium, for as long as somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def of(self, media_id: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(media_id, (asyncio.Lock(), 0))
        self._locks[media_id] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks.pop(media_id)
            if users > 1:
                self._locks[media_id] = (lock, users - 1)
