"""Result rows: each rank's file, and the one file that the ranks' files become."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lavis.common.errors import LavisError
from lavis.store.entry_files import write_atomically

Row = dict[str, Any]


def json_ready(value: Any) -> Any:
    """Return a value that JSON can hold: tensors and arrays as lists, NaN and infinities as null.

    Raises:
        TypeError: a value of another kind; names its type.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [json_ready(item) for item in value]
    if hasattr(value, "tolist"):
        return json_ready(value.tolist())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON; turn it into text, numbers or lists first.")


def dump_json(value: Any, indent: int | None = None) -> str:
    """Return valid JSON, with null in place of NaN."""
    return json.dumps(json_ready(value), ensure_ascii=False, allow_nan=False, indent=indent)


def rank_path(folder: Path, filename: str, rank: int) -> Path:
    """Return where a rank keeps its rows."""
    return folder / f"{filename}_rank{rank}.json"


def merge_ranks(folder: Path, filename: str, world_size: int, key: str, order_key: str) -> Path:
    """Merge the ranks' rows into ``<filename>.json``.

    Args:
        folder: where the ranks' files lie.
        filename: without rank and suffix.
        world_size: number of ranks.
        key: rows with an equal value here are one row, the first; empty keeps all.
        order_key: rows are sorted by this whole number where all of them carry it; else they stay
            in the order of the ranks.

    Returns:
        The merged file.

    Raises:
        LavisError: a rank's file is missing, or a row has no ``key``.
    """
    rows: list[Row] = []
    for rank in range(world_size):
        path = rank_path(folder, filename, rank)
        try:
            rows.extend(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError as error:
            raise LavisError(
                f"{path} is missing: rank {rank} wrote its results elsewhere."
                " Every rank must see the same output_dir and job id."
            ) from error
    merged = in_order(without_duplicates(rows, key), order_key)
    path = folder / f"{filename}.json"
    write_atomically(path, dump_json(merged))
    return path


def without_duplicates(rows: Iterable[Row], key: str) -> list[Row]:
    """Return the rows with the first of each value of ``key``; all of them for an empty key.

    Raises:
        LavisError: a row lacks the key.
    """
    if not key:
        return list(rows)
    first: dict[str, Row] = {}
    for row in rows:
        if key not in row:
            raise LavisError(f"A result row has no {key!r} to tell duplicates by; it has {', '.join(row)}.")
        first.setdefault(json.dumps(row[key]), row)
    return list(first.values())


def in_order(rows: Sequence[Row], order_key: str) -> list[Row]:
    """Return the rows by the whole number under ``order_key``, or as they are if one has none."""
    numbers = [_number(row.get(order_key)) for row in rows]
    if any(number is None for number in numbers):
        return list(rows)
    return sorted(rows, key=lambda row: int(row[order_key]))


def _number(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() else None
