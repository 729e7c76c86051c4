"""Finished run folders as what a table needs: rows, usage and looks, all on the same questions."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lavis.common.errors import LavisError, UnknownNameError
from lavis.common.registry import registry
from lavis.store.entry_files import digest
from lavis.store.journal_reader import JournalReader
from lavis.tasks.predictions.document import read_document
from lavis.tasks.predictions.run_rows import is_run, run_rows
from lavis.tasks.rows import ResultRow

# Ids that an error names.
NAMED = 5

# Expert, medium, the digest of what it wrote, and the question where the expert looks at that too.
Look = tuple[str, str, str, str]


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """One finished run on one split.

    Attributes:
        name: what the table calls it.
        run_id: its folder's name.
        rows: one per question.
        media_ids: the medium of each row.
        metrics: the metrics that it was scored by, the headline first.
        counts: ``answered``, ``unparsed``, ``failed``.
        usage: ``calls``, ``input_tokens``, ``output_tokens``, ``usd`` over all roles; a completion out of the cache
            counts as the call that it stands for.
        looks: the different pieces of evidence that were read, each of which took one look.
        n_absent: pieces of evidence that an expert was asked for and could not give.
        n_kept: answers whose completion came out of the cache.
        wall_s: of the last start.
    """

    name: str
    run_id: str
    rows: tuple[ResultRow, ...]
    media_ids: tuple[str, ...]
    metrics: tuple[str, ...]
    counts: dict[str, int]
    usage: dict[str, Any]
    looks: frozenset[Look]
    n_absent: int
    n_kept: int
    wall_s: float


def read_runs(folders: Sequence[tuple[str, Path]]) -> dict[str, list[RunRecord]]:
    """Read finished runs, all of them on the questions of the first and in its order.

    Args:
        folders: (name of the row, run folder).

    Returns:
        Split → the runs in the order given.

    Raises:
        LavisError: a folder is no finished run, or its splits, questions, media or golds are not the first one's;
            names them.
    """
    found: dict[str, list[RunRecord]] = {}
    for position, (name, folder) in enumerate(folders):
        metrics = _metrics(folder)
        splits = [key for key in metrics if key != "timing"]
        if position and set(splits) != set(found):
            raise LavisError(f"{folder} has the splits {', '.join(splits)}; {folders[0][1]} has {', '.join(found)}.")
        for split in splits:
            record = _record(name, folder, split, metrics)
            runs = found.setdefault(split, [])
            runs.append(_like(record, runs[0], folder, folders[0][1]) if runs else record)
    return found


def _metrics(folder: Path) -> dict[str, Any]:
    if not (folder / "metrics.json").is_file():
        why = "is not finished: start it again with the same run.run_id" if folder.is_dir() else "does not exist"
        raise LavisError(f"{folder} {why}; a table is made of finished runs.")
    metrics = read_document(folder / "metrics.json")
    if (
        not isinstance(metrics, dict)
        or "timing" not in metrics
        or not all(isinstance(v, dict) for v in metrics.values())
    ):
        raise LavisError(f"{folder / 'metrics.json'} is not what a run of task mexa_qa leaves.")
    return metrics


def _record(name: str, folder: Path, split: str, metrics: dict[str, Any]) -> RunRecord:
    path = folder / "result" / f"{split}.json"
    document = read_document(path)
    if not is_run(document):
        raise LavisError(f"{path} is not a run's result/<split>.json with at least one question.")
    read = run_rows(document, str(path), raw=False)
    media_ids = []
    for number, row in enumerate(document):
        if not isinstance(row.get("media_id"), str):
            raise LavisError(f"{path}: row {number} has no 'media_id'; run it again with this version.")
        media_ids.append(row["media_id"])
    looks, n_absent, n_kept = _looks(folder, split, [row.question_id for row in read.rows])
    counts = {status: sum(row.status == status for row in read.rows) for status in ("answered", "unparsed", "failed")}
    return RunRecord(
        name=name,
        run_id=folder.resolve().name,
        rows=read.rows,
        media_ids=tuple(media_ids),
        metrics=read.metrics,
        counts=counts,
        usage=_usage(metrics[split].get("usage") or {}),
        looks=looks,
        n_absent=n_absent,
        n_kept=n_kept,
        wall_s=float(metrics["timing"].get("wall_s", 0.0)),
    )


def _looks(folder: Path, split: str, question_ids: Sequence[str]) -> tuple[frozenset[Look], int, int]:
    from lavis.runners.rank_work import question_key

    looks: set[Look] = set()
    n_absent = n_kept = 0
    records = JournalReader(folder / "answers").records(question_key(split, one) for one in question_ids)
    for question_id, record in zip(question_ids, records, strict=True):
        answer = record["answer"]
        n_kept += bool((answer["completion"] or {}).get("kept"))
        for item in answer["evidence"]:
            if item["error"]:
                n_absent += 1
            else:
                asked = question_id if _is_question_aware(item["expert"]) else ""
                looks.add((item["expert"], item["media_id"], digest(item["text"]), asked))
    return frozenset(looks), n_absent, n_kept


@functools.cache
def _is_question_aware(expert: str) -> bool:
    try:
        found: bool = registry.require("expert", expert).card.question_aware
    except UnknownNameError:  # of a plugin that only the run had loaded; its texts alone tell its looks apart
        return False
    return found


def _usage(roles: dict[str, Any]) -> dict[str, Any]:
    sums: dict[str, Any] = {
        key: sum(int(role.get(key) or 0) for role in roles.values())
        for key in ("calls", "input_tokens", "output_tokens")
    }
    known = [role["usd"] for role in roles.values() if role.get("usd") is not None]
    return {**sums, "usd": sum(known) if known else None}


def _like(record: RunRecord, first: RunRecord, folder: Path, first_folder: Path) -> RunRecord:
    """Return a record with its rows in the order of the first run's.

    Raises:
        LavisError: the questions are not the same; names some.
    """
    position = {row.question_id: number for number, row in enumerate(record.rows)}
    wanted = [row.question_id for row in first.rows]
    for ids, where, other in (
        ([one for one in wanted if one not in position], first_folder, folder),
        ([one for one in position if one not in set(wanted)], folder, first_folder),
    ):
        if ids:
            more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
            raise LavisError(
                f"{len(ids)} questions of {where} are not in {other}: {', '.join(ids[:NAMED])}{more}. "
                "A table compares runs on the same questions (run.limit, run.spread, annotations)."
            )
    order = [position[one] for one in wanted]
    rows = tuple(record.rows[number] for number in order)
    media_ids = tuple(record.media_ids[number] for number in order)
    for number, (row, other_row) in enumerate(zip(rows, first.rows, strict=True)):
        if row.gold != other_row.gold or media_ids[number] != first.media_ids[number]:
            raise LavisError(
                f"question {row.question_id!r} has another gold or medium in {folder} than in {first_folder}: "
                "the runs were made with different annotations."
            )
    return dataclasses.replace(record, rows=rows, media_ids=media_ids)
