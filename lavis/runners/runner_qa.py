"""The runner ``runner_qa``: asks every question once, on any number of ranks, and survives being killed."""

from __future__ import annotations

import json
import logging
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from omegaconf import OmegaConf

from lavis.common import dist_utils, event_loop
from lavis.common.errors import ConfigError, LavisError, RunStoppedError
from lavis.common.paths import cache_root
from lavis.common.registry import registry
from lavis.common.secrets import RedactingFormatter, redact
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.datasets.question import Question
from lavis.models.mexa_models.answer import Answer
from lavis.models.mexa_models.mexa_aggregator import MexaAggregator
from lavis.models.mexa_models.workbench import MissingMedia, Workbench
from lavis.reasoners.base import Usage
from lavis.reasoners.ledger import Budget, Ledger
from lavis.report import write_report
from lavis.runners.assignment import assign, chosen_indices
from lavis.runners.garbage import little_garbage_collection
from lavis.runners.lease import Lease
from lavis.runners.outputs import project_root
from lavis.runners.peers import Peers
from lavis.runners.rank_work import RankWork, question_key
from lavis.runners.run_folder import RunFolder, open_run_folder
from lavis.runners.signals import signalled
from lavis.store import CompletionCache, EvidenceShards, EvidenceStore, JournalReader
from lavis.store.entry_files import write_atomically
from lavis.tasks.mexa_qa import MexaQATask

