"""Selectors that do not look at the question: all, none, and those that the configuration names."""

from __future__ import annotations

from collections.abc import Sequence

from lavis.common.errors import ConfigError, nearest
from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.models.mexa_models.answer import Selection
from lavis.models.mexa_models.selectors.base import Frames, Selector, names_of, nobody
from lavis.reasoners.base import Reasoner


class AllSelector(Selector):
    """Asks every expert that the medium can feed."""

    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
        """Choose all, in the configuration's order."""
        return Selection(names_of(experts), "all that the medium can feed") if experts else nobody(question)


class NoneSelector(Selector):
    """Asks nobody: the row of a table that shows what the reasoner knows without evidence."""

    asks_experts = False

    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
        """Choose none."""
        return Selection((), "none, by configuration")


class FixedSelector(Selector):
    """Asks the experts that the configuration names.

    Args:
        names: of experts, best first.
    """

    def __init__(self, *, names: Sequence[str]) -> None:
        self.names = tuple(dict.fromkeys(names))

    def check(self, names: Sequence[str]) -> None:
        """Raise ConfigError for a name that is not among ``model.experts``."""
        for name in self.names:
            if name not in names:
                raise ConfigError(
                    f"model.selector.names: {name!r} is not in model.experts.{nearest(name, names)} "
                    f"There: {', '.join(names) or 'none'}."
                )

    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
        """Choose the named ones that the medium can feed; the reason names those that it can't."""
        if not experts:
            return nobody(question)
        there = names_of(experts)
        absent = [name for name in self.names if name not in there]
        reason = "fixed by configuration" + (f"; not for this medium: {', '.join(absent)}" if absent else "")
        return Selection(tuple(name for name in self.names if name in there), reason)
