"""What an expert is: loading, timing and failure once; each expert writes its text."""

from __future__ import annotations

import abc
import inspect
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from lavis.common.errors import ModalityError
from lavis.experts.card import ExpertCard
from lavis.experts.evidence import Evidence

if TYPE_CHECKING:
    from lavis.datasets.loaders.reader import MediaReader
    from lavis.datasets.question import Question


class Expert(abc.ABC):
    """Turns one modality of a medium into evidence.

    A subclass sets ``card`` and writes ``write(loaded, **needs) -> str``: ``loaded`` is what the
    loader of ``card.modality`` returns; each name in ``card.needs`` comes as a keyword argument out
    of the medium's side data, and ``question`` (a blind :class:`Question`) where the card says
    ``question_aware``. ``weights`` names the listed files that it loads. Options are keyword-only
    parameters of ``__init__``; they belong to the key of the evidence store.
    """

    card: ClassVar[ExpertCard]
    weights: ClassVar[tuple[str, ...]] = ()
    write: Callable[..., str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if inspect.isabstract(cls):
            return
        if not isinstance(getattr(cls, "card", None), ExpertCard):
            raise TypeError(f"{cls.__qualname__} has no card: set `card = ExpertCard(...)` in the class.")
        if not callable(getattr(cls, "write", None)):
            raise TypeError(f"{cls.__qualname__} has no `write(loaded, ...)`.")

    def missing_needs(self, question: Question) -> tuple[str, ...]:
        """Return what the medium lacks for this expert: its modality or side data."""
        media = question.media
        missing = [] if media.serving(self.card.modality) else [self.card.modality]
        return (*missing, *(need for need in self.card.needs if media.side.get(need) is None))

    def look(self, question: Question, reader: MediaReader) -> Evidence:
        """Load, write and time the evidence for one question's medium.

        Raises:
            ModalityError: the modality is missing or unreadable; names question, medium and path.
        """
        missing = self.missing_needs(question)
        media = question.media
        if missing:
            raise ModalityError(
                f"Question {question.question_id}: medium {media.media_id!r} has no {', '.join(missing)}, "
                f"which expert {self.card.name!r} needs; add it to datasets.<name>.data_type or leave the expert out."
            )
        context: dict[str, Any] = {need: media.side[need] for need in self.card.needs}
        if self.card.question_aware:
            context["question"] = question.blind()
        start = time.perf_counter()
        try:
            text = self.write(reader.load(self.card.modality), **context)
        except ModalityError as error:
            path = media.path(self.card.modality)
            # A loader names medium and path itself; an expert that got no clip can't.
            where = "" if str(path) in str(error) else f"medium {media.media_id!r}, {self.card.modality} at {path}: "
            raise ModalityError(f"Question {question.question_id}: {where}{error}") from error
        return Evidence(
            expert=self.card.name,
            media_id=media.media_id,
            text=text,
            version=self.card.version,
            latency_s=time.perf_counter() - start,
        )