logger = logging.getLogger(__name__)


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
        self.budget = read_budget(self.run_cfg.get("budget"))
        self._log: logging.FileHandler | None = None

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
            RunStoppedError: the run was asked to stop or its budget is spent; it can be resumed.
            LavisError: the run cannot go on; what was journaled is safe.
        """
        start = time.monotonic()
        for _, dataset in self.splits():
            self.task.metrics_for(dataset)  # an unknown metric must not be found out after the work
        for reasoner in self.model.reasoners:
            Ledger(self.model.prices, self.budget).check(reasoner.model)
            reasoner.prepare()
            reasoner.take_share(self.rank, self.world_size)
        folder, lease = self._open_folder()
        work = RankWork(self.task, self.model, Peers(folder, self.rank, self.world_size), folder, self.run_cfg)
        try:
            with work.peers.showing(), signalled(on_stop=work.stop, on_ask=work.say_where):
                with little_garbage_collection():
                    self._answer(work, folder)
                if self.rank != 0:
                    return None
                event_loop.run(work.peers.wait_for_all(work.stopping))
                return self._conclude(folder, work, start)
        finally:
            self.model.close()
            if lease is not None:
                lease.give_back()
            self._close_log()

    # -- set-up --------------------------------------------------------------------------------

    def _open_folder(self) -> tuple[RunFolder, Lease | None]:
        # An absolute output_dir stays as it is.
        output_dir = project_root() / Path(self.run_cfg.get("output_dir") or "output").expanduser()
        folder: RunFolder | None = None
        lease: Lease | None = None
        problem = ""
        if self.rank == 0:
            run_id = str(self.run_cfg.get("run_id") or self.job_id)
            try:
                folder, lease = open_run_folder(output_dir, run_id, self._plain_config())
            except (LavisError, OSError) as error:
                problem = str(error)
        folder, problem = dist_utils.broadcast_object((folder, problem))
        if folder is None:
            raise ConfigError(problem)
        if self.rank == 0:
            self._log = logging.FileHandler(folder.root / "log.txt")
            self._log.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
            logging.getLogger().addHandler(self._log)
            logger.info("run folder %s, %d rank(s)", folder.root, self.world_size)
        return folder, lease

    def _close_log(self) -> None:
        """Write no more into the run's log: another run of this process has its own."""
        if self._log is not None:
            logging.getLogger().removeHandler(self._log)
            self._log.close()
            self._log = None

    def _plain_config(self) -> dict[str, Any]:
        plain: dict[str, Any] = OmegaConf.to_container(self.config.config, resolve=True)
        return {key: plain[key] for key in ("model", "datasets", "run") if key in plain}

    def splits(self) -> Iterator[tuple[str, QuestionDataset]]:
        """Yield the splits that are asked, with their data sets.

        Raises:
            ConfigError: there is not exactly one data set, it has no such split, or it states no questions.
        """
        if len(self.datasets) != 1:
            raise ConfigError(f"A run asks one data set; datasets names {', '.join(self.datasets) or 'none'}.")
        (name, splits), *_ = self.datasets.items()
        for split in self.run_cfg.get("test_splits") or ["test"]:
            if split not in splits:
                raise ConfigError(f"run.test_splits: {name} has no split {split!r}. There: {', '.join(splits)}.")
            if not isinstance(splits[split], QuestionDataset):
                raise ConfigError(f"{name} does not state its records as questions, which task mexa_qa needs.")
            yield split, splits[split]

    def bench(self, dataset: QuestionDataset, marker: str, ledger: Ledger) -> Workbench:
        """Return what this run lends the model for a data set."""
        kept = Path(self.run_cfg.get("evidence_dir") or cache_root())
        packed = self.run_cfg.get("evidence_shards")
        return Workbench(
            store=EvidenceStore(kept / "evidence", EvidenceShards(Path(packed).expanduser()) if packed else None),
            completions=CompletionCache(kept / "completions") if self.run_cfg.get("completion_cache", True) else None,
            marker=marker,
            missing_media=read_missing_media(self.run_cfg.get("missing_media", "error")),
            vocabulary=dataset.answer_vocabulary,
            examples=dataset.answer_examples,
            loader_options=dataset.loader_options,
            ledger=ledger,
        )

    def indices(self, dataset: QuestionDataset) -> Any:
        """Return the indices of the questions that the run asks."""
        return chosen_indices(len(dataset), self.run_cfg.get("limit"), spread=bool(self.run_cfg.get("spread", False)))

    def shares(self, dataset: QuestionDataset) -> list[Any]:
        """Return for every rank the positions of its questions among :meth:`indices`."""
        indices = self.indices(dataset)
        return assign((dataset.media_id(index) for index in indices), self.world_size)

    # -- the work --------------------------------------------------------------------------------

    def _answer(self, work: RankWork, folder: RunFolder) -> None:
        """Answer this rank's questions, and leave word of how that ended."""
        try:
            for split, dataset in self.splits():
                journaled = JournalReader(folder.journal)
                indices, shares = self.indices(dataset), self.shares(dataset)
                ledger = Ledger(
                    self.model.prices,
                    self.budget.share(len(shares[self.rank]), len(indices)),
                    Usage(input_tokens=journaled.tokens, usd=journaled.usd).share(len(shares[self.rank]), len(indices)),
                )
                bench = self.bench(dataset, folder.marker, ledger)
                mine = array("q", (indices[position] for position in shares[self.rank]))
                work.answer(split, dataset, mine, bench, journaled)
            write_atomically(folder.done(self.rank), "")
        except BaseException as error:
            stopped = isinstance(error, RunStoppedError)
            write_failure(folder.stopped(self.rank) if stopped else folder.failed(self.rank), error)
            raise

    def _conclude(self, folder: RunFolder, work: RankWork, start: float) -> dict[str, Any]:
        """Derive results, metrics and report from the journals."""
        journals = JournalReader(folder.journal)
        metrics = {
            split: self.task.write_results(folder.result(split), self._rows(split, dataset, journals), dataset)
            for split, dataset in self.splits()
        }
        timing = {"wall_s": round(time.monotonic() - start, 3), "world_size": self.world_size, **work.timing()}
        write_atomically(folder.metrics, json.dumps({**metrics, "timing": timing}, indent=2, ensure_ascii=False) + "\n")
        rows = {split: self._rows(split, dataset, journals) for split, dataset in self.splits()}
        report = write_report(folder.root / "report", f"{self.run_cfg.task}, run {folder.root.name}", metrics, rows)
        self._show(metrics, folder)
        logger.info("report %s", report)
        return metrics

    def _rows(self, split: str, dataset: QuestionDataset, journals: JournalReader) -> Iterator[tuple[Question, Answer]]:
        """Yield every asked question with its journaled answer, in the data set's order."""
        indices = self.indices(dataset)
        records = journals.records(question_key(split, dataset.question_id(index)) for index in indices)
        for index, record in zip(indices, records, strict=True):
            yield dataset.question(index), Answer.from_json(record["answer"])

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


def read_budget(node: Any) -> Budget:
    """Read ``run.budget``.

    Raises:
        ConfigError: an unknown key, or a bound that is no number above 0.
    """
    given = dict(node or {})
    for name, value in given.items():
        if name not in ("max_usd", "max_tokens"):
            raise ConfigError(f"run.budget.{name}: known are max_usd and max_tokens.")
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0):
            raise ConfigError(f"run.budget.{name} is {value!r}; it is a number above 0, or null for no bound.")
    return Budget(**given)


def read_missing_media(given: Any) -> MissingMedia:
    """Read ``run.missing_media``.

    Raises:
        ConfigError: it is no such policy.
    """
    policies: tuple[MissingMedia, ...] = get_args(MissingMedia)
    for policy in policies:
        if given == policy:
            return policy
    raise ConfigError(f"run.missing_media is {given!r}; say {', '.join(policies)}.")


def write_failure(path: Path, error: BaseException) -> None:
    """Say why a rank ended, as far as there is room to say it."""
    try:
        write_atomically(path, str(redact(f"{type(error).__name__}: {error}")))
    except OSError:
        logger.exception("could not write %s", path)
