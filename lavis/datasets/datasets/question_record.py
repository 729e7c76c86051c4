"""A question as a benchmark annotates it: everything but where its medium lies on this machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class QuestionRecord:
    """One annotated question; every benchmark's parser gives these.

    Attributes:
        question_id: unique in its split.
        media_id: the medium's name in evidence, errors and reports.
        text: what is asked.
        answers: the gold; empty where the benchmark withholds it.
        options: what may be chosen, in the order of their letters.
        situation: what is told before the question.
        category: the question type that the benchmark reports by.
        tags: what its metrics count by. ``gold_choice`` is the number of the right option from 0.
        media_names: names of the medium's files below a modality's root, without suffix, the first that
            exists counts; empty for the media_id.
        side: what is known of the medium beside its files (``pose``).
        gold_spans_s: where in the medium the answer is seen.
    """

    question_id: str
    media_id: str
    text: str
    answers: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    situation: str = ""
    category: str = ""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    media_names: tuple[str, ...] = ()
    side: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    gold_spans_s: tuple[tuple[float, float], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which the medium's files are looked for."""
        return self.media_names or (self.media_id,)
