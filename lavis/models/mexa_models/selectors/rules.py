"""The rules selector: words, question types and media call for skills, and skills for experts; no model is asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from lavis.common.entries import ENTRIES
from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.models.mexa_models.answer import Selection
from lavis.models.mexa_models.selectors.base import Frames, Selector, check_max_experts, names_of, nobody
from lavis.models.mexa_models.selectors.cues import KNOWN_NEEDS, Call, calls, general_calls, need_of
from lavis.reasoners.base import Reasoner


class RulesSelector(Selector):
    """Asks by the table in `cues.py`, which knows MEXA's skills and CREMA's modalities.

    The table calls for experts by their skill. An expert of another package whose card has a cue is asked exactly
    where the question's text matches it; this package's own have the table, whatever their cards say. Experts of a
    skill that the table does not know, and without a cue, are always asked. If that leaves nobody, the medium's
    modalities decide, then experts without cue, then everybody is asked.

    Args:
        max_experts: at most so many are chosen; None for no bound.

    Raises:
        ConfigError: ``max_experts`` is less than 1.
    """

    def __init__(self, *, max_experts: int | None = None) -> None:
        check_max_experts(max_experts)
        self.max_experts = max_experts

    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
        """Choose by cue, and say which cue led to whom."""
        return self.choose(question, experts)

    def choose(self, question: Question, experts: Sequence[Expert]) -> Selection:
        """Choose as :meth:`select` does, without waiting."""
        if not experts:
            return nobody(question)
        own = {expert.card.name: word for expert in experts if (word := _own_cue(expert, question))}
        table = _called(calls(question), experts) or _called(general_calls(question), experts)
        always = [expert.card.name for expert in experts if _is_unknown(expert)]
        reasons = {
            **{name: f"its cue '{word}'" for name, word in own.items()},
            **{name: ", ".join(dict.fromkeys(call.why for call in found)) for name, found in table.items()},
            **dict.fromkeys(always, "always, being of a skill that the rules do not know"),
        }
        if not table and not always:
            without_cue = [expert.card.name for expert in experts if not _cue(expert)]
            left = without_cue or ([] if own else names_of(experts))
            reasons.update(dict.fromkeys(left, "no cue leads to anyone else"))
        names = tuple(reasons)[: self.max_experts]
        said = {*own, *(name for name, found in table.items() if any(call.own for call in found))}
        reason = "; ".join(f"{name}: {reasons[name]}" for name in names)
        return Selection(names, reason, tuple(name for name in names if name in said))


def _called(wanted: Iterable[Call], experts: Sequence[Expert]) -> dict[str, list[Call]]:
    """Return who answers which calls, in the calls' order; an expert with a cue of its own answers none."""
    found: dict[str, list[Call]] = {}
    for call in wanted:
        for expert in experts:
            if not _cue(expert) and need_of(expert.card) == call.need:
                found.setdefault(expert.card.name, []).append(call)
    return found


def _cue(expert: Expert) -> str:
    """Return the cue that decides about an expert; empty for this package's own, which the table decides about."""
    return "" if expert.card.name in ENTRIES["expert"] else expert.card.cue


def _own_cue(expert: Expert, question: Question) -> str:
    """Return the words of the question that an expert's cue matches; empty if it has none, or they don't occur."""
    cue = _cue(expert)
    found = re.search(cue, question.text, re.IGNORECASE) if cue else None
    return found[0] if found else ""


def _is_unknown(expert: Expert) -> bool:
    return not _cue(expert) and need_of(expert.card) not in KNOWN_NEEDS
