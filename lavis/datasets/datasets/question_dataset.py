"""What a benchmark's dataset offers beside LAVIS's samples: its questions, one by one."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from lavis.datasets.question import Question


class QuestionDataset(abc.ABC):
    """A mixin: a dataset that can state each of its records as a :class:`Question`.

    Questions are made when they are asked for, so that a run holds one at a time.
    """

    # What may be answered where a question has no options of its own; empty: any short phrase.
    answer_vocabulary: tuple[str, ...] = ()
    # Made-up (question, answer) pairs that show a small reasoner the form of an answer; none of the data set's own.
    answer_examples: tuple[tuple[str, str], ...] = ()
    # The metrics that score it, the headline first.
    metrics: tuple[str, ...] = ()
    # Options per loader by modality name: how this data set's files are to be read.
    loader_options: Mapping[str, dict[str, Any]] = MappingProxyType({})

    @abc.abstractmethod
    def question(self, index: int) -> Question:
        """Return the record at ``index`` as a question, gold included."""

    @abc.abstractmethod
    def media_id(self, index: int) -> str:
        """Return the medium of the record at ``index`` without building the question."""

    @abc.abstractmethod
    def question_id(self, index: int) -> str:
        """Return the id of the record at ``index`` without building the question."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Return how many records there are."""

    def questions(self) -> Iterator[Question]:
        """Yield every question in the data set's order."""
        return (self.question(index) for index in range(len(self)))
