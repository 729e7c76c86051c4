"""Completes a prompt with as much evidence as fits into the model's context."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from lavis.common.errors import ContextTooLongError
from lavis.experts.evidence import Evidence
from lavis.models.mexa_models.shortening import Shortened, shorten
from lavis.reasoners.base import Completion, Prompt, Reasoner

# A server says that a prompt is too long, not always by how much: each refusal leaves a quarter less, so that the
# last of them allows a tenth of the first prompt.
MAX_REFUSALS = 8
AFTER_REFUSAL = 0.75


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A completion, and what was taken out of its prompt's evidence, a line each."""

    completion: Completion
    shortened: tuple[str, ...]


async def complete_fitting(
    reasoner: Reasoner,
    prompt: Callable[[Sequence[Evidence]], Prompt],
    evidence: Sequence[Evidence],
    ranks: Sequence[str],
) -> Fitted:
    """Complete the prompt of some evidence, shortened where the reasoner's context asks for it.

    Nothing is learned from one question for the next, so that an answer does not depend on what was
    asked before.

    Args:
        reasoner: says what fits, by ``context_tokens`` or by refusing.
        prompt: evidence to prompt.
        evidence: in the order of the prompt.
        ranks: the experts' names, the most wanted first.

    Raises:
        ContextTooLongError: not even the bare question fits.
        ReasonerError: as the reasoner.
    """
    limit_tokens = reasoner.context_tokens
    tokens_per_counted = 1.0
    left = Shortened(tuple(evidence), ())
    refusals = 0
    while True:
        if limit_tokens is not None:
            allowed = limit_tokens

            def fits(items: Sequence[Evidence], allowed: int = allowed, scale: float = tokens_per_counted) -> bool:
                asked = prompt(items)
                return reasoner.count_tokens(asked) * scale + reasoner.reply_tokens(asked) <= allowed

            left = shorten(evidence, ranks, fits)
        asked = prompt(left.evidence)
        try:
            return Fitted(await reasoner.acomplete(asked), left.notes)
        except ContextTooLongError as error:
            refusals += 1
            if refusals > MAX_REFUSALS or not any(item.text for item in left.evidence):
                raise
            counted = reasoner.count_tokens(asked)
            if error.prompt_tokens and counted:
                tokens_per_counted = max(tokens_per_counted, error.prompt_tokens / counted)
            room = int(AFTER_REFUSAL * (counted * tokens_per_counted + reasoner.reply_tokens(asked)))
            # A limit that the server tells is kept to as it is; one that it refuses all the same is not to be trusted.
            limit_tokens = error.limit_tokens if error.limit_tokens and refusals == 1 else room
