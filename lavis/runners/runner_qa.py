"""The runner ``runner_qa``: asks every question once, on any number of ranks, and survives being killed."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from lavis.common import dist_utils
from lavis.common.errors import ConfigError, LavisError
from lavis.common.paths import cache_root
from lavis.common.registry import registry
from lavis.common.secrets import RedactingFormatter, redact
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.datasets.question import Question
from lavis.models.mexa_models.answer import Answer
from lavis.models.mexa_models.mexa_aggregator import MexaAggregator
from lavis.models.mexa_models.workbench import Workbench
from lavis.report import write_report
from lavis.runners.assignment import assign, chosen_indices
from lavis.runners.outputs import project_root
from lavis.runners.progress import Progress
from lavis.runners.run_folder import RunFolder, open_run_folder
from lavis.store import CompletionCache, EvidenceStore, Journal, JournalReader
from lavis.store.entry_files import write_atomically
from lavis.tasks.mexa_qa import MexaQATask

logger = logging.getLogger(__name__)

# Questions handed to the pool beyond those being asked, so that no thread waits for the loop.
QUEUED_PER_CONNECTION = 2
POLL_S = 0.2


@registry.register_runner("runner_qa")
class RunnerQA:
    """Runs a question-answering task over ``run.test_splits``.

    Ranks agree on the run's folder, then work without talking: each journals its own questions and
    says when it is done; rank 0 waits for all and derives results and metrics from the journals.
    """

    def __init__(
        self, cfg: Any, task: MexaQATask, model: MexaAggregator, datasets: dict[str, dict[str, Any]], job_id: str
    ) -> None:
        self.config = cfg
        self.run_cfg = cfg.run_cfg
        self.task = task
        self.model = model
        self.datasets = datasets
        self.job_id = job_id
        self.rank = dist_utils.get_rank()
        self.world_size = dist_utils.get_world_size()

    def train(self) -> None:
        """MEXA is not trained.

        Raises:
            ConfigError: always; says what to run instead.
        """
        raise ConfigError(f"Task {self.run_cfg.get('task')!r} trains nothing; run evaluate.py.")

    def evaluate(self, cur_epoch: str = "best", skip_reload: bool = True) -> dict[str, Any] | None:
        """Answer and score every split of ``run.test_splits``.

        Returns:
            ``{split: metrics}`` on rank 0, None elsewhere.

        Raises:
            LavisError: the run cannot go on; what was journaled is safe.
        """
        folder = self._open_folder()
        start = time.monotonic()
        try:
            for split, dataset in self._splits():
                self.task.metrics_for(dataset)  # an unknown metric must not be found out after the work
                self._answer_split(split, dataset, folder)
            write_atomically(folder.done(self.rank), "")
        except BaseException as error:
            write_failure(folder.failed(self.rank), error)
            raise
        finally:
            self.model.close()
        if self.rank != 0:
            return None
        self._wait_for_ranks(folder)
        journals = JournalReader(folder.journal)
        metrics = {
            split: self.task.write_results(folder.result(split), self._rows(split, dataset, journals), dataset)
            for split, dataset in self._splits()
        }
        timing = {"wall_s": round(time.monotonic() - start, 3), "world_size": self.world_size}
        write_atomically(folder.metrics, json.dumps({**metrics, "timing": timing}, indent=2, ensure_ascii=False) + "\n")
        rows = {split: self._rows(split, dataset, journals) for split, dataset in self._splits()}
        report = write_report(folder.root / "report", f"{self.run_cfg.task}, run {folder.root.name}", metrics, rows)
        self._show(metrics, folder)
        logger.info("report %s", report)
        return metrics

    # -- set-up --------------------------------------------------------------------------------

    def _open_folder(self) -> RunFolder:
        # An absolute output_dir stays as it is.
        output_dir = project_root() / Path(self.run_cfg.get("output_dir") or "output").expanduser()
        folder: RunFolder | None = None
        problem = ""
        if self.rank == 0:
            run_id = str(self.run_cfg.get("run_id") or self.job_id)
            try:
                folder = open_run_folder(output_dir, run_id, self._plain_config())
            except (LavisError, OSError) as error:
                problem = str(error)
        folder, problem = dist_utils.broadcast_object((folder, problem))
        if folder is None:
            raise ConfigError(problem)
        if self.rank == 0:
            handler = logging.FileHandler(folder.root / "log.txt")
            handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
            logging.getLogger().addHandler(handler)
            logger.info("run folder %s, %d rank(s)", folder.root, self.world_size)
        return folder

    def _plain_config(self) -> dict[str, Any]:
        plain: dict[str, Any] = OmegaConf.to_container(self.config.config, resolve=True)
        return {key: plain[key] for key in ("model", "datasets", "run") if key in plain}

    def _splits(self) -> Iterator[tuple[str, QuestionDataset]]:
        if len(self.datasets) != 1:
            raise ConfigError(f"A run asks one data set; datasets names {', '.join(self.datasets) or 'none'}.")
        (name, splits), *_ = self.datasets.items()
        for split in self.run_cfg.get("test_splits") or ["test"]:
            if split not in splits:
                raise ConfigError(f"run.test_splits: {name} has no split {split!r}. There: {', '.join(splits)}.")
            if not isinstance(splits[split], QuestionDataset):
                raise ConfigError(f"{name} does not state its records as questions, which task mexa_qa needs.")
            yield split, splits[split]

    def _bench(self, folder: RunFolder, dataset: QuestionDataset) -> Workbench:
        kept = Path(self.run_cfg.get("evidence_dir") or cache_root())
        return Workbench(
            store=EvidenceStore(kept / "evidence"),
            completions=CompletionCache(kept / "completions") if self.run_cfg.get("completion_cache", True) else None,
            marker=folder.marker,
            missing_media=self.run_cfg.get("missing_media", "error"),
            vocabulary=dataset.answer_vocabulary,
            examples=dataset.answer_examples,
            loader_options=dataset.loader_options,
        )

    def _indices(self, dataset: QuestionDataset) -> list[int]:
        return chosen_indices(len(dataset), self.run_cfg.get("limit"), spread=bool(self.run_cfg.get("spread", False)))

    def _rows(self, split: str, dataset: QuestionDataset, journals: JournalReader) -> Iterator[tuple[Question, Answer]]:
        """Yield every asked question with its journaled answer, in the data set's order."""
        indices = self._indices(dataset)
        records = journals.records(question_key(split, dataset.question_id(index)) for index in indices)
        for index, record in zip(indices, records, strict=True):
            yield dataset.question(index), Answer.from_json(record["answer"])

    # -- the work --------------------------------------------------------------------------------

    def _answer_split(self, split: str, dataset: QuestionDataset, folder: RunFolder) -> None:
        indices = self._indices(dataset)
        positions = assign([dataset.media_id(index) for index in indices], self.world_size)[self.rank]
        mine = [indices[position] for position in positions]
        journaled = JournalReader(folder.journal)
        todo = [index for index in mine if question_key(split, dataset.question_id(index)) not in journaled]
        progress = Progress(len(mine), kept=len(mine) - len(todo))
        bench = self._bench(folder, dataset)
        journal = Journal(folder.journal, self.rank)

        def work(index: int) -> None:
            question = dataset.question(index)
            progress.started()
            answer = self.task.answer(self.model, question, bench)
            journal.append(
                redact(
                    {
                        "key": question_key(split, question.question_id),
                        "answer": answer.to_json(),
                        "rank": self.rank,
                        "finished_at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
                    }
                )
            )
            completion = answer.completion
            progress.ended(
                status=answer.status,
                attempts=completion.attempts if completion else 1,
                usd=completion.usage.usd if completion else None,
            )

        try:
            _for_each(work, todo, self.model.reasoner.max_connections)
        finally:
            journal.close()
            progress.close()

    def _wait_for_ranks(self, folder: RunFolder) -> None:
        """Wait until every rank has said that it is done.

        Raises:
            LavisError: a rank said that it failed.
        """
        waiting = set(range(self.world_size))
        while waiting:
            for rank in sorted(waiting):
                if folder.failed(rank).exists():
                    raise LavisError(f"Rank {rank} failed: {folder.failed(rank).read_text(encoding='utf-8')}")
                if folder.done(rank).exists():
                    waiting.discard(rank)
            if waiting:
                time.sleep(POLL_S)

    def _show(self, metrics: dict[str, Any], folder: RunFolder) -> None:
        for split, scores in metrics.items():
            named = {name: value for name, value in scores.items() if isinstance(value, float)}
            logger.info(
                "%s: n=%d, answered %d, unparsed %d, failed %d; %s (%%)",
                split,
                scores["n"],
                scores["answered"],
                scores["unparsed"],
                scores["failed"],
                ", ".join(f"{name} {value:.2f}" for name, value in named.items()),
            )
        logger.info("results %s, metrics %s", folder.root / "result", folder.metrics)


def question_key(split: str, question_id: str) -> str:
    """Return what a journal calls a question."""
    return f"{split}:{question_id}"


def write_failure(path: Path, error: BaseException) -> None:
    """Say why a rank stopped, as far as there is room to say it."""
    try:
        write_atomically(path, str(redact(f"{type(error).__name__}: {error}")))
    except OSError:
        logger.exception("could not write %s", path)


def _for_each(work: Any, items: Sequence[int], connections: int) -> None:
    """Do work on every item, ``connections`` at once; the first exception ends it."""
    if connections <= 1:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(connections, thread_name_prefix="question") as pool:
        pending: set[Future[None]] = set()
        try:
            for item in items:
                pending.add(pool.submit(work, item))
                if len(pending) >= connections * QUEUED_PER_CONNECTION:
                    finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                    for future in finished:
                        future.result()
            for future in pending:
                future.result()
        finally:
            for future in pending:
                future.cancel()
