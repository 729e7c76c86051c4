"""One more witness: a model that sees the frames, hears the sound and is asked the question itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lavis.common.errors import ConfigError
from lavis.datasets.loaders.base import Clip
from lavis.datasets.question import Question
from lavis.experts.asking import Shown
from lavis.experts.card import ExpertCard
from lavis.experts.served.hearing import MAX_S, encoded_wav
from lavis.experts.served.vision import VisionExpert


class OmniExpert(VisionExpert):
    """Gives a model frames, sound where there is any, and the question with its options; its answer is evidence.

    Args:
        reasoner: as of :class:`AskingExpert`; of a model that sees, and hears.
        instruction, max_tokens, n_images, longest_side_px: as of :class:`VisionExpert`.
        max_s: so much of the sound is sent at most, in s; what is left out is told.
    """

    card = ExpertCard(
        name="omni",
        modality="frame",
        skill="omni",
        summary="the answer, with its reason, of a model that sees the frames and hears the sound together",
        version="1",
        question_aware=True,
        cost="served",
        companions=("audio",),
    )
    hears = True
    usual_images = 16
    instruction = (
        "Answer the question from what you see and hear, in this form:\n"
        "Seen and heard: what bears on the question, with times, in at most 100 words.\n"
        "Answer: the answer; an option in its own words where there are options.\n"
        "Sure: very, fairly or hardly, and what could be otherwise."
    )

    def __init__(
        self,
        *,
        reasoner: Mapping[str, Any] | None = None,
        instruction: str | None = None,
        max_tokens: int = 768,
        n_images: int | None = None,
        longest_side_px: int | None = None,
        max_s: float = MAX_S,
    ) -> None:
        super().__init__(
            reasoner=reasoner,
            instruction=instruction,
            max_tokens=max_tokens,
            n_images=n_images,
            longest_side_px=longest_side_px,
        )
        if not max_s > 0:
            raise ConfigError(f"model.experts.omni.max_s: {max_s} s is no sound; give more than 0.")
        self.max_s = max_s

    def show(self, loaded: Clip, **needs: Any) -> Shown:
        """Show frames [t, h, w, c], let sound [n] be heard, and ask.

        Raises:
            ModalityError: there is no frame.
        """
        shown = super().show(loaded)
        question: Question = needs["question"]
        audio: Clip | None = needs.get("audio")
        told = [f"Situation: {question.situation}"] if question.situation else []
        told.append(f"Question: {question.text}")
        if question.options:
            told += ["Options:", *(f"- {option}" for option in question.options)]
        if audio is None:
            preface = "This witness saw frames and heard no sound."
            return Shown("\n".join(["There is no sound.", *told]), shown.images, shown.labels, preface=preface)
        sound, cut = encoded_wav(audio, max_s=self.max_s)
        when = f"The sound is {sound.length_s:.1f} s long." + (f" {cut}" if cut else "")
        preface = f"This witness saw frames and heard the sound. {cut}".strip()
        return Shown("\n".join([when, *told]), shown.images, shown.labels, (sound,), preface)
