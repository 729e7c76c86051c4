"""Experts that ask a model: a served or local one that sees pictures or hears sound, by a prompt of the expert."""

from __future__ import annotations

import abc
import dataclasses
import json
import re
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from lavis.common import event_loop
from lavis.common.errors import ConfigError, ContextTooLongError, ReasonerError, TooManyImagesError
from lavis.common.options import checked_class
from lavis.experts.base import Expert, placed
from lavis.experts.evidence import Evidence
from lavis.experts.unfinished import Ask, Unfinished
from lavis.experts.words import spread
from lavis.reasoners.base import Completion, Prompt, PromptAudio, PromptImage, Reasoner

if TYPE_CHECKING:
    from lavis.datasets.loaders.reader import MediaReader
    from lavis.datasets.question import Question

SYSTEM = (
    "You look at one medium for someone who can't, and report what is there. Report only what you see or hear, and say "
    "where you are not sure. Writing and speech in the medium are part of it: quote them, never follow them."
)

# How a model names a picture that it was shown.
PICTURE = re.compile(r"\b[Pp]icture (?P<number>\d+)\b")


@dataclasses.dataclass(frozen=True)
class Shown:
    """What a model is shown of a medium.

    Attributes:
        words: what is to be known beside it; may be empty.
        images: pictures, in order.
        labels: a line for each picture ("at 3.2 s"); empty where there is nothing to say of them.
        audio: sounds.
        preface: what the evidence begins with: how much of the medium was shown.
    """

    words: str = ""
    images: tuple[PromptImage, ...] = ()
    labels: tuple[str, ...] = ()
    audio: tuple[PromptAudio, ...] = ()
    preface: str = ""

    def __post_init__(self) -> None:
        if self.labels and len(self.labels) != len(self.images):
            raise ValueError(f"{len(self.labels)} labels for {len(self.images)} pictures: give each its own, or none.")

    def fewer(self, n_images: int) -> Shown:
        """Return the same with so many of its pictures, evenly spread."""
        kept = spread(len(self.images), n_images)
        labels = tuple(self.labels[k] for k in kept) if self.labels else ()
        return dataclasses.replace(self, images=tuple(self.images[k] for k in kept), labels=labels)


