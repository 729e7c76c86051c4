"""What a selector is: it chooses among the experts that a medium can feed, and says why."""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from lavis.common.errors import ConfigError
from lavis.common.options import checked_class
from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.models.mexa_models.answer import Selection
from lavis.reasoners.base import PromptImage, Reasoner

# (number of frames) → that many pictures of the question's medium.
Frames = Callable[[int], Awaitable[tuple[PromptImage, ...]]]


class Selector(abc.ABC):
    """Chooses among the experts that the question's medium can feed, best first.

    A subclass registers a type and takes its options as keyword-only parameters of ``__init__``.

    Attributes:
        reasoner: whom it asks, where that is another than the run's.
        asks_experts: whether it ever names an expert; without, no expert's files are needed.
        weights: the listed files that it loads itself.
    """

    reasoner: Reasoner | None = None
    asks_experts: ClassVar[bool] = True
    weights: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def needed_weights(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the listed weights files that choosing with these options needs."""
        node = options.get("reasoner")
        if node is None:
            return cls.weights
        reasoner, reasoner_options = checked_class("reasoner", node, "model.selector.reasoner")
        return (*cls.weights, *reasoner.needed_weights(reasoner_options))

    @abc.abstractmethod
    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
        """Choose.

        Args:
            question: blind.
            experts: those whose modality and needs the medium has, in the configuration's order; may be none.
            reasoner: its own or the run's, for selectors that ask one.
            frames: gives pictures of the medium; None where there are none to be had.

        Raises:
            ReasonerError: the reasoner was asked and could not say.
        """

    def check(self, names: Sequence[str]) -> None:
        """Raise ConfigError if the selector names an expert that the configuration does not list."""
        return None


def names_of(experts: Sequence[Expert]) -> tuple[str, ...]:
    """Return experts' names, in their order."""
    return tuple(expert.card.name for expert in experts)


def nobody(question: Question) -> Selection:
    """Return the selection for a medium that feeds no configured expert: the answer goes on without evidence."""
    there = ", ".join(question.media.sources) or "nothing"
    return Selection((), f"no configured expert can look at medium {question.media.media_id!r}, which has {there}")


def check_max_experts(value: int | None) -> None:
    """Raise ConfigError where an option ``max_experts`` allows nobody."""
    if value is not None and value < 1:
        raise ConfigError(f"model.selector.max_experts: {value} is less than 1; use type: none for nobody.")
