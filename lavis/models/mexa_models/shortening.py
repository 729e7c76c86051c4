"""Evidence that does not fit into a model's context: what is left out, in which order.

The policy: whole reports go first, that of the lowest selection rank before the others; when one
report is left and still does not fit, its lines are thinned evenly, its heading kept. A question,
an option and the instructions are never cut. What goes depends on the prompt and the limit alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from lavis.experts.evidence import Evidence
from lavis.experts.words import spread


@dataclasses.dataclass(frozen=True)
class Shortened:
    """Evidence that fits, and what was done to make it fit, a line each."""

    evidence: tuple[Evidence, ...]
    notes: tuple[str, ...]


def shorten(
    evidence: Sequence[Evidence], ranks: Sequence[str], fits: Callable[[Sequence[Evidence]], bool]
) -> Shortened:
    """Return as much of some evidence as fits.

    Args:
        evidence: in the order of the prompt.
        ranks: the experts' names, the most wanted first.
        fits: whether a prompt with this evidence fits.

    Returns:
        The evidence that is left, in the same order; none of it where even the bare question does not fit.
    """
    kept = list(evidence)
    notes: list[str] = []
    spoken = [item for item in kept if item.text]
    while len(spoken) > 1 and not fits(kept):
        last = max(spoken, key=lambda item: _rank(item, ranks))
        kept.remove(last)
        spoken.remove(last)
        notes.append(f"{last.expert}: left out ({len(last.text)} characters)")
    if spoken and not fits(kept):
        at = kept.index(spoken[0])
        thinned, note = _thin(kept, at, fits)
        notes.append(note)
        kept = thinned
    return Shortened(tuple(kept), tuple(notes))


def _thin(kept: list[Evidence], at: int, fits: Callable[[Sequence[Evidence]], bool]) -> tuple[list[Evidence], str]:
    """Keep the heading and as many evenly spread lines of one report as fit."""
    report = kept[at]
    heading, *lines = report.text.lstrip("\n").split("\n")

    def with_lines(n: int) -> list[Evidence]:
        chosen = [lines[index] for index in spread(len(lines), n)]
        return [*kept[:at], dataclasses.replace(report, text="\n".join([heading, *chosen])), *kept[at + 1 :]]

    low, high = -1, len(lines) - 1  # low lines fit (-1: not even the heading), high + 1 do not
    while low < high:
        middle = (low + high + 1) // 2
        if fits(with_lines(middle)):
            low = middle
        else:
            high = middle - 1
    if low < 0:
        return [*kept[:at], *kept[at + 1 :]], f"{report.expert}: left out ({len(report.text)} characters)"
    return with_lines(low), f"{report.expert}: {low} of {len(lines)} lines kept"


def _rank(item: Evidence, ranks: Sequence[str]) -> int:
    return ranks.index(item.expert) if item.expert in ranks else len(ranks)
