"""A file of answers to rows: of a run, or of another system with a benchmark's annotations."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lavis.common.errors import ConfigError, LavisError
from lavis.common.registry import registry
from lavis.datasets.datasets.question_record import QuestionRecord
from lavis.tasks.predictions.document import read_document
from lavis.tasks.predictions.formats import Format, format_of
from lavis.tasks.predictions.match import match, records_of
from lavis.tasks.predictions.prediction import Prediction, RowSet
from lavis.tasks.predictions.run_rows import NAME, is_run, run_rows


def dataset_class(name: str) -> Any:
    """Return the class of a benchmark's evaluation data set by the name of its builder.

    Raises:
        ConfigError: nothing is registered under the name, or its class reads no annotations by itself.
    """
    found = registry.require("builder", name).eval_dataset_cls
    if not hasattr(found, "read_records"):
        raise ConfigError(f"--dataset {name}: {getattr(found, '__name__', found)} cannot read annotations by itself.")
    return found


def read_rows(
    path: Path,
    dataset: str | None,
    annotations: Sequence[Path] = (),
    *,
    raw: bool = False,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> RowSet:
    """Read a file of answers, whose kind is told by its content.

    Args:
        path: a run's ``result/<split>.json``, or predictions in one of the published formats.
        dataset: the benchmark, where predictions need its annotations.
        annotations: its annotation files.
        raw: score the whole response in place of the answer found in it; runs alone keep both.
        options: of the benchmark's annotation reader.

    Raises:
        LavisError: the file cannot be read, is in no known format, or does not go with the annotations.
        ConfigError: what the file needs is not given, or what is given does not go with its kind.
    """
    document, where = read_document(path), str(path)
    if is_run(document):
        if annotations:
            raise ConfigError(f"{where} is {NAME}, which holds its gold; --annotations is for predictions.")
        return run_rows(document, where, raw=raw)
    form = format_of(document, where, others=[NAME])
    if raw:
        raise ConfigError(f"{where} holds predictions, which are scored as they stand; --raw is for {NAME}.")
    predictions = form.read(document, where)
    if annotations:
        if dataset is None:
            raise ConfigError("--annotations needs --dataset, which says how they are read.")
        return match(predictions, _records(dataset, annotations, options), where)
    return _by_itself(predictions, form, dataset, path, options)


def _records(dataset: str, paths: Sequence[Path], options: Mapping[str, Any]) -> list[QuestionRecord]:
    return list(dataset_class(dataset).read_records(paths, **options))


def _by_itself(
    predictions: list[Prediction], form: Format, dataset: str | None, path: Path, options: Mapping[str, Any]
) -> RowSet:
    """Score predictions by what their own file says of the questions."""
    if form.holds == "annotations" and dataset is not None:
        records = _records(dataset, [path], options)
        if len(records) != len(predictions):
            raise LavisError(f"{path}: holds {len(predictions)} records, of which {dataset} reads {len(records)}.")
        named = [
            dataclasses.replace(prediction, names=(record.question_id,))
            for prediction, record in zip(predictions, records, strict=True)
        ]
        return match(named, records, str(path))
    if form.holds != "answers":
        missing = [] if dataset is not None else ["--dataset NAME"]
        missing += ["--annotations FILE"] if form.holds == "nothing" else []
        raise ConfigError(f"{path} is in the format {form.name}; give {' and '.join(missing)} with it.")
    rows = match(predictions, records_of(predictions), str(path))
    note = f"{path}: scored by its own gold; which questions it lacks is not known. --annotations tells."
    return dataclasses.replace(rows, warnings=(*rows.warnings, note))
