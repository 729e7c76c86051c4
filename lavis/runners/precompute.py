"""Evidence ahead of a run: every expert looks at every medium that a run would ask about, and nobody answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lavis.common import event_loop
from lavis.common.errors import RunStoppedError
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.datasets.question import Question
from lavis.models.mexa_models.panel import Panel
from lavis.models.mexa_models.workbench import Workbench
from lavis.reasoners.ledger import Ledger
from lavis.runners.pipeline import for_each
from lavis.runners.rank_work import GRACE_S
from lavis.runners.runner_qa import RunnerQA
from lavis.runners.signals import signalled
from lavis.store.evidence_shards import write_shards
from lavis.store.evidence_store import EvidenceKey

logger = logging.getLogger(__name__)

LOG_EVERY_S = 60.0


class Precompute:
    """Fills the evidence store for one rank's media, and packs what it holds.

    Args:
        runner: knows the data, the panel and the settings of the run.
        question_aware: also the evidence that depends on a question's words.
    """

    def __init__(self, runner: RunnerQA, *, question_aware: bool = False) -> None:
        self.runner = runner
        self.panel: Panel = runner.model.panel
        self.question_aware = question_aware
        self.stopping = asyncio.Event()
        self.looked = 0
        self.failures: dict[str, int] = {}

    def run(self, shards: Path | None) -> list[Path]:
        """Look at this rank's media, and pack the evidence into shards if a folder is named.

        Returns:
            The shards that were written.

        Raises:
            ModalityError: a medium cannot be read, and ``run.missing_media`` is ``error``.
            RunStoppedError: asked to stop by SIGTERM; what was looked at is kept.
        """
        written: list[Path] = []
        with signalled(on_stop=self._stop, on_ask=self._say):
            for split, dataset in self.runner.splits():
                bench = self.runner.bench(dataset, "", Ledger())
                if not event_loop.run(self._look(split, dataset, bench)):
                    raise RunStoppedError(f"Stopped after {self.looked} questions' media; start again to go on.")
                if shards is not None:
                    written += self._pack(shards, split, event_loop.run(self._entries(dataset, bench)))
        for reason, count in sorted(self.failures.items()):
            logger.warning("%d × %s", count, reason)
        return written

    def _pack(self, shards: Path, split: str, entries: Iterator[tuple[str, dict[str, Any]]]) -> list[Path]:
        """Write this rank's shards; those that another number of ranks left would hold older evidence."""
        group = f"of{self.runner.world_size}"
        if self.runner.rank == 0:
            for old in shards.glob(f"{split}-rank*of*-*.tar"):
                if f"{group}-" not in old.name:
                    old.unlink()
        return write_shards(shards, f"{split}-rank{self.runner.rank}{group}", entries)

    def _questions(self, dataset: QuestionDataset) -> Iterator[Question]:
        indices = self.runner.indices(dataset)
        for position in self.runner.shares(dataset)[self.runner.rank]:
            yield dataset.question(indices[position]).blind()

    def _names(self, question: Question) -> list[str]:
        cards = [expert.card for expert in self.panel.available(question)]
        return [card.name for card in cards if self.question_aware or not card.question_aware]

    async def _look(self, split: str, dataset: QuestionDataset, bench: Workbench) -> bool:
        indices, mine = self.runner.indices(dataset), self.runner.shares(dataset)[self.runner.rank]
        shown = start = time.monotonic()

        async def look(position: int) -> None:
            nonlocal shown
            question = dataset.question(indices[position]).blind()
            for evidence in await self.panel.gather(self._names(question), question, bench):
                if evidence.error:
                    self.failures[evidence.error] = self.failures.get(evidence.error, 0) + 1
            self.looked += 1
            if time.monotonic() - shown > LOG_EVERY_S or self.looked == len(mine):
                shown = time.monotonic()
                rate_hz = self.looked / max(shown - start, 1e-9)
                logger.info(
                    "%s: the media of %d of %d questions looked at, %.1f/s", split, self.looked, len(mine), rate_hz
                )

        asking = sum(reasoner.max_connections for reasoner in self.panel.reasoners)
        in_flight = 2 * self.panel.n_workers + asking
        return await for_each(look, mine, in_flight=in_flight, stop=self.stopping, grace_s=GRACE_S)

    async def _entries(self, dataset: QuestionDataset, bench: Workbench) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return (portable key, entry) of every piece of evidence that this rank's questions use, once each."""
        keys: dict[EvidenceKey, None] = {}
        for question in self._questions(dataset):
            for name in self._names(question):
                keys.setdefault(await self.panel.key(name, question, bench))
        kept = ((key.portable, bench.store.get(key)) for key in keys)
        return ((portable, evidence.to_json()) for portable, evidence in kept if evidence is not None)

    def _stop(self) -> None:
        event_loop.process_loop().call_soon_threadsafe(self.stopping.set)

    def _say(self) -> None:
        logger.warning("the media of %d questions looked at", self.looked)


def without_reasoner(config: Any) -> None:
    """Let a configuration be built without a key, a server or a model: nobody is going to be asked."""
    config.model.reasoner = {"type": "scripted"}
    config.model.selector = {"type": "all"}
