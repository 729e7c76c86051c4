"""Subtitles as evidence: all that is said where it is short, else what bears on the question and what stands by it."""

from __future__ import annotations

import dataclasses

from lavis.common.errors import ConfigError, ModalityError
from lavis.datasets.loaders.captions import Caption
from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.ranking import bm25, content_words
from lavis.experts.words import spread

# Lines that follow each other are told as one passage up to this size; a longer pause begins a new one.
PASSAGE_CHARS, PASSAGE_S, PAUSE_S = 240, 20.0, 1.5
SITUATION_WEIGHT = 0.5  # where one stands matters less than what is asked
# Captions that roll repeat the line before at once.
ROLLING_S = 0.1


@dataclasses.dataclass(frozen=True)
class Passage:
    """What one speaker says without a long pause.

    Attributes:
        text: the words.
        speaker: who says them; empty where not named.
        span_s: from when to when, in s.
    """

    text: str
    speaker: str
    span_s: tuple[float, float]

    def __str__(self) -> str:
        speaker = f"{self.speaker}: " if self.speaker else ""
        return f"- {self.span_s[0]:.1f} to {self.span_s[1]:.1f} s: {speaker}{self.text}"


class SubtitlesExpert(Expert):
    """Quotes subtitles with their times, in their order.

    Args:
        max_chars: a transcript up to so many characters is quoted whole; of a longer one, so much of what
            has words in common with the question and situation, each passage with its neighbours.
    """

    card = ExpertCard(
        name="subtitles",
        modality="subtitles",
        skill="B1",
        summary="what is said in the video and when, from its subtitles: the whole, or what bears on the question",
        version="1",
        question_aware=True,
    )

    def __init__(self, *, max_chars: int = 6000) -> None:
        if max_chars < 200:
            raise ConfigError(f"model.experts.subtitles: max_chars is 200 or more, not {max_chars}.")
        self.max_chars = max_chars

    def write(self, subtitles: tuple[Caption, ...], *, question: Question) -> str:
        """Quote the subtitles of a medium.

        Args:
            subtitles: lines with their speaker as subject and their span in s.
            question: its text and situation rank the passages of a long transcript.

        Returns:
            A header that says how much of it follows, then a line per passage:
            ``- 3.2 to 7.9 s: Anna: It rained.``

        Raises:
            ModalityError: there is no line.
        """
        passages = joined(without_repeats(subtitles))
        if not passages:
            raise ModalityError("there is no subtitle to quote.")
        told = [str(passage) for passage in passages]
        if sum(len(line) + 1 for line in told) <= self.max_chars:
            return "\n".join(["Subtitles, whole:", *told])
        chosen = self._choose(told, question)
        header = f"Subtitles ({len(chosen)} of {len(told)} passages, the nearest to the question and their neighbours):"
        return "\n".join([header, *(told[k] for k in chosen)])

    def _choose(self, told: list[str], question: Question) -> list[int]:
        """Return the passages to quote, in order, of at most ``max_chars`` in all."""
        documents = [content_words(line) for line in told]
        asked = bm25(documents, content_words(question.text))
        around = bm25(documents, content_words(question.situation))
        scores = [round(a + SITUATION_WEIGHT * b, 9) for a, b in zip(asked, around, strict=True)]
        best = [k for k in sorted(range(len(told)), key=lambda k: (-scores[k], k)) if scores[k] > 0]
        wanted = [near for k in best for near in (k, k - 1, k + 1) if 0 <= near < len(told)]
        # What has no word in common ranks nothing: the room that is left is filled evenly.
        mean_chars = sum(map(len, told)) / len(told)
        wanted += spread(len(told), min(len(told), max(1, int(self.max_chars / mean_chars))))
        chosen: dict[int, None] = {}
        n_chars = 0
        for k in wanted:
            if k not in chosen and n_chars + len(told[k]) + 1 <= self.max_chars:
                chosen[k] = None
                n_chars += len(told[k]) + 1
        # A single passage may be longer than all that is allowed; the first wanted is quoted all the same.
        return sorted(chosen) or wanted[:1]


def without_repeats(subtitles: tuple[Caption, ...]) -> list[Caption]:
    """Return the lines with what rolling captions repeat told once: each line's new words with its span."""
    kept: list[Caption] = []
    shown: list[str] = []
    shown_until_s = 0.0
    for caption in subtitles:
        words = caption.text.split()
        start_s, end_s = caption.span_s or (0.0, 0.0)
        follows = bool(kept) and caption.subject == kept[-1].subject and start_s - shown_until_s <= ROLLING_S
        n_repeated = _overlap(shown, words) if follows else 0
        if words[n_repeated:]:
            kept.append(Caption(" ".join(words[n_repeated:]), caption.subject, (start_s, end_s)))
        elif kept:
            kept[-1] = dataclasses.replace(kept[-1], span_s=((kept[-1].span_s or (0.0, 0.0))[0], end_s))
        shown, shown_until_s = words, end_s
    return kept


def joined(captions: list[Caption]) -> list[Passage]:
    """Return lines of one speaker that follow each other as passages."""
    passages: list[Passage] = []
    for caption in captions:
        start_s, end_s = caption.span_s or (0.0, 0.0)
        last = passages[-1] if passages else None
        if (
            last is not None
            and last.speaker == caption.subject
            and start_s - last.span_s[1] <= PAUSE_S
            and end_s - last.span_s[0] <= PASSAGE_S
            and len(last.text) + len(caption.text) < PASSAGE_CHARS
        ):
            span_s = (last.span_s[0], max(last.span_s[1], end_s))
            passages[-1] = Passage(f"{last.text} {caption.text}", last.speaker, span_s)
        else:
            passages.append(Passage(caption.text, caption.subject, (start_s, end_s)))
    return passages


def _overlap(before: list[str], after: list[str]) -> int:
    """Return how many words at the end of one line begin the next; a single word counts where it is all of one."""
    for n_words in range(min(len(before), len(after)), 0, -1):
        if before[-n_words:] == after[:n_words]:
            return n_words if n_words > 1 or n_words in (len(before), len(after)) else 0
    return 0
