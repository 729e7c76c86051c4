"""The published formats of predictions: how each is told by its content, and read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal

from lavis.common.errors import LavisError
from lavis.tasks.predictions.prediction import Prediction

MMAU_OUTPUT_KEYS = ("model_output", "model_prediction")


@dataclasses.dataclass(frozen=True)
class Format:
    """One format of prediction files.

    Attributes:
        name: for messages.
        holds: what it says of the questions beside predictions: nothing that can be scored by, the
            ``answers`` that are right, or the whole ``annotations``.
        fits: whether a document is in it.
        read: document, where (for errors) → predictions in the file's order.
    """

    name: str
    holds: Literal["nothing", "answers", "annotations"]
    fits: Callable[[Any], bool]
    read: Callable[[Any, str], list[Prediction]]


def _entries_with(*keys: str) -> Callable[[Any], bool]:
    def fits(document: Any) -> bool:
        return isinstance(document, list) and bool(document) and _has(document[0], *keys)

    return fits


def _has(entry: Any, *keys: str) -> bool:
    return isinstance(entry, Mapping) and all(key in entry for key in keys)


def _need(entry: Any, key: str, kinds: tuple[type, ...], where: str) -> Any:
    if not _has(entry, key):
        raise LavisError(f"{where} has no {key!r}.")
    value = entry[key]
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise LavisError(f"{where}: {key!r} is {value!r}, not {' or '.join(kind.__name__ for kind in kinds)}.")
    return value


def _with_and_without_type(question_id: str) -> tuple[str, ...]:
    """Return an id as it stands, and what follows the question type that CREMA puts before it."""
    _, _, rest = question_id.partition("_")
    return (question_id, rest) if rest else (question_id,)


def _nextqa(document: Any, where: str) -> list[Prediction]:
    found = []
    for question_id, entry in document.items():
        at = f"{where}: {question_id}"
        choice, gold = (_need(entry, key, (int,), at) for key in ("prediction", "answer"))
        found.append(Prediction((question_id,), choice, gold))
    return found


def _crema_videoqa(document: Any, where: str) -> list[Prediction]:
    found = []
    for number, row in enumerate(document):
        at = f"{where}: row {number}"
        names = _with_and_without_type(_need(row, "qid", (str,), at))
        choice, gold = (_need(row, key, (int,), at) for key in ("prediction", "target"))
        found.append(Prediction(names, choice, gold))
    return found


def _crema_vqa(document: Any, where: str) -> list[Prediction]:
    found = []
    for number, row in enumerate(document):
        at = f"{where}: row {number}"
        names = _with_and_without_type(str(_need(row, "question_id", (str, int), at)))
        answer, gold = (_need(row, key, (str,), at) for key in ("pred_ans", "gt_ans"))
        tags = {"crema_type": names[0].partition("_")[0]} if len(names) > 1 else {}
        found.append(Prediction(names, answer, gold, tags))
    return found


def _is_mmau(document: Any) -> bool:
    # A question that the system left unanswered lacks the key, the first one too.
    return isinstance(document, list) and any(
        _has(entry, "choices", key) for entry in document for key in MMAU_OUTPUT_KEYS
    )


def _mmau(document: Any, where: str) -> list[Prediction]:
    found = []
    for number, record in enumerate(document):
        at = f"{where}: record {number}"
        gold = _need(record, "answer", (str,), at)
        # The first files of the benchmark have no ids; its questions are then called by their sound.
        sound = _need(record, "audio_id", (str,), at)
        name = str(record.get("id", PurePosixPath(sound).name.removesuffix(".wav")))
        key = next((key for key in MMAU_OUTPUT_KEYS if key in record), None)
        value = None if key is None else _need(record, key, (str, type(None)), at)
        found.append(Prediction((name,), value, gold))
    return found


def _is_map(document: Any) -> bool:
    return isinstance(document, Mapping) and isinstance(next(iter(document.values()), {}), str | int | type(None))


def _map(document: Any, where: str) -> list[Prediction]:
    return [
        Prediction((question_id,), _need(document, question_id, (str, int, type(None)), where))
        for question_id in document
    ]


FORMATS: Sequence[Format] = (
    Format(
        'NExT-QA\'s {"<video>_<qid>": {"prediction": number, "answer": number}}',
        "nothing",
        lambda document: (
            isinstance(document, Mapping) and _has(next(iter(document.values()), None), "prediction", "answer")
        ),
        _nextqa,
    ),
    Format('CREMA\'s [{"qid", "prediction", "target"}]', "nothing", _entries_with("qid", "prediction"), _crema_videoqa),
    Format(
        'CREMA\'s [{"question_id", "pred_ans", "gt_ans"}]',
        "answers",
        _entries_with("question_id", "pred_ans"),
        _crema_vqa,
    ),
    Format("MMAU's annotations with model_output or model_prediction", "annotations", _is_mmau, _mmau),
    Format("{question id: answer or number of an option}", "nothing", _is_map, _map),
)


def format_of(document: Any, where: str, others: Iterable[str] = ()) -> Format:
    """Return the format that a document is in.

    Args:
        document: what the file holds.
        where: the file, for the error.
        others: what else it might have been, for the error.

    Raises:
        LavisError: it is empty or in no known format; says what it holds and what is known.
    """
    if isinstance(document, list | Mapping) and not document:
        raise LavisError(f"{where}: is empty; there is nothing to score.")
    for known in FORMATS:
        if known.fits(document):
            return known
    first = f"a list, first {_outline(document[0])}" if isinstance(document, list) else _outline(document)
    known_names = "; ".join([*others, *(each.name for each in FORMATS)])
    raise LavisError(f"{where}: holds {first}, which is none of: {known_names}.")


def _outline(value: Any) -> str:
    """Say in a few words what a document or an entry of it is."""
    if isinstance(value, list):
        return "a list"
    if isinstance(value, Mapping):
        return f"an object with {', '.join(map(repr, list(value)[:5])) or 'nothing'}"
    return repr(value)[:40]
