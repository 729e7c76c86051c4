"""Sound events as words: what is heard and when, by the names of AudioSet's 521 kinds of sound."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from lavis.common.errors import ConfigError
from lavis.datasets.loaders.base import Clip
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard
from lavis.experts.listening import listen, spans_s, told_spans
from lavis.experts.yamnet import CLASSES, MODEL, Tags, shared_tagger
from lavis.experts.yamnet.taxonomy import NO_EVENTS, SURROUNDINGS, children

# An event goes on while its probability is at least this share of what it takes to begin one.
GOES_ON = 0.5
# Stretches of one kind this near are one event.
EVENT_GAP_S = 0.6
MAX_SPANS = 4
MAX_LIKELY = 5
# Less certain than this is not told, even as the most likely.
LEAST = 0.02
SURROUNDINGS_FROM = 0.1

Floats = npt.NDArray[np.floating]


class SoundEventsExpert(Expert):
    """Names what sounds, with its times, by YAMNet.

    Args:
        min_probability: what is less probable in every moment is no event.
        max_events: at most so many kinds of event are told, the longest and surest first.
    """

    card = ExpertCard(
        name="sound_events",
        modality="audio",
        skill="B2",
        summary="names of the sounds that are heard (speech, animals, vehicles, instruments, alarms …) and when",
        version="1",
        cost="local",
    )
    weights = (MODEL, CLASSES)
    packages = ("onnxruntime",)

    def __init__(self, *, min_probability: float = 0.3, max_events: int = 12) -> None:
        if not 0.05 <= min_probability <= 0.95 or max_events < 1:
            raise ConfigError(
                "model.experts.sound_events: min_probability lies between 0.05 and 0.95, max_events is 1 or more."
            )
        self.min_probability = min_probability
        self.max_events = max_events

    def write(self, clip: Clip) -> str:
        """Name the events of a sound.

        Args:
            clip: audio [n] float32 at 16 kHz, full scale 1.

        Returns:
            A line per kind of event in the order in which they begin (``Dog: 0.0 to 3.4 s (0.93)``), what is most
            likely over the whole, and where it was recorded, each with its probability.

        Raises:
            ModalityError: shorter than 25 ms, or not at 16 kHz.
            WeightsError: the tagger's files are not in the cache; says how to fetch them.
        """
        heard = listen(clip)
        if heard.is_silent:
            return f"The sound is {heard.length_s:.1f} s long and silent throughout: nothing is heard."
        tags = shared_tagger().tag(heard.sound)
        smooth = tags.smoothed()
        lines = [f"Sound events of {heard.length_s:.1f} s, with the probability that they are heard:", *heard.notes]
        lines += self._events(tags, smooth, heard.length_s) or [
            f"Nothing is heard with a probability of {self.min_probability:g} or more."
        ]
        return "\n".join([*lines, _likely(tags), *_surroundings(tags)])

    def _events(self, tags: Tags, smooth: Floats, length_s: float) -> list[str]:
        moments_s = owned_s(tags, length_s)
        specific = _specific(tags.names, smooth, self.min_probability * GOES_ON)
        found = []
        for number in np.flatnonzero((specific & (smooth >= self.min_probability)).any(axis=0)):
            runs = spans_s(specific[:, number], moments_s, gap_s=EVENT_GAP_S)
            runs = [run for run in runs if smooth[run[2], number].max() >= self.min_probability]
            if not runs:
                continue
            spans = [(start_s, end_s) for start_s, end_s, _ in runs]
            mean = float(np.concatenate([smooth[run[2], number] for run in runs]).mean())
            weight = mean * sum(end_s - start_s for start_s, end_s in spans)
            text = f"- {_name(tags.names[number])}: {told_spans(spans, MAX_SPANS)} ({mean:.2f})"
            found.append((weight, spans[0][0], text))
        kept = sorted(found, key=lambda one: (-one[0], one[2]))[: self.max_events]
        lines = [text for _, _, text in sorted(kept, key=lambda one: (one[1], one[2]))]
        rest = len(found) - len(kept)
        return [*lines, f"- {rest} shorter or less certain kinds are left out"] if rest else lines


def owned_s(tags: Tags, length_s: float) -> list[tuple[float, float]]:
    """Return the part of the sound that each stretch speaks for: up to half way to its neighbours' middles."""
    middles = [(start_s + end_s) / 2 for start_s, end_s in tags.spans_s]
    borders = [(a + b) / 2 for a, b in itertools.pairwise(middles)]
    return list(zip([0.0, *borders], [*borders, length_s], strict=True))


def _specific(names: tuple[str, ...], probabilities: Floats, least: float) -> npt.NDArray[np.bool_]:
    """Return what is heard in each stretch [p, 521], leaving out parents of what is heard, and no events."""
    present = probabilities >= least
    kept = present.copy()
    for parent, kinds in children(names).items():
        kept[:, parent] &= ~present[:, kinds].any(axis=1)
    kept[:, [names.index(name) for name in NO_EVENTS]] = False
    return np.asarray(kept)


def _likely(tags: Tags) -> str:
    mean = tags.probabilities.mean(axis=0)
    mean[[tags.names.index(name) for name in NO_EVENTS]] = 0.0
    order = np.argsort(-mean, kind="stable")[:MAX_LIKELY]
    told = [f"{_name(tags.names[number])} ({mean[number]:.2f})" for number in order if mean[number] >= LEAST]
    return f"Most likely over the whole: {', '.join(told) or 'nothing'}."


def _surroundings(tags: Tags) -> list[str]:
    mean = tags.probabilities.mean(axis=0)
    found = sorted(((float(mean[tags.names.index(name)]), name) for name in SURROUNDINGS), reverse=True)
    told = [f"{name[0].lower()}{name[1:]} ({chance:.2f})" for chance, name in found if chance >= SURROUNDINGS_FROM]
    return [f"It sounds as if recorded {' or '.join(told)}."] if told else []


def _name(name: str) -> str:
    """Return a class's name without commas, which separate things here."""
    return name.replace(", and ", " and ").replace(", ", " / ")
