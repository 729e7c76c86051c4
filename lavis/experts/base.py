"""What an expert is: loading, timing, length and failure once; each expert writes its text."""

from __future__ import annotations

import abc
import importlib.util
import inspect
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from lavis.common.errors import ModalityError
from lavis.common.registry import registry
from lavis.experts.card import ExpertCard
from lavis.experts.evidence import Evidence

if TYPE_CHECKING:
    from lavis.datasets.loaders.reader import MediaReader
    from lavis.datasets.question import Question
    from lavis.experts.unfinished import Unfinished
    from lavis.reasoners.base import Reasoner

# Name of every expert that is defined, to the place of its class.
_PLACES: dict[str, str] = {}


class Expert(abc.ABC):
    """Turns one modality of a medium into evidence.

    A subclass sets ``card`` and writes ``write(loaded, **needs) -> str``: ``loaded`` is what the
    loader of ``card.modality`` returns; each name in ``card.needs`` comes as a keyword argument out
    of the medium's side data, each of ``card.companions`` as what its loader returns (None where the
    medium has none), and ``question`` (a blind :class:`Question`) where the card says ``question_aware``.
    ``weights`` names the listed files that it loads, ``packages`` what must be importable beside this
    package's own requirements. Options are keyword-only parameters of ``__init__``; they belong to the
    key of the evidence store.

    Attributes:
        reasoner: the model that it asks, where it asks one.
    """

    card: ClassVar[ExpertCard]
    weights: ClassVar[tuple[str, ...]] = ()
    packages: ClassVar[tuple[str, ...]] = ()
    reasoner: Reasoner | None = None
    write: Callable[..., str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if inspect.isabstract(cls):
            return
        card = getattr(cls, "card", None)
        if not isinstance(card, ExpertCard):
            raise TypeError(f"{cls.__qualname__} has no card: set `card = ExpertCard(...)` in the class.")
        if not callable(getattr(cls, "write", None)):
            raise TypeError(f"{cls.__qualname__} has no `write(loaded, ...)`.")
        if "card" in cls.__dict__:
            _claim(card.name, cls)

    @classmethod
    def lacks(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what this machine or the options lack for it, each as the command or line that enables it.

        Weights are not among it: those are fetched before a run.
        """
        return tuple(f"pip install {name}" for name in cls.packages if importlib.util.find_spec(name) is None)

    @classmethod
    def needed_weights(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the listed weights files that it needs with these options."""
        return cls.weights

    def deciding(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of its options in the configuration decides its evidence; part of the store's key."""
        return dict(options)

    def missing_needs(self, question: Question) -> tuple[str, ...]:
        """Return what the medium lacks for this expert: its modality or side data."""
        media = question.media
        missing = [] if media.serving(self.card.modality) else [self.card.modality]
        return (*missing, *(need for need in self.card.needs if media.side.get(need) is None))

    def gather(self, question: Question, reader: MediaReader) -> tuple[Any, dict[str, Any]]:
        """Load what :meth:`write` takes: the medium's modality, and the keyword arguments.

        Raises:
            ModalityError: the modality is missing or unreadable.
        """
        media = question.media
        if missing := self.missing_needs(question):
            raise ModalityError(
                f"Question {question.question_id}: medium {media.media_id!r} has no {', '.join(missing)}, "
                f"which expert {self.card.name!r} needs; add it to datasets.<name>.data_type or leave the expert out."
            )
        context: dict[str, Any] = {need: media.side[need] for need in self.card.needs}
        if self.card.question_aware:
            context["question"] = question.blind()
        loaded = reader.load(self.card.modality)
        for modality in self.card.companions:
            context[modality] = reader.load(modality) if reader.holds(modality) else None
        return loaded, context

    def look(self, question: Question, reader: MediaReader, *, max_chars: int | None = None) -> Evidence:
        """Load, write and time the evidence for one question's medium.

        Args:
            question: gives the medium, and its text to an expert that is aware of it.
            reader: of the medium.
            max_chars: a longer text is cut, and says so; None for what the card allows.

        Raises:
            ModalityError: the modality is missing or unreadable, or there is nothing to say of it; names question,
                medium and path.
        """
        start = time.perf_counter()
        with placed(self.card, question):
            loaded, context = self.gather(question, reader)
            text = self.write(loaded, **context)
            return self.evidence(question, text, max_chars=max_chars, latency_s=time.perf_counter() - start)

    def begin(self, question: Question, reader: MediaReader, *, max_chars: int | None = None) -> Evidence | Unfinished:
        """Do what has to be done while the medium is open; an expert that asks a model finishes later."""
        return self.look(question, reader, max_chars=max_chars)

    def evidence(
        self, question: Question, text: str, *, max_chars: int | None = None, latency_s: float = 0.0, **more: Any
    ) -> Evidence:
        """Return a text as evidence, cut to what is allowed.

        Raises:
            ModalityError: the text is empty.
            TypeError: it is no text.
        """
        if not isinstance(text, str):
            raise TypeError(f"expert {self.card.name!r} returned {type(text).__name__} where its text belongs.")
        # Half of a surrogate pair can be neither kept nor sent; a served model's JSON may hold one.
        text = text.encode("utf-8", "replace").decode("utf-8").strip()
        if not text:
            raise ModalityError(f"expert {self.card.name!r} says nothing of it.")
        limit = min(max_chars or self.card.max_chars, self.card.max_chars)
        shown = shortened(text, limit)
        return Evidence(
            expert=self.card.name,
            media_id=question.media.media_id,
            text=shown,
            version=self.card.version,
            latency_s=latency_s,
            note="" if shown == text else f"cut to {limit} of {len(text)} characters",
            **more,
        )


class placed:
    """Adds question, medium and path to a ModalityError that does not name them."""

    def __init__(self, card: ExpertCard, question: Question) -> None:
        self.card = card
        self.question = question

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        asked = f"Question {self.question.question_id}: "
        if not isinstance(error, ModalityError) or str(error).startswith(asked):
            return
        media = self.question.media
        path = media.path(self.card.modality)
        # A loader names medium and path itself; an expert that got no clip can't.
        known = str(path) in str(error)
        where = "" if known else f"medium {media.media_id!r}, {self.card.modality} at {path}: "
        raise ModalityError(f"{asked}{where}{error}") from error


def shortened(text: str, max_chars: int) -> str:
    """Return a text of at most ``max_chars`` characters; what was cut off says so and is cut at a word."""
    if len(text) <= max_chars:
        return text
    told = f" [cut: {len(text)} characters in all]"
    if max_chars <= len(told):
        return text[:max_chars]
    kept = text[: max_chars - len(told)]
    space = max(kept.rfind(" "), kept.rfind("\n"))
    return kept[: space if space > len(kept) // 2 else None].rstrip() + told


def _claim(name: str, expert: type[Expert]) -> None:
    """Note that a class carries a name.

    The same class may be defined again (a reload, a notebook's cell), and a subclass may keep the name of
    what it changes, to stand in its place.

    Raises:
        TypeError: another class carries it.
    """
    listed = registry.names_of("expert")
    places = [f"{one.__module__}:{one.__qualname__}" for one in expert.__mro__]
    holder = _PLACES.get(name) or (listed.place_of(name) if name in listed else places[0])
    if holder not in places:
        raise TypeError(f"The card of {places[0]} has the name {name!r}, which {holder} carries; choose another.")
    _PLACES.setdefault(name, places[0])