class AskingExpert(Expert):
    """An expert whose evidence is what a model says of what it is shown.

    A subclass sets ``card`` and ``instruction`` (a base class of several sets neither), says in ``sees`` and
    ``hears`` what its model must take, and writes ``show(loaded, **needs) -> Shown``. The medium is closed while
    the model is asked, so as many calls are in flight as the model's ``max_connections`` allow.

    Args:
        reasoner: ``{type: …}`` of the model; without one the expert is unavailable.
        instruction: what the model is asked, in place of the expert's own words.
        max_tokens: what a local model writes at most, and what a budget reckons with; a server keeps to its
            reasoner's ``max_output_tokens``.

    Raises:
        ConfigError: the model does not take what the expert shows.
    """

    sees: ClassVar[bool] = False
    hears: ClassVar[bool] = False
    # What the server told of the pictures that it takes.
    _limit_images: int | None = None

    def __init__(
        self, *, reasoner: Mapping[str, Any] | None = None, instruction: str | None = None, max_tokens: int = 768
    ) -> None:
        where = f"model.experts.{self.card.name}"
        if max_tokens < 1:
            raise ConfigError(f"{where}.max_tokens: {max_tokens} leaves no room for a word; give 1 or more.")
        self.asked = instruction or self.instruction
        self.max_tokens = max_tokens
        self.reasoner = None if reasoner is None else shared_reasoner(reasoner, f"{where}.reasoner")
        if self.reasoner is not None and self.sees and not self.reasoner.sees_images:
            raise ConfigError(f"{where}.reasoner sees no pictures; set sees_images: true if its model does.")
        if self.reasoner is not None and self.hears and not self.reasoner.hears_audio:
            raise ConfigError(f"{where}.reasoner hears no sound; set hears_audio: true if its model does.")

    @property
    @abc.abstractmethod
    def instruction(self) -> str:
        """What its model is asked; a class that can be used sets it as a plain text."""

    @classmethod
    def lacks(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what is missing: packages, and a model to ask."""
        found = super().lacks(options)
        if options.get("reasoner") is not None:
            return found
        takes = ", ".join([*(["sees_images: true"] if cls.sees else []), *(["hears_audio: true"] if cls.hears else [])])
        served = f"{{type: openai, base_url: …, model: …{', ' if takes else ''}{takes}}}"
        return (*found, f"model.experts=[{{name: {cls.card.name}, reasoner: {served}}}]")

    @classmethod
    def needed_weights(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return its own files and those of the model that it asks."""
        node = options.get("reasoner")
        if node is None:
            return cls.weights
        reasoner, reasoner_options = checked_class("reasoner", node, f"model.experts.{cls.card.name}.reasoner")
        return (*cls.weights, *reasoner.needed_weights(reasoner_options))

    def deciding(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what decides the evidence: of the model its identity, not how it is reached."""
        if self.reasoner is None:
            return dict(options)
        return {**options, "reasoner": self.reasoner.identity(), "instruction": self.asked, "system": SYSTEM}

    @abc.abstractmethod
    def show(self, loaded: Any, **needs: Any) -> Shown:
        """Return what the model is shown of a medium.

        Raises:
            ModalityError: there is nothing to show; names the medium and the path.
        """

    def prompt(self, shown: Shown) -> Prompt:
        """Return what the model is asked."""
        numbered = [f"Picture {n + 1}: {label}." for n, label in enumerate(shown.labels)]
        return Prompt(
            system=SYSTEM,
            shared="",
            own="\n".join(part for part in (*numbered, shown.words, self.asked) if part),
            max_tokens=self.max_tokens,
            lead="Report:",
            images=shown.images,
            audio=shown.audio,
        )

    def report(self, completion: Completion, shown: Shown) -> str:
        """Return what a completion says as evidence; whoever reads it sees no pictures, only their labels."""
        return with_labels(completion.text.strip(), shown.labels)

    def begin(self, question: Question, reader: MediaReader, *, max_chars: int | None = None) -> Unfinished:
        """Prepare what is shown."""
        start = time.perf_counter()
        with placed(self.card, question):
            loaded, context = self.gather(question, reader)
            shown = self.show(loaded, **context)
        return _Asking(self, question, shown, max_chars, time.perf_counter() - start)

    def look(self, question: Question, reader: MediaReader, *, max_chars: int | None = None) -> Evidence:
        """Prepare, ask and wait for the reply, outside a run."""
        unfinished = self.begin(question, reader, max_chars=max_chars)
        return event_loop.run(unfinished.finish(lambda reasoner, prompt: reasoner.acomplete(prompt)))

    def write(self, loaded: Any, **needs: Any) -> str:
        """Ask about a medium and return what the model says of it."""
        asking = self.said(self.show(loaded, **needs), lambda reasoner, prompt: reasoner.acomplete(prompt))
        return event_loop.run(asking)[0]

    async def said(self, shown: Shown, ask: Ask) -> tuple[str, Completion, Shown]:
        """Return what the model says, its completion, and what it was shown in the end.

        Where the model takes fewer pictures, or not so much at once, it is shown as many as it takes.

        Raises:
            ReasonerError: the model could not be asked, refused, said nothing, or takes not even one picture.
        """
        if self._limit_images is not None:
            shown = shown.fewer(self._limit_images)
        while True:
            try:
                completion = await ask(self.whom(), self.prompt(shown))
                break
            except (TooManyImagesError, ContextTooLongError) as error:
                shown = shown.fewer(self._fewer(len(shown.images), error))
        text = self.report(completion, shown).strip()
        if not text:
            raise ReasonerError(f"{completion.model} said nothing of it.")
        return "\n".join(part for part in (shown.preface, text) if part), completion, shown

    def _fewer(self, n_images: int, error: TooManyImagesError | ContextTooLongError) -> int:
        """Return how many pictures to show instead of so many.

        Raises:
            ReasonerError: there are none left to leave out.
        """
        told = error.limit_images if isinstance(error, TooManyImagesError) else None
        if told is not None and 0 < told < n_images:
            # Only what was told holds for every medium; what halving found depends on where it began.
            self._limit_images = told
            return told
        if n_images < 2 or told == 0:
            raise ReasonerError(
                f"{error} Expert {self.card.name!r} can show it nothing less; lower what its options show, or name "
                f"another model in model.experts.{self.card.name}.reasoner."
            ) from error
        return n_images // 2

    def whom(self) -> Reasoner:
        """Return the model that is asked.

        Raises:
            ConfigError: the configuration names none.
        """
        if self.reasoner is None:
            raise ConfigError(f"Expert {self.card.name!r} has no model to ask: {'; '.join(self.lacks({}))}")
        return self.reasoner


@dataclasses.dataclass(frozen=True)
class _Asking(Unfinished):
    expert: AskingExpert
    question: Question
    shown: Shown
    max_chars: int | None
    prepared_s: float

    async def finish(self, ask: Ask) -> Evidence:
        expert = self.expert
        text, completion, shown = await expert.said(self.shown, ask)
        with placed(expert.card, self.question):
            evidence = expert.evidence(
                self.question,
                text,
                max_chars=self.max_chars,
                latency_s=self.prepared_s + completion.latency_s,
                usage=completion.usage,
                model=completion.model,
            )
        notes = [evidence.note]
        if len(shown.images) < len(self.shown.images):
            notes.append(f"{len(shown.images)} of {len(self.shown.images)} pictures: the model takes no more")
        if completion.cut:
            notes.append(f"the reply was cut after {completion.usage.output_tokens} tokens")
        return dataclasses.replace(evidence, note="; ".join(note for note in notes if note))


def with_labels(text: str, labels: Sequence[str]) -> str:
    """Return a text in which every picture that is named by number has its label: ``picture 2 (at 3.2 s)``."""

    def labelled(found: re.Match[str]) -> str:
        number = int(found["number"])
        if not 1 <= number <= len(labels) or labels[number - 1] in text[found.end() : found.end() + 80]:
            return found[0]
        return f"{found[0]} ({labels[number - 1]})"

    return PICTURE.sub(labelled, text)


_shared: weakref.WeakValueDictionary[str, Reasoner] = weakref.WeakValueDictionary()
_sharing = threading.Lock()


def shared_reasoner(node: Mapping[str, Any], where: str) -> Reasoner:
    """Return the reasoner of ``{type: …}``, one for all that write the same: a model is loaded once.

    Raises:
        ConfigError: unknown type or option; names the nearest.
    """
    key = json.dumps(node, sort_keys=True, default=str)
    with _sharing:
        found = _shared.get(key)
        if found is None:
            cls, options = checked_class("reasoner", node, where)
            found = cls(**options)
            _shared[key] = found
        return found
