"""Selectors: which experts are worth asking about a question."""

from __future__ import annotations

import abc
import dataclasses
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from lavis.common.errors import ConfigError, nearest
from lavis.common.options import checked_class
from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.models.mexa_models.answer import Selection
from lavis.models.mexa_models.prompts import selection_prompt
from lavis.reasoners.base import Completion, Prompt, PromptImage, Reasoner
from lavis.reasoners.structured import read_json

# (number of frames) → that many pictures of the question's medium.
Frames = Callable[[int], Awaitable[tuple[PromptImage, ...]]]


class Selector(abc.ABC):
    """Chooses among the experts that the question's medium can feed, best first.

    A subclass registers a type and takes its options as keyword-only parameters of ``__init__``.

    Attributes:
        reasoner: whom it asks, where that is another than the run's.
    """

    reasoner: Reasoner | None = None

    @abc.abstractmethod
    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
        """Choose.

        Args:
            question: blind.
            experts: those whose modality and needs the medium has, in the configuration's order.
            reasoner: its own or the run's, for selectors that ask one.
            frames: gives pictures of the medium; None where there are none to be had.

        Raises:
            ReasonerError: the reasoner was asked and could not say.
        """

    def check(self, names: Sequence[str]) -> None:
        """Raise ConfigError if the selector names an expert that the configuration does not list."""
        return None


class AllSelector(Selector):
    """Asks every expert that the medium can feed."""

    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
        """Choose all, in the configuration's order."""
        return Selection(tuple(expert.card.name for expert in experts), "all that the medium can feed")


class NoneSelector(Selector):
    """Asks nobody: the row of a table that shows what the reasoner knows without evidence."""

    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
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

    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
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

    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
        """Choose by cue."""
        cued = [expert for expert in experts if expert.card.cue and _occurs(expert.card.cue, question.text)]
        always = [expert for expert in experts if not expert.card.cue]
        chosen = [*cued, *always] or list(experts)
        names = tuple(expert.card.name for expert in chosen[: self.max_experts])
        occasional = tuple(expert.card.name for expert in cued if expert.card.name in names)
        return Selection(names, f"cue in the question: {', '.join(occasional) or 'none'}", occasional)


class LLMSelector(Selector):
    """Asks a reasoner which experts it wants, by their cards (MEXA, arXiv 2506.17113, section 3).

    A reasoner that writes JSON is held to a schema and says why; a reply that does not fit even after
    one repair leaves the choice to the rules, which the reason says.

    Args:
        max_experts: at most so many are chosen.
        n_frames: pictures of the medium that it sees with the question, where the reasoner sees.
        reasoner: ``{type: …}`` of another reasoner than the run's.

    Raises:
        ConfigError: an option is out of range, or of a reasoner that does not take it.
    """

    def __init__(self, *, max_experts: int = 3, n_frames: int = 0, reasoner: Mapping[str, Any] | None = None) -> None:
        if max_experts < 1:
            raise ConfigError(f"model.selector.max_experts: {max_experts} is less than 1; use type: none for nobody.")
        if n_frames < 0:
            raise ConfigError(f"model.selector.n_frames: {n_frames} is less than 0.")
        self.max_experts = max_experts
        self.n_frames = n_frames
        if reasoner is not None:
            cls, options = checked_class("reasoner", reasoner, "model.selector.reasoner")
            self.reasoner = cls(**options)

    def prompt(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, images: Sequence[PromptImage] = ()
    ) -> Prompt:
        """Return what the reasoner is asked."""
        return selection_prompt(
            question,
            experts,
            max_experts=min(self.max_experts, len(experts)),
            as_json=reasoner.writes_json,
            images=images,
        )

    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
        """Choose what the reasoner names; everybody if it names nobody that there is."""
        everybody = tuple(expert.card.name for expert in experts)
        if len(experts) <= 1:
            return Selection(everybody, "no choice to make")
        if self.n_frames and not reasoner.sees_images:
            raise ConfigError(
                "model.selector.n_frames: the reasoner sees no pictures; set sees_images: true if its model does."
            )
        images = await frames(self.n_frames) if self.n_frames and frames is not None else ()
        completion = await reasoner.acomplete(self.prompt(question, experts, reasoner, images))
        asked = Selection((), usage=completion.usage, model=completion.model, schema_path=completion.schema_path)
        if completion.schema_path == "unfit":
            fallen = await RulesSelector(max_experts=self.max_experts).select(question, experts, reasoner)
            reason = f"the reply fits no schema, so the rules chose ({fallen.reason})"
            return dataclasses.replace(asked, experts=fallen.experts, reason=reason, occasional=fallen.occasional)
        names, reason = _named(completion, everybody)
        unique = tuple(dict.fromkeys(names))[: self.max_experts]
        if not unique:
            nobody = f"the reasoner named nobody: {completion.text[:80]!r}"
            return dataclasses.replace(asked, experts=everybody, reason=nobody)
        return dataclasses.replace(asked, experts=unique, reason=reason, occasional=unique)


def _named(completion: Completion, known: Sequence[str]) -> tuple[list[str], str]:
    """Return the experts that a completion names, and why."""
    if completion.schema_path:
        reply = read_json(completion.text)
        return list(reply["experts"]), f"{completion.model}: {reply['reason']}"
    names = [word for word in re.split(r"[^\w]+", completion.text) if word in known]
    return names, f"named by {completion.model}"


def _occurs(cue: str, text: str) -> bool:
    return re.search(cue, text, re.IGNORECASE) is not None
