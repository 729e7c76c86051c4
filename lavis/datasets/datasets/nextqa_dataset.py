"""NExT-QA: why, how, when and what in everyday videos."""

from __future__ import annotations

from typing import Any, ClassVar

from lavis.datasets.datasets import nextqa_annotations
from lavis.datasets.datasets.benchmark_dataset import BenchmarkDataset
from lavis.models.mexa_models.answers import LETTERS


class NExTQADataset(BenchmarkDataset):
    """One split of NExT-QA (CVPR 2021), of multiple choice or open-ended; a sample also has ``duration``."""

    annotations: ClassVar[Any] = nextqa_annotations
    metrics = ("nextqa_accuracy", "crema_videoqa")
    open_metrics = ("accuracy", "crema_gqa")
    default_instruction = "Look at the frames and answer with the letter of the right option."

    def sample_texts(self, index: int) -> dict[str, Any]:
        """Return CREMA's texts: options with letters, ``qa_output`` as ``Option B``, the id as ``<type>_<id>``."""
        record = self.records[index]
        if not record.options:
            return super().sample_texts(index)
        options = " ".join(f"Option {LETTERS[number]}: {text}" for number, text in enumerate(record.options))
        return {
            "qa_input": f"Question: {record.text} {options} {self.instruction}",
            "qa_output": f"Option {LETTERS[int(record.tags['gold_choice'])]}",
            "question_id": f"{record.category}_{record.question_id}",
            "duration": 1,
        }
