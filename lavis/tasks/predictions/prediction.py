"""One prediction as another system wrote it, and the set of rows that predictions become."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from lavis.common.errors import LavisError
from lavis.tasks.rows import ResultRow

# What a row's status may be.
STATUSES = ("answered", "unparsed", "failed")


@dataclasses.dataclass(frozen=True, slots=True)
class Prediction:
    """What a system answered to one question.

    Attributes:
        names: what the question may be called; the first that is annotated counts.
        value: its output as it stands, the number of an option from 0, or None where it wrote nothing.
        gold: what its file takes for right; None where it does not say.
        tags: what else its file says of the question.
    """

    names: tuple[str, ...]
    value: str | int | None
    gold: str | int | None = None
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class RowSet:
    """Rows that are ready to be scored.

    Attributes:
        rows: one per question, in the order of the annotations or of the run.
        missing: ids of annotated questions that have no prediction.
        metrics: the metrics that the file was scored by, the headline first; empty where it does not say.
        warnings: what a reader of the score must know.
    """

    rows: tuple[ResultRow, ...]
    missing: frozenset[str] = frozenset()
    metrics: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def check_encodable(texts: Iterable[str], at: str) -> None:
    """Refuse ids and types that metrics cannot hash: JSON can hold half of a surrogate pair, no file and no hash can.

    Raises:
        LavisError: one of the texts has such a half.
    """
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise LavisError(f"{at} holds half of a surrogate pair in an id or a type; correct it.") from error
