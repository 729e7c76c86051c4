"""The panel: the configured experts, and their evidence on a question's medium."""

from __future__ import annotations

import asyncio
import functools
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from lavis.common.cores import usable_cores
from lavis.common.errors import ModalityError
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.question import Media, Question
from lavis.experts.base import Expert
from lavis.experts.evidence import Evidence
from lavis.models.mexa_models.workbench import Workbench
from lavis.store.evidence_store import EvidenceKey

# Media held open at once in a process; their arrays are what costs memory.
OPEN_MEDIA = 4

Result = TypeVar("Result")


class Panel:
    """Gathers evidence: from the store where it lies there, from the experts where not.

    Experts look in threads, as many at once as this process has cores, and at one medium one after
    another; whoever asks for evidence that is being made waits for it.

    Args:
        experts: name to (expert, its options in the configuration).
        n_frames: frames looked at per clip.
        n_workers: experts that look at once; None for this process's share of the cores.
    """

    def __init__(
        self, experts: Mapping[str, tuple[Expert, dict[str, Any]]], *, n_frames: int, n_workers: int | None = None
    ) -> None:
        self.experts = dict(experts)
        self.n_frames = n_frames
        self.n_workers = n_workers or usable_cores()
        self._readers: OrderedDict[str, MediaReader] = OrderedDict()
        self._media = _MediumLocks()
        # Who is looking for the evidence of a key, and the question whose turn it was.
        self._looking: dict[EvidenceKey, tuple[asyncio.Task[Evidence], str]] = {}

    def available(self, question: Question) -> list[Expert]:
        """Return the experts that the question's medium can feed, in the configuration's order."""
        return [expert for expert, _ in self.experts.values() if not expert.missing_needs(question)]

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
        card = self.experts[name][0].card
        if card.question_aware:
            return 0
        return 1 if card.needs else 2

    async def with_reader(self, question: Question, bench: Workbench, work: Callable[[MediaReader], Result]) -> Result:
        """Do work in a thread on the question's opened medium, which nobody else reads meanwhile."""
        async with self._media.of(question.media.media_id):
            reader = self._reader(question.media, bench)
            return await self._in_thread(lambda: work(reader))

    def close(self) -> None:
        """End the threads."""
        if "_threads" in self.__dict__:
            self._threads.shutdown(wait=False, cancel_futures=True)
            del self.__dict__["_threads"]

    @functools.cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.n_workers, thread_name_prefix="expert")

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def key(self, name: str, question: Question, bench: Workbench) -> EvidenceKey:
        """Return where the evidence of an expert on a question's medium is kept."""
        expert, options = self.experts[name]
        reading = {"n_frames": self.n_frames, "loaders": dict(bench.loader_options)}
        make = functools.partial(bench.store.key, expert, options, reading, question)
        # A fingerprint lists folders, which may lie on a slow file system.
        return make() if bench.store.knows(question.media, expert.card.modality) else await self._in_thread(make)

    async def _evidence(self, name: str, key: EvidenceKey, question: Question, bench: Workbench) -> Evidence:
        if key not in self._looking:
            task = asyncio.get_running_loop().create_task(self._fetch(name, key, question, bench))
            self._looking[key] = (task, question.question_id)
            task.add_done_callback(lambda done: self._forget(key, done))
        task, asker = self._looking[key]
        try:
            # A question that is given up must not take the evidence from the others that wait for it.
            return await asyncio.shield(task)
        except ModalityError as error:
            # Whose turn it was depends on the moment; the record must not.
            told = str(error).replace(f"Question {asker}:", f"Question {question.question_id}:", 1)
            if bench.missing_media == "error":
                raise ModalityError(told) from error
            card = self.experts[name][0].card
            return Evidence(name, question.media.media_id, "", card.version, error=told)

    def _forget(self, key: EvidenceKey, done: asyncio.Task[Evidence]) -> None:
        self._looking.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waited has it; nobody else need be told

    async def _fetch(self, name: str, key: EvidenceKey, question: Question, bench: Workbench) -> Evidence:
        expert = self.experts[name][0]

        def look(reader: MediaReader) -> Evidence:
            evidence = bench.store.get(key)
            if evidence is None:
                evidence = expert.look(question, reader)
                bench.store.put(key, evidence)
            return evidence

        return await self.with_reader(question, bench, look)

    def _reader(self, media: Media, bench: Workbench) -> MediaReader:
        reader = self._readers.pop(media.media_id, None)
        if reader is None or reader.media.sources != media.sources:
            reader = MediaReader(media, n_frames=self.n_frames, modalities=dict(bench.loader_options))
        self._readers[media.media_id] = reader
        while len(self._readers) > OPEN_MEDIA:
            self._readers.popitem(last=False)
        return reader


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
