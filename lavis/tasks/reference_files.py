"""Result files as CREMA's published code names and writes them, for scripts that read those."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lavis.common.errors import LavisError
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.tasks.rows import ResultRow

# (rows, their data set, split, epoch) → (file name, document)
ReferenceFile = Callable[[Sequence[ResultRow], QuestionDataset, str, Any], tuple[str, list[dict[str, Any]]]]


def sqa3d_file(rows: Sequence[ResultRow], dataset: Any, split: str, epoch: Any) -> tuple[str, list[dict[str, Any]]]:
    """Return ``<split>_vqa_result.json``: the id with its type, what was said, the gold, and the whole prompt."""
    texts = (dataset.sample_texts(number) for number in range(len(rows)))
    return f"{split}_vqa_result.json", [
        {**_answered(row), "question_id": text["question_id"], "question": text["qa_input"]}
        for row, text in zip(rows, texts, strict=True)
    ]


def gqa_file(rows: Sequence[ResultRow], dataset: Any, split: str, epoch: Any) -> tuple[str, list[dict[str, Any]]]:
    """Return ``<split>_vqa_result.json``: ids as whole numbers where they are, what was said, the gold."""
    return f"{split}_vqa_result.json", [
        {
            **_answered(row),
            "question_id": int(row.question_id) if row.question_id.isdecimal() else row.question_id,
        }
        for row in rows
    ]


def videoqa_file(rows: Sequence[ResultRow], dataset: Any, split: str, epoch: Any) -> tuple[str, list[dict[str, Any]]]:
    """Return ``<split>_epoch<epoch>.json``: the chosen option and the right one by number.

    Raises:
        LavisError: a question has no options: that form has no place for words.
    """
    document = []
    for number, row in enumerate(rows):
        if "gold_choice" not in row.tags:
            raise LavisError(
                f"run.reference_files: question {row.question_id} has no options, and the file of videoqa holds "
                "numbers alone; use run.task=gqa."
            )
        document.append(
            {
                "qid": dataset.sample_texts(number)["question_id"],
                # Nothing chosen is no option's number.
                "prediction": -1 if row.choice is None else row.choice,
                "target": int(row.tags["gold_choice"]),
                "frame_idx": 0,
            }
        )
    return f"{split}_epoch{epoch}.json", document


def _answered(row: ResultRow) -> dict[str, str]:
    return {"pred_ans": row.answer or row.response or "unanswerable", "gt_ans": row.gold[0] if row.gold else ""}


REFERENCE_FILES: dict[str, ReferenceFile] = {"sqa3d": sqa3d_file, "gqa": gqa_file, "videoqa": videoqa_file}
