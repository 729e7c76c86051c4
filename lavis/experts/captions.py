"""Texts that people or models already wrote about a medium: the ones that bear on the question."""

from __future__ import annotations

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.captions import Caption
from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.ranking import bm25, content_words
from lavis.experts.words import spread

SITUATION_WEIGHT = 0.5  # where one stands matters less than what is asked


class CaptionsExpert(Expert):
    """Quotes the texts nearest to the question and situation, by words in common, in their own order.

    Args:
        max_texts: at most so many texts are quoted.
        max_words: longer texts are cut after so many words.
    """

    card = ExpertCard(
        name="captions",
        modality="captions",
        skill="A3",
        summary="texts that people or models wrote about the scene or clip, those nearest to the question",
        version="1",
        question_aware=True,
    )

    def __init__(self, *, max_texts: int = 16, max_words: int = 40) -> None:
        if max_texts < 1 or max_words < 1:
            raise ConfigError("model.experts.captions: max_texts and max_words are 1 or more.")
        self.max_texts = max_texts
        self.max_words = max_words

    def write(self, captions: tuple[Caption, ...], *, question: Question) -> str:
        """Quote the texts that bear on a question.

        Args:
            captions: what was written about the medium, in the file's order.
            question: its text and situation rank the texts; it comes without its gold answers.

        Returns:
            A header that says how many of how many, then a line per text: ``- window: The one on the left.``

        Raises:
            ModalityError: there is no text.
        """
        texts = tuple(one for one in captions if one.text.strip())
        if not texts:
            raise ModalityError("there is no caption to quote.")
        chosen = self._choose(texts, question)
        header = "Descriptions by others"
        if len(chosen) < len(texts):
            header += f" ({len(chosen)} of {len(texts)}, the nearest to the question)"
        return "\n".join([f"{header}:", *(self._line(texts[k]) for k in chosen)])

    def _choose(self, texts: tuple[Caption, ...], question: Question) -> list[int]:
        if len(texts) <= self.max_texts:
            return list(range(len(texts)))
        documents = [content_words(f"{one.subject} {one.text}") for one in texts]
        asked = bm25(documents, content_words(question.text))
        around = bm25(documents, content_words(question.situation))
        scores = [round(a + SITUATION_WEIGHT * b, 9) for a, b in zip(asked, around, strict=True)]
        order = sorted(range(len(texts)), key=lambda k: (-scores[k], k))
        chosen = [k for k in order if scores[k] > 0][: self.max_texts]
        # What has no word in common ranks nothing: the room that is left is filled evenly.
        rest = sorted(set(range(len(texts))) - set(chosen))
        free = self.max_texts - len(chosen)
        return sorted([*chosen, *(rest[k] for k in spread(len(rest), free))] if free else chosen)

    def _line(self, caption: Caption) -> str:
        words = caption.text.split()
        text = " ".join(words[: self.max_words]) + (" …" if len(words) > self.max_words else "")
        when = f"{caption.span_s[0]:.1f} s to {caption.span_s[1]:.1f} s: " if caption.span_s else ""
        subject = f"{caption.subject}: " if caption.subject else ""
        return f"- {when}{subject}{text}"
