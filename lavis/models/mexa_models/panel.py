"""The panel: the configured experts, and their evidence on a question's medium."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from lavis.common.errors import ModalityError
from lavis.datasets.loaders.reader import MediaReader
from lavis.datasets.question import Media, Question
from lavis.experts.base import Expert
from lavis.experts.evidence import Evidence
from lavis.models.mexa_models.workbench import Workbench

# Media held open at once in a process; their arrays are what costs memory.
OPEN_MEDIA = 4


class Panel:
    """Gathers evidence: from the store where it lies there, from the experts where not.

    Args:
        experts: name to (expert, its options in the configuration).
        n_frames: frames looked at per clip.
    """

    def __init__(self, experts: Mapping[str, tuple[Expert, dict[str, Any]]], *, n_frames: int) -> None:
        self.experts = dict(experts)
        self.n_frames = n_frames
        self._readers: OrderedDict[str, MediaReader] = OrderedDict()
        self._locks = _KeyedLocks()

    def available(self, question: Question) -> list[Expert]:
        """Return the experts that the question's medium can feed, in the configuration's order."""
        return [expert for expert, _ in self.experts.values() if not expert.missing_needs(question)]

    def gather(self, names: Sequence[str], question: Question, bench: Workbench) -> list[Evidence]:
        """Return the evidence of some experts, in their order.

        Args:
            names: experts that the medium can feed.
            question: blind.
            bench: where evidence is kept, and what a medium that cannot be read means.

        Raises:
            ModalityError: a medium cannot be read, and ``bench.missing_media`` is ``error``.
        """
        found = []
        for name in names:
            try:
                found.append(self._evidence(name, question, bench))
            except ModalityError as error:
                if bench.missing_media == "error":
                    raise
                card = self.experts[name][0].card
                found.append(Evidence(name, question.media.media_id, "", card.version, error=str(error)))
        return found

    def breadth(self, name: str) -> int:
        """Return how many questions an expert's evidence serves: 2 all on a medium, 1 all of a pose, 0 one."""
        card = self.experts[name][0].card
        if card.question_aware:
            return 0
        return 1 if card.needs else 2

    def _evidence(self, name: str, question: Question, bench: Workbench) -> Evidence:
        expert, options = self.experts[name]
        store = bench.store
        reading = {"n_frames": self.n_frames, "loaders": dict(bench.loader_options)}
        key = store.key(expert, options, reading, question)
        kept = store.get(key)
        if kept is not None:
            return kept
        # One thread looks at a medium; whoever waited finds the evidence in the store.
        with self._locks.of(question.media.media_id):
            kept = store.get(key)
            if kept is None:
                kept = expert.look(question, self._reader(question.media, bench))
                store.put(key, kept)
        return kept

    def _reader(self, media: Media, bench: Workbench) -> MediaReader:
        reader = self._readers.pop(media.media_id, None)
        if reader is None or reader.media.sources != media.sources:
            reader = MediaReader(media, n_frames=self.n_frames, modalities=dict(bench.loader_options))
        self._readers[media.media_id] = reader
        while len(self._readers) > OPEN_MEDIA:
            self._readers.popitem(last=False)
        return reader


class _KeyedLocks:
    """One lock a key, for the keys that were used last."""

    def __init__(self, remembered: int = 64) -> None:
        self._guard = threading.Lock()
        self._locks: OrderedDict[str, threading.RLock] = OrderedDict()
        self._remembered = remembered

    def of(self, key: str) -> AbstractContextManager[bool]:
        with self._guard:
            lock = self._locks.setdefault(key, threading.RLock())
            self._locks.move_to_end(key)
            while len(self._locks) > self._remembered:
                self._locks.popitem(last=False)
            return lock
