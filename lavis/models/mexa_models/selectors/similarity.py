"""The similarity selector: experts whose cards are near to the question in meaning, by a small embedding model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from lavis.common.errors import ConfigError
from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.experts.skills import SKILLS
from lavis.models.mexa_models.answer import Selection
from lavis.models.mexa_models.selectors.base import Frames, Selector, check_max_experts, nobody
from lavis.models.mexa_models.selectors.embedding import MODEL, TOKENIZER, TextEmbedder
from lavis.reasoners.base import Reasoner


class SimilaritySelector(Selector):
    """Asks the experts whose card is nearest to the question.

    A card's text is its skill's name and its summary; a question's is its situation, its type and its text.

    Args:
        max_experts: at most so many are chosen.
        min_similarity: cosine from -1 to 1 below which an expert is not asked; the nearest one always is.

    Raises:
        ConfigError: an option is out of range, or onnxruntime or tokenizers is not installed.
        WeightsError: the weights are not there; gives the command that fetches them.
    """

    weights = (MODEL, TOKENIZER)

    def __init__(self, *, max_experts: int = 3, min_similarity: float = 0.25) -> None:
        check_max_experts(max_experts)
        if not -1.0 <= min_similarity <= 1.0:
            raise ConfigError(f"model.selector.min_similarity: {min_similarity} is no cosine; give -1 to 1.")
        self.max_experts = max_experts
        self.min_similarity = min_similarity
        self.embedder = TextEmbedder()

    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
        """Choose by cosine; the reason gives the numbers."""
        if not experts:
            return nobody(question)
        ranked = await asyncio.to_thread(self.rank, question, experts)
        chosen = [pair for pair in ranked if pair[1] >= self.min_similarity][: self.max_experts] or ranked[:1]
        names = tuple(name for name, _ in chosen)
        return Selection(names, "similarity: " + ", ".join(f"{name} {cosine:.2f}" for name, cosine in chosen), names)

    def rank(self, question: Question, experts: Sequence[Expert]) -> list[tuple[str, float]]:
        """Return (name, cosine) of every expert, the nearest first; equals keep the configuration's order."""
        vectors = self.embedder.embed([question_text(question), *(card_text(expert) for expert in experts)])
        cosines = [float(value) for value in vectors[1:] @ vectors[0]]
        pairs = [(expert.card.name, cosine) for expert, cosine in zip(experts, cosines, strict=True)]
        return sorted(pairs, key=lambda pair: -pair[1])


def question_text(question: Question) -> str:
    """Return what a question is embedded as; options are left out, which tell of answers more than of skills."""
    return ". ".join(part for part in (question.situation, question.category, question.text) if part)


def card_text(expert: Expert) -> str:
    """Return what a card is embedded as."""
    return f"A question about {SKILLS[expert.card.skill]}: {expert.card.summary}"
