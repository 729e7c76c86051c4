"""An expert's card: what it looks at, what it is good for, what it needs."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

# MEXA's skill ids (arXiv 2506.17113): a letter for the family, a digit for the skill.
SKILL_ID = re.compile(r"[A-G][1-9]")


@dataclasses.dataclass(frozen=True)
class ExpertCard:
    """Who an expert is.

    Attributes:
        name: its registry name.
        modality: the loader that feeds it.
        skill: MEXA's skill id, A1 … G2.
        summary: one line on what its evidence tells; a selector reads it.
        version: changes whenever its evidence may change; part of the store's key.
        needs: names of the medium's side data it must be given (``pose``).
        cue: a regular expression; where it matches a question's text the expert is worth asking.
            Empty for an expert that helps with any question. The ``rules`` selector reads it.
        question_aware: True if its evidence depends on the question's text.
        cost: ``cheap`` (ms), ``local`` (s, a model on this machine) or ``served`` (a paid call).
    """

    name: str
    modality: str
    skill: str
    summary: str
    version: str
    needs: tuple[str, ...] = ()
    cue: str = ""
    question_aware: bool = False
    cost: Literal["cheap", "local", "served"] = "cheap"

    def __post_init__(self) -> None:
        for field in ("name", "modality", "summary", "version"):
            if not getattr(self, field):
                raise TypeError(f"The card of expert {self.name!r} has no {field}.")
        if not SKILL_ID.fullmatch(self.skill):
            raise TypeError(f"The card of expert {self.name!r} has skill {self.skill!r}; MEXA's ids run A1 to G2.")
        try:
            re.compile(self.cue)
        except re.error as error:
            raise TypeError(
                f"The card of expert {self.name!r} has a cue that is no regular expression: {error}."
            ) from error
        if self.cost not in ("cheap", "local", "served"):
            raise TypeError(f"The card of expert {self.name!r} has cost {self.cost!r}; say cheap, local or served.")
