"""One rank's share of a run: its questions go through the model, many at once, and into its journal."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from lavis.common import event_loop
from lavis.common.errors import LavisError, RunStoppedError
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.models.mexa_models.mexa_aggregator import MexaAggregator
from lavis.models.mexa_models.workbench import Workbench
from lavis.runners.peers import Peers
from lavis.runners.pipeline import for_each
from lavis.runners.progress import Progress
from lavis.runners.run_folder import RunFolder
from lavis.store import Journal, JournalReader
from lavis.tasks.mexa_qa import MexaQATask

logger = logging.getLogger(__name__)

GRACE_S = 20.0
# Questions that have their evidence gathered while every connection is busy with others.
AHEAD_AT_LEAST = 4
# Fewer failures than this may each have a reason of their own.
ALL_FAILED = 20


class RankWork:
    """Answers one rank's questions, until they are done, something fails, or it is asked to stop.

    Args:
        task: answers a question.
        model: the aggregator.
        peers: the other ranks.
        folder: of the run.
        run_cfg: ``grace_s``, ``in_flight``, ``retry_failed``.
    """

    def __init__(self, task: MexaQATask, model: MexaAggregator, peers: Peers, folder: RunFolder, run_cfg: Any) -> None:
        self.task = task
        self.model = model
        self.peers = peers
        self.folder = folder
        self.grace_s = float(run_cfg.get("grace_s", GRACE_S))
        self.retry_failed = bool(run_cfg.get("retry_failed", True))
        self.in_flight = run_cfg.get("in_flight") or questions_in_flight(model)
        self.stopping = asyncio.Event()
        self._progress: Progress | None = None
        self._bench: Workbench | None = None
        self._cached_tokens = 0
        self._retries: Counter[str] = Counter()

    def stop(self) -> None:
        """Begin no further question; from a signal handler."""
        logger.warning(
            "asked to stop: no further question is begun; those in flight have %g s. Nothing finished is lost.",
            self.grace_s,
        )
        event_loop.process_loop().call_soon_threadsafe(self.stopping.set)

    def say_where(self) -> None:
        """Say where every question in flight is; from a signal handler."""
        lines = [] if self._bench is None else self._bench.stages.lines()
        state = [self._progress.line()] if self._progress is not None else []
        sys.stderr.write("\n".join([f"rank {self.peers.rank}:", *state, *(lines or ["no question in flight"]), ""]))
        sys.stderr.flush()

    def answer(
        self, split: str, dataset: QuestionDataset, mine: Sequence[int], bench: Workbench, journaled: JournalReader
    ) -> None:
        """Answer the questions that no journal has yet.

        Args:
            split: its name.
            dataset: states the questions.
            mine: the indices of this rank's questions.
            bench: what the run lends the model.
            journaled: what earlier starts finished.

        Raises:
            RunStoppedError: asked to stop, or the budget is spent.
            LavisError: the run cannot go on.
        """
        keys = (question_key(split, dataset.question_id(index)) for index in mine)
        left = journaled.unfinished(keys, failed_too=self.retry_failed)
        todo = array("q", itertools.compress(mine, left))
        progress = Progress(len(mine), kept=len(mine) - len(todo), reasoners=self.model.reasoners, ledger=bench.ledger)
        self._progress, self._bench = progress, bench
        journal = Journal(self.folder.journal, self.peers.rank)
        try:
            if not event_loop.run(self._answer(split, dataset, todo, bench, journal, progress)):
                raise RunStoppedError(
                    f"The run was asked to stop after {progress.kept + progress.finished} of this rank's "
                    f"{progress.total} questions; start again with the same run.run_id to go on."
                )
            self._refuse_if_nothing_worked(progress)
        finally:
            journal.close()
            progress.close()
            self._cached_tokens += bench.ledger.cached_tokens
            self._retries = progress.retries

    def timing(self) -> dict[str, Any]:
        """Return what belongs to this start and not to the results."""
        return {"cached_input_tokens": self._cached_tokens, "retries": dict(sorted(self._retries.items()))}

    async def _answer(
        self,
        split: str,
        dataset: QuestionDataset,
        todo: Sequence[int],
        bench: Workbench,
        journal: Journal,
        progress: Progress,
    ) -> bool:
        async def work(index: int) -> None:
            question = dataset.question(index)
            progress.started()
            try:
                answer = await self.task.aanswer(self.model, question, bench)
                bench.stages.enter(question.question_id, "journal")
                record = {
                    "key": question_key(split, question.question_id),
                    "status": answer.status,
                    "tokens": answer.tokens,
                    "usd": answer.usd,
                    "answer": answer.to_json(),
                    "rank": self.peers.rank,
                    "finished_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
                }
                await asyncio.wrap_future(journal.submit(record))
            finally:
                bench.stages.leave(question.question_id)
            progress.ended(answer.status)

        beside = [asyncio.create_task(self.peers.watch()), asyncio.create_task(progress.show())]
        working = asyncio.create_task(
            for_each(work, todo, in_flight=self.in_flight, stop=self.stopping, grace_s=self.grace_s)
        )
        try:
            await asyncio.wait([working, *beside], return_when=asyncio.FIRST_COMPLETED)
            for task in beside:
                if task.done():  # neither ends but by an error
                    task.result()
            return await working
        finally:
            working.cancel()
            for task in beside:
                task.cancel()
            await asyncio.gather(working, *beside, return_exceptions=True)

    def _refuse_if_nothing_worked(self, progress: Progress) -> None:
        """Raise if this start asked more than a few questions and every single one failed."""
        if progress.finished >= ALL_FAILED and progress.failed == progress.finished and not progress.kept:
            raise LavisError(
                f"All {progress.failed} questions of this rank failed; the reasons stand in {self.folder.journal}. "
                "Start again with the same run.run_id to ask them again."
            )


def questions_in_flight(model: MexaAggregator) -> int:
    """Return how many questions are worked on at once: those whose calls are in flight, and some ahead of them."""
    reasoner = model.reasoner
    asking = sum(one.max_connections for one in model.panel.reasoners if one is not reasoner and not one.uses_cores)
    if reasoner.uses_cores:  # what works ahead would take the cores from the model
        return reasoner.max_connections + asking
    return asking + max(2 * reasoner.max_connections, reasoner.max_connections + AHEAD_AT_LEAST)


def question_key(split: str, question_id: str) -> str:
    """Return what a journal calls a question."""
    return f"{split}:{question_id}"
