"""A row of a result file: one question, its answer, and all that a metric may look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lavis.common.errors import LavisError
from lavis.datasets.datasets.question_record import QuestionRecord
from lavis.datasets.question import Question
from lavis.models.mexa_models.answer import Answer

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclasses.dataclass(frozen=True, slots=True)
class ResultRow:
    """What was answered to one question, and what is right.

    Attributes:
        question_id: the benchmark's id.
        answer: the answer in the benchmark's words; "" where there is none. Of predictions that another
            system wrote: its output as it stands.
        gold: the answers that are right; empty where the benchmark withholds them.
        choice: the number of the chosen option from 0; None without options or answer.
        options: what could be chosen.
        category: the question type that the benchmark reports by.
        tags: what its metrics count and tell questions apart by.
        response: what the reasoner wrote, of which the answer is a part.
        status: ``answered``, ``unparsed`` or ``failed``.
    """

    question_id: str
    answer: str
    gold: tuple[str, ...] = ()
    choice: int | None = None
    options: tuple[str, ...] = ()
    category: str = ""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    response: str = ""
    status: str = "answered"

    @property
    def letter(self) -> str:
        """The letter of the chosen option, or the answer as it stands where no option is known to be chosen."""
        return self.answer if self.choice is None else LETTERS[self.choice]

    @property
    def lettered(self) -> str:
        """The chosen option as ``B. its text``, or the answer as it stands where no option is known to be chosen."""
        return self.answer if self.choice is None else f"{LETTERS[self.choice]}. {self.options[self.choice]}"

    @property
    def gold_letter(self) -> str:
        """The letter of the right option (the first that reads like a gold answer where none is marked), else ""."""
        if "gold_choice" in self.tags:
            return LETTERS[int(self.tags["gold_choice"])]
        return next((LETTERS[n] for n, option in enumerate(self.options) if option in self.gold), "")

    @classmethod
    def unanswered(cls, record: QuestionRecord) -> ResultRow:
        """Make the row of an annotated question before it has an answer."""
        return cls(
            record.question_id, "", record.answers, None, record.options, record.category, record.tags, "", "failed"
        )

    @classmethod
    def of(cls, question: Question, answer: Answer) -> ResultRow:
        """Make the row of a question and its answer."""
        return cls(
            question_id=question.question_id,
            answer=answer.text,
            gold=question.answers,
            choice=answer.choice,
            options=question.options,
            category=question.category,
            tags=question.tags,
            response=answer.completion.text if answer.completion is not None else "",
            status=answer.status,
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain data; :meth:`from_json` builds the row back."""
        return {
            "question_id": self.question_id,
            "answer": self.answer,
            "choice": self.choice,
            "gold": list(self.gold),
            "options": list(self.options),
            "category": self.category,
            "tags": dict(self.tags),
            "status": self.status,
            "response": self.response,
        }

    @classmethod
    def from_json(cls, data: Any, where: str) -> ResultRow:
        """Build a row from an element of a result file; keys beside a row's own are left.

        Args:
            data: the element.
            where: file and number, for errors.

        Raises:
            LavisError: it is no row of a result file; names the key.
        """
        if not isinstance(data, Mapping):
            raise LavisError(f"{where} is no object; a result file is a list of rows.")
        kinds: dict[str, tuple[type, ...]] = {
            "question_id": (str,),
            "answer": (str,),
            "gold": (list,),
            "choice": (int, type(None)),
            "options": (list,),
            "category": (str,),
            "tags": (dict,),
            "response": (str,),
            "status": (str,),
        }
        for key in ("question_id", "answer", "gold"):
            if key not in data:
                raise LavisError(f"{where} has no {key!r}; is it a result/<split>.json of a run?")
        for key, kind in kinds.items():
            if key in data and (not isinstance(data[key], kind) or isinstance(data[key], bool)):
                raise LavisError(f"{where}: {key!r} is {data[key]!r}, not {' or '.join(one.__name__ for one in kind)}.")
        taken = {key: data[key] for key in kinds if key in data}
        for key in ("gold", "options"):
            taken[key] = tuple(map(str, taken.get(key, ())))
        if taken.get("choice") is not None and not 0 <= taken["choice"] < len(taken["options"]):
            raise LavisError(f"{where}: choice {taken['choice']} is none of its {len(taken['options'])} options.")
        return cls(**taken)
