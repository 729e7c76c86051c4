"""The task ``mexa_qa``: answer the questions of a split and score the answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.datasets.question import Question
from lavis.models.mexa_models.answer import Answer
from lavis.models.mexa_models.mexa_aggregator import MexaAggregator
from lavis.models.mexa_models.workbench import Workbench
from lavis.reasoners.base import Usage
from lavis.store.entry_files import write_lines_atomically
from lavis.tasks.base_task import BaseTask
from lavis.tasks.metrics import Metric

STATUSES = ("answered", "unparsed", "failed")


@registry.register_task("mexa_qa")
class MexaQATask(BaseTask):
    """Asks the model question by question and scores by the data set's metrics.

    ``run.metrics`` names other metrics; the first is the headline.
    """

    default_runner: ClassVar[str] = "runner_qa"
    config_keys: ClassVar[frozenset[str]] = frozenset(
        {"metrics", "run_id", "limit", "spread", "evidence_dir", "completion_cache", "missing_media"}
    )

    def __init__(self, metrics: Sequence[str] | None = None) -> None:
        super().__init__()
        self.metric_names = None if metrics is None else tuple(metrics)
        for name in self.metric_names or ():
            registry.require("metric", name)

    @classmethod
    def setup_task(cls, **kwargs: Any) -> MexaQATask:
        """Build the task from the configuration."""
        return cls(metrics=kwargs["cfg"].run_cfg.get("metrics"))

    def metrics_for(self, dataset: QuestionDataset) -> list[Metric]:
        """Return the metrics of a data set, the headline first.

        Raises:
            ConfigError: neither ``run.metrics`` nor the data set names one.
        """
        names = self.metric_names or dataset.metrics
        if not names:
            raise ConfigError(f"{type(dataset).__name__} names no metrics; set run.metrics.")
        return [registry.require("metric", name) for name in names]

    def answer(self, model: MexaAggregator, question: Question, bench: Workbench) -> Answer:
        """Answer one question."""
        return model.answer(question, bench)

    def write_results(
        self, path: Path, answered: Iterable[tuple[Question, Answer]], dataset: QuestionDataset
    ) -> dict[str, Any]:
        """Write one row per question and return what they score.

        Rows hold nothing that depends on time, rank or attempt. One row is held at a time.

        Args:
            path: ``result/<split>.json``.
            answered: questions with their answers, in the data set's order.
            dataset: names the metrics.

        Returns:
            ``{metric: percent, n, answered, unparsed, failed, by_type, failures, usage}``.
        """
        metrics = self.metrics_for(dataset)
        tallies = [metric.tally() for metric in metrics]
        counts = dict.fromkeys(STATUSES, 0)
        failures: dict[str, int] = {}
        ledger = {"aggregator": _Ledger(), "selector": _Ledger()}

        def rows() -> Iterator[str]:
            for position, (question, answer) in enumerate(answered):
                scores = {}
                for metric, tally in zip(metrics, tallies, strict=True):
                    scores[metric.name] = metric.score(answer.text, question.answers)
                    tally.add(question, scores[metric.name])
                counts[answer.status] += 1
                if answer.error:
                    failures[answer.error] = failures.get(answer.error, 0) + 1
                ledger["selector"].add(answer.selection.usage)
                if answer.completion is not None:
                    ledger["aggregator"].add(answer.completion.usage)
                row = json.dumps(_row(question, answer, scores), ensure_ascii=False)
                yield f"{'[' if position == 0 else ','}\n{row}"
            yield "\n]\n" if sum(counts.values()) else "[]\n"

        write_lines_atomically(path, rows())
        summaries = {metric.name: tally.summary() for metric, tally in zip(metrics, tallies, strict=True)}
        return {
            **{name: summary.percent for name, summary in summaries.items()},
            "n": sum(counts.values()),
            **counts,
            "by_type": {
                name: {category: {"percent": percent, "n": n} for category, (percent, n) in summary.by_category.items()}
                for name, summary in summaries.items()
            },
            "failures": dict(sorted(failures.items())),
            "usage": {role: book.to_json() for role, book in ledger.items()},
        }


class _Ledger:
    """Sums tokens and USD of one role."""

    def __init__(self) -> None:
        self.calls = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.usd: float | None = None

    def add(self, usage: Usage) -> None:
        if usage.input_tokens == 0 and usage.output_tokens == 0:
            return
        self.calls += 1
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        if usage.usd is not None:
            self.usd = (self.usd or 0.0) + usage.usd

    def to_json(self) -> dict[str, Any]:
        return {
            "calls": self.calls,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "usd": self.usd,
        }


def _row(question: Question, answer: Answer, scores: dict[str, float]) -> dict[str, Any]:
    usage = answer.completion.usage if answer.completion is not None else Usage()
    return {
        "question_id": question.question_id,
        "answer": answer.text,
        "choice": answer.choice,
        "gold": list(question.answers),
        "status": answer.status,
        "scores": scores,
        "experts": list(answer.selection.experts),
        "absent": {item.expert: item.error for item in answer.evidence if item.error},
        "error": answer.error,
        "usage": {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "usd": usage.usd},
    }
