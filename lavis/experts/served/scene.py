"""A room from several views, for a vision model that is told where somebody stands and what is asked."""

from __future__ import annotations

from typing import Any

from lavis.datasets.loaders.base import Clip
from lavis.datasets.question import Question
from lavis.experts.card import ExpertCard
from lavis.experts.served.vision import VisionExpert


class SceneDescriptionExpert(VisionExpert):
    """Describes the scene that views of it show, as seen from where the question's situation stands."""

    card = ExpertCard(
        name="vlm_scene",
        modality="frame",
        skill="C2",
        summary="the scene around a described standpoint: what is left, right, in front and behind, what bears on it",
        version="1",
        question_aware=True,
        cost="served",
    )
    usual_images = 12
    instruction = (
        "These are views of one scene, taken while a camera moved through it. Put them together in mind. Say in at "
        "most 200 words which things there are, how many of each, of which colour and state, and how they lie to each "
        "other; where a standpoint is told, say what is in front of it, behind it, to its left and right, as far as "
        "the views tell. Then report what bears on the question. Say what the views leave open. Choose no answer."
    )

    def words(self, clip: Clip, views: list[int], **needs: Any) -> str:
        """Tell the standpoint and the question."""
        question: Question = needs["question"]
        told = [f"The standpoint: {question.situation}"] if question.situation else []
        return "\n".join([*told, f"Somebody will have to answer: {question.text}"])
