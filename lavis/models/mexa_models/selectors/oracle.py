"""The oracle selector: a file says which experts or skills each question needs; an upper bound for other selectors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lavis.common.errors import ConfigError, nearest
from lavis.common.files import strict_json
from lavis.common.registry import registry
from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.experts.skills import SKILLS
from lavis.models.mexa_models.answer import Selection
from lavis.models.mexa_models.selectors.base import Frames, Selector, names_of, nobody
from lavis.reasoners.base import Reasoner


class OracleSelector(Selector):
    """Asks whom a file names for each question.

    Args:
        file: JSON, ``{question id: "A1, B1"}`` (MEXA's skill files) or ``{question id: [names]}``; a name is an
            expert's or a skill's id, which stands for every expert of that skill.

    Raises:
        ConfigError: the file cannot be read or is not so; names it and the question.
    """

    def __init__(self, *, file: str) -> None:
        self.file = Path(file).expanduser()
        self.choices = _read(self.file)

    def check(self, names: Sequence[str]) -> None:
        """Raise ConfigError for a name that is neither a skill nor any expert's.

        An expert that this configuration leaves out is no error: one file serves many configurations.
        """
        known = [*SKILLS, *names, *registry.list_names("expert")]
        for question_id, wanted in self.choices.items():
            for name in wanted:
                if name not in known:
                    raise ConfigError(
                        f"{self.file}: question {question_id} names {name!r}, which is neither an expert nor a skill."
                        f"{nearest(name, known)}"
                    )

    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
        """Choose whom the file names, in its order; the reason says whom the medium cannot feed.

        Raises:
            ConfigError: the file does not know the question.
        """
        if question.question_id not in self.choices:
            raise ConfigError(
                f"{self.file} (model.selector.file) says nothing of question {question.question_id}; it knows "
                f"{len(self.choices)} questions."
            )
        if not experts:
            return nobody(question)
        wanted = self.choices[question.question_id]
        served = {name: _serving(name, experts) for name in wanted}
        chosen = tuple(dict.fromkeys(name for names in served.values() for name in names))
        absent = [name for name, names in served.items() if not names]
        reason = f"{', '.join(wanted) or 'nobody'}, by {self.file.name}"
        return Selection(chosen, reason + (f"; not for this medium: {', '.join(absent)}" if absent else ""), chosen)


def _serving(name: str, experts: Sequence[Expert]) -> tuple[str, ...]:
    """Return the experts that an entry stands for: the one of that name, or else all of that skill."""
    return tuple(each for each in names_of(experts) if each == name) or tuple(
        expert.card.name for expert in experts if expert.card.skill == name
    )


def _read(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        data = strict_json(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"model.selector.file: {path} cannot be read as JSON: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"model.selector.file: {path} must be a mapping of question ids to experts or skills.")
    return {question_id: _names(given, path, question_id) for question_id, given in data.items()}


def _names(given: Any, path: Path, question_id: str) -> tuple[str, ...]:
    names = re.split(r"[,\s]+", given.strip()) if isinstance(given, str) else given
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(
            f'{path}: question {question_id} has {given!r}; write skills ("A1, B1") or a list of experts\' names.'
        )
    return tuple(dict.fromkeys(name for name in names if name))
