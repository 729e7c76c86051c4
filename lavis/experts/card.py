"""An expert's card: what it looks at, what it is good for, what it needs."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal, get_args

from lavis.common.errors import nearest
from lavis.experts.skills import SKILLS

Cost = Literal["cheap", "local", "served"]
# Five thousand tokens: more than a whole benchmark question deserves from one expert.
MAX_CHARS = 20_000


@dataclasses.dataclass(frozen=True)
class ExpertCard:
    """Who an expert is.

    Attributes:
        name: its registry name.
        modality: the loader that feeds it.
        skill: MEXA's skill id, A1 … G2 or ``omni``.
        summary: one line on what its evidence tells; a selector reads it.
        version: changes whenever its evidence may change; part of the store's key.
        needs: names of the medium's side data it must be given (``pose``).
        cue: a regular expression; the ``rules`` selector asks the expert exactly where it matches a question's text.
            Empty for an expert that is asked by its skill, as this package's own are.
        question_aware: True if its evidence depends on the question's text.
        cost: ``cheap`` (ms), ``local`` (s, a model on this machine) or ``served`` (a paid call).
        companions: modalities that it also looks at where a medium has them.
        max_chars: its evidence is cut after so many characters.
    """

    name: str
    modality: str
    skill: str
    summary: str
    version: str
    needs: tuple[str, ...] = ()
    cue: str = ""
    question_aware: bool = False
    cost: Cost = "cheap"
    companions: tuple[str, ...] = ()
    max_chars: int = MAX_CHARS

    def __post_init__(self) -> None:
        for field in ("name", "modality", "summary", "version"):
            if not getattr(self, field):
                raise TypeError(f"The card of expert {self.name!r} has no {field}.")
        if self.skill not in SKILLS:
            raise TypeError(
                f"The card of expert {self.name!r} has skill {self.skill!r}.{nearest(self.skill, SKILLS)} "
                f"MEXA's ids: {', '.join(SKILLS)}."
            )
        try:
            re.compile(self.cue)
        except re.error as error:
            raise TypeError(
                f"The card of expert {self.name!r} has a cue that is no regular expression: {error}."
            ) from error
        if self.cost not in get_args(Cost):
            raise TypeError(
                f"The card of expert {self.name!r} has cost {self.cost!r}; say {', '.join(get_args(Cost))}."
            )
        if self.modality in self.companions:
            raise TypeError(f"The card of expert {self.name!r} names {self.modality!r} as its own companion.")
        if self.max_chars < 1:
            raise TypeError(f"The card of expert {self.name!r} has max_chars {self.max_chars}; give 1 or more.")
