"""Experts that read texts, and a reasoner that remembers what it was asked."""

from __future__ import annotations

from typing import Any

from lavis.datasets.loaders.captions import Caption
from lavis.datasets.question import Pose
from lavis.experts import Expert, ExpertCard
from lavis.reasoners.base import Completion, Prompt, Reasoner, Usage

SECRET_GOLD = "the-gold-nobody-may-see"


class TextsExpert(Expert):
    """Says the texts of the medium."""

    card = ExpertCard(name="texts", modality="captions", skill="A1", summary="what was written", version="1")

    def write(self, loaded: tuple[Caption, ...]) -> str:
        return " / ".join(caption.text for caption in loaded)


class PosedExpert(TextsExpert):
    """Depends on the pose, and is worth asking about directions."""

    card = ExpertCard(
        name="posed",
        modality="captions",
        skill="A1",
        summary="s",
        version="1",
        needs=("pose",),
        cue=r"\b(left|right)\b",
    )

    def write(self, loaded: tuple[Caption, ...], *, pose: Pose) -> str:
        return f"you stand at {pose.position_m}"


class BlindSpotExpert(TextsExpert):
    """Looks at a modality that the medium does not have."""

    card = ExpertCard(name="blind_spot", modality="depth", skill="A2", summary="how far", version="1")


class RecordingReasoner(Reasoner):
    """Returns given texts in turn and keeps the prompts."""

    def __init__(self, *replies: str, form: str = "text") -> None:
        self.replies = list(replies) or ["left"]
        self.prompts: list[Prompt] = []
        self.answer_form = form  # type: ignore[assignment,misc]

    def complete(self, prompt: Prompt) -> Completion:
        self.prompts.append(prompt)
        reply = self.replies[min(len(self.prompts), len(self.replies)) - 1]
        return Completion(reply, Usage(len(prompt.text().split()), len(reply.split())), "recording", 0.0)

    def identity(self) -> dict[str, Any]:
        return {"model": "recording", "temperature": 0}
