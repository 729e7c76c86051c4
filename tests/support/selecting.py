"""Run a selector in a test."""

from __future__ import annotations

from collections.abc import Sequence

from mexa_parts import PosedExpert, RecordingReasoner, TextsExpert

from lavis.common import event_loop
from lavis.datasets.question import Question
from lavis.experts import Expert
from lavis.models.mexa_models.answer import Selection
from lavis.models.mexa_models.selectors import Frames, Selector
from lavis.reasoners.base import Reasoner

EXPERTS: Sequence[Expert] = [TextsExpert(), PosedExpert()]


def select(
    selector: Selector,
    question: Question,
    experts: Sequence[Expert] = EXPERTS,
    reasoner: Reasoner | None = None,
    frames: Frames | None = None,
) -> Selection:
    """Return what a selector chooses."""
    return event_loop.run(selector.select(question, experts, reasoner or RecordingReasoner(), frames))
