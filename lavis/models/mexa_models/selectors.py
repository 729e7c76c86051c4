"""Selectors: which experts are worth asking about a question."""

from __future__ import annotations

import abc
import re
from collections.abc import Sequence

from lavis.common.errors import ConfigError, nearest
from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.models.mexa_models.answer import Selection
from lavis.models.mexa_models.prompts import selection_prompt
from lavis.reasoners.base import Reasoner


class Selector(abc.ABC):
    """Chooses among the experts that the question's medium can feed, best first.

    A subclass registers a type and takes its options as keyword-only parameters of ``__init__``.
    """

    @abc.abstractmethod
    def select(self, question: Question, experts: Sequence[Expert], reasoner: Reasoner) -> Selection:
        """Choose.

        Args:
            question: blind.
            experts: those whose modality and needs the medium has, in the configuration's order.
            reasoner: the run's own, for selectors that ask one.

        Raises:
            ReasonerError: the reasoner was asked and could not say.
        """

    def check(self, names: Sequence[str]) -> None:
        """Raise ConfigError if the selector names an expert that the configuration does not list."""
        return None


class AllSelector(Selector):
    """Asks every expert that the medium can feed."""

    def select(self, question: Question, experts: Sequence[Expert], reasoner: Reasoner) -> Selection:
        """Choose all, in the configuration's order."""
        return Selection(tuple(expert.card.name for expert in experts), "all that the medium can feed")


class NoneSelector(Selector):
    """Asks nobody: the row of a table that shows what the reasoner knows without evidence."""

    def select(self, question: Question, experts: Sequence[Expert], reasoner: Reasoner) -> Selection:
        """Choose none."""
        return Selection((), "none, by configuration")


class FixedSelector(Selector):
    """Asks the experts that the configuration names."""

    def __init__(self, *, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def check(self, names: Sequence[str]) -> None:
        """Raise ConfigError for a name that is not among ``model.experts``."""
        for name in self.names:
            if name not in names:
                raise ConfigError(
                    f"model.selector.names: {name!r} is not in model.experts.{nearest(name, names)} "
                    f"There: {', '.join(names) or 'none'}."
                )

    def select(self, question: Question, experts: Sequence[Expert], reasoner: Reasoner) -> Selection:
        """Choose the named ones that the medium can feed."""
        there = {expert.card.name for expert in experts}
        return Selection(tuple(name for name in self.names if name in there), "fixed by configuration")


class RulesSelector(Selector):
    """Asks by the words of the question: experts whose cue occurs first, then those that always help.

    An expert whose card has no cue is always asked; one with a cue only where the question's text
    matches it. If that leaves nobody, everybody is asked.
    """

    def __init__(self, *, max_experts: int | None = None) -> None:
        self.max_experts = max_experts

    def select(self, question: Question, experts: Sequence[Expert], reasoner: Reasoner) -> Selection:
        """Choose by cue."""
        cued = [expert for expert in experts if expert.card.cue and _occurs(expert.card.cue, question.text)]
        always = [expert for expert in experts if not expert.card.cue]
        chosen = [*cued, *always] or list(experts)
        names = tuple(expert.card.name for expert in chosen[: self.max_experts])
        occasional = tuple(expert.card.name for expert in cued if expert.card.name in names)
        return Selection(names, f"cue in the question: {', '.join(occasional) or 'none'}", occasional)


class LLMSelector(Selector):
    """Asks the run's reasoner which experts it wants, by their cards (MEXA, arXiv 2506.17113, section 3)."""

    def __init__(self, *, max_experts: int = 3) -> None:
        if max_experts < 1:
            raise ConfigError(f"model.selector.max_experts: {max_experts} is less than 1; use type: none for nobody.")
        self.max_experts = max_experts

    def select(self, question: Question, experts: Sequence[Expert], reasoner: Reasoner) -> Selection:
        """Choose what the reasoner names; everybody if it names nobody that there is."""
        if len(experts) <= 1:
            return Selection(tuple(expert.card.name for expert in experts), "no choice to make")
        prompt = selection_prompt(question, experts, max_experts=min(self.max_experts, len(experts)))
        completion = reasoner.complete(prompt)
        known = {expert.card.name for expert in experts}
        named = [word for word in re.split(r"[^\w]+", completion.text) if word in known]
        unique = tuple(dict.fromkeys(named))[: self.max_experts]
        if not unique:
            everybody = tuple(expert.card.name for expert in experts)
            return Selection(everybody, f"the reasoner named nobody: {completion.text[:80]!r}", usage=completion.usage)
        return Selection(unique, f"named by {completion.model}", unique, completion.usage)


def _occurs(cue: str, text: str) -> bool:
    return re.search(cue, text, re.IGNORECASE) is not None
