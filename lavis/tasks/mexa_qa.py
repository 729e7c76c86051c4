"""The task ``mexa_qa``: answer the questions of a split and score the answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.datasets.question import Question
from lavis.experts.evidence import Evidence
from lavis.models.mexa_models.answer import Answer
from lavis.models.mexa_models.mexa_aggregator import MexaAggregator
from lavis.models.mexa_models.workbench import Workbench
from lavis.reasoners.base import Usage
from lavis.store.entry_files import write_lines_atomically
from lavis.tasks.base_task import BaseTask
from lavis.tasks.metrics import Metric
from lavis.tasks.rows import ResultRow

STATUSES = ("answered", "unparsed", "failed")
# Reasons may name a question each; so many are told apart.
MAX_REASONS = 100
OTHER_REASONS = "other reasons"


@registry.register_task("mexa_qa")
class MexaQATask(BaseTask):
    """Asks the model question by question and scores by the data set's metrics.

    ``run.metrics`` names other metrics; the first is the headline.
    """

    default_runner: ClassVar[str] = "runner_qa"
    config_keys: ClassVar[frozenset[str]] = frozenset(
        """
        metrics run_id limit spread evidence_dir evidence_shards completion_cache missing_media
        budget retry_failed grace_s in_flight
        """.split()
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

    async def aanswer(self, model: MexaAggregator, question: Question, bench: Workbench) -> Answer:
        """Answer one question."""
        return await model.aanswer(question, bench)

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
            ``{metric: percent, n, answered, unparsed, failed, left_out, by_type, failures, experts, usage}``;
            ``left_out`` names the metrics whose authors do not count every question, with how many they leave
            out; ``experts`` says of each how many questions asked it and for how many it failed.
        """
        metrics = self.metrics_for(dataset)
        tallies = [metric.tally() for metric in metrics]
        counts = dict.fromkeys(STATUSES, 0)
        failures: dict[str, int] = {}
        usage = {"aggregator": RoleUsage(), "selector": RoleUsage(), "expert": RoleUsage()}
        experts: dict[str, dict[str, int]] = {}
        chosen_for: set[str] = set()  # groups whose one choice is counted
        paid: set[int] = set()  # one piece of evidence serves many questions and is paid for once

        def rows() -> Iterator[str]:
            for position, (question, answer) in enumerate(answered):
                result = ResultRow.of(question, answer)
                scores = {metric.name: metric.score(result) for metric in metrics}
                for tally, score in zip(tallies, scores.values(), strict=True):
                    tally.add(result, score)
                counts[answer.status] += 1
                if answer.error:
                    reason = answer.error if answer.error in failures or len(failures) < MAX_REASONS else OTHER_REASONS
                    failures[reason] = failures.get(reason, 0) + 1
                group = answer.selection.group
                if not group or group not in chosen_for:
                    usage["selector"].add(answer.selection.model, answer.selection.usage)
                    chosen_for.update({group} if group else ())
                if answer.completion is not None:
                    usage["aggregator"].add(answer.completion.model, answer.completion.usage)
                for item in answer.evidence:
                    asked = experts.setdefault(item.expert, {"questions": 0, "failed": 0})
                    asked["questions"] += 1
                    asked["failed"] += item.error is not None
                    if item.usage is not None and (key := _identity(item)) not in paid:
                        paid.add(key)
                        usage["expert"].add(item.model, item.usage)
                row = json.dumps(_row(question, answer, result, scores), ensure_ascii=False)
                yield f"{'[' if position == 0 else ','}\n{row}"
            yield "\n]\n" if sum(counts.values()) else "[]\n"

        write_lines_atomically(path, rows())
        summaries = {metric.name: tally.summary() for metric, tally in zip(metrics, tallies, strict=True)}
        return {
            **{name: summary.percent for name, summary in summaries.items()},
            "n": sum(counts.values()),
            **counts,
            "left_out": {name: summary.left_out for name, summary in summaries.items() if summary.left_out},
            "by_type": {
                name: {group: {"percent": percent, "n": n} for group, (percent, n) in summary.by_group.items()}
                for name, summary in summaries.items()
            },
            "failures": dict(sorted(failures.items())),
            "experts": dict(sorted(experts.items())),
            "usage": {role: used.to_json() for role, used in usage.items()},
        }


class RoleUsage:
    """Sums calls, tokens and USD of one role, in all and by model."""

    def __init__(self) -> None:
        self.by_model: dict[str, dict[str, Any]] = {}

    def add(self, model: str, usage: Usage) -> None:
        """Count one call; a role that was not asked used nothing."""
        if usage.input_tokens == 0 and usage.output_tokens == 0:
            return
        row = self.by_model.setdefault(model, {"calls": 0, "input_tokens": 0, "output_tokens": 0, "usd": None})
        row["calls"] += 1
        row["input_tokens"] += usage.input_tokens
        row["output_tokens"] += usage.output_tokens
        if usage.usd is not None:
            row["usd"] = (row["usd"] or 0.0) + usage.usd

    def to_json(self) -> dict[str, Any]:
        """Return the sums, and those of each model."""
        rows = list(self.by_model.values())
        known = [row["usd"] for row in rows if row["usd"] is not None]
        return {
            **{name: sum(row[name] for row in rows) for name in ("calls", "input_tokens", "output_tokens")},
            "usd": sum(known) if known else None,
            "by_model": dict(sorted(self.by_model.items())),
        }


def _identity(evidence: Evidence) -> int:
    """Return a number that two pieces of evidence share only if they are one."""
    said = f"{evidence.expert}\0{evidence.media_id}\0{evidence.version}\0{evidence.text}"
    return int.from_bytes(hashlib.sha256(said.encode()).digest()[:8], "big")


def _row(question: Question, answer: Answer, result: ResultRow, scores: Mapping[str, float | None]) -> dict[str, Any]:
    usage = answer.completion.usage if answer.completion is not None else Usage()
    return {
        **result.to_json(),
        "media_id": question.media.media_id,
        "question": question.text,
        "scores": dict(scores),
        "experts": list(answer.selection.experts),
        "absent": {item.expert: item.error for item in answer.evidence if item.error},
        "notes": {item.expert: item.note for item in answer.evidence if item.note},
        "error": answer.error,
        "shortened": list(answer.shortened),
        "usage": {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "usd": usage.usd},
    }
