"""Evidence that still has to be asked for, once its medium is closed again."""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable

from lavis.experts.evidence import Evidence
from lavis.reasoners.base import Completion, Prompt, Reasoner

# (whom, what) → its completion; the caller counts and bounds what that costs.
Ask = Callable[[Reasoner, Prompt], Awaitable[Completion]]


class Unfinished(abc.ABC):
    """What an expert prepared from a medium, to be shown to a model."""

    @abc.abstractmethod
    async def finish(self, ask: Ask) -> Evidence:
        """Ask the model, and return what it said as evidence.

        Raises:
            ReasonerError: the model could not be asked, or refused.
        """
