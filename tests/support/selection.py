"""Labelled questions, a pool of experts to choose from, and how well a choice fits its labels."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lavis.common.registry import registry
from lavis.datasets.question import Media, Pose, Question
from lavis.experts import Expert, ExpertCard
from lavis.models.mexa_models.selectors.cues import need_of

FILE = Path(__file__).resolve().parents[1] / "models" / "mexa_models" / "selection_questions.json"
# name: (modality, skill, summary, cost), in the order of a configuration.
POOL: Mapping[str, tuple[str, str, str, str]] = {
    "frames": (
        "frame",
        "A1",
        "what is seen over time: objects, counts, colours, who enters, leaves and moves",
        "local",
    ),
    "image": ("frame", "A2", "one picture in detail: objects, colours, sizes, relations and layout", "local"),
    "tags": ("frame", "A3", "one line on each view: what the picture shows", "local"),
    "captions": ("captions", "A3", "texts that people or models wrote about the scene or clip", "cheap"),
    "depth": ("depth", "A2", "distances in metres, what is nearer, free space straight ahead", "cheap"),
    "flow": ("flow", "A1", "camera motion and moving objects: directions and speeds", "cheap"),
    "normals": ("norm", "A2", "floor, walls and ceiling, flat or slanted surfaces", "cheap"),
    "touch": ("touch", "A2", "what a touch sensor feels: contact, strength, texture", "cheap"),
    "thermal": ("thermal", "A2", "warm and cold regions in a thermal camera's picture", "cheap"),
    "subtitles": ("subtitles", "B1", "the words of the subtitles, with times", "cheap"),
    "speech": ("audio", "B1", "what is said, transcribed from the sound, with times", "local"),
    "sound_events": ("audio", "B2", "which sounds are heard and when: animals, machines, weather, people", "local"),
    "sound": ("audio", "B2", "how loud the sound is, pauses, onsets and pitches", "cheap"),
    "music": ("audio", "B3", "instruments that play, when, how loud, and the tempo", "local"),
    "inventory": ("instances", "C1", "all objects of a 3D scene: kinds, counts, sizes, what is next to what", "cheap"),
    "scene3d": ("instances", "C2", "objects in front, right, behind and left of the agent, distances", "cheap"),
    "vlm_ct": ("volume", "D1", "findings in a CT scan: organs, plane, phase, abnormalities", "served"),
    "vlm_medical": ("frame", "D2", "findings in a medical picture: X-ray, pathology, skin", "served"),
    "ocr": ("frame", "E1", "text that is written in the pictures, with times and places", "local"),
    "slides": ("frame", "E2", "slides and posters: title, bullet points, when the slide changes", "local"),
    "pages": ("page", "E3", "the text of a PDF document, page by page", "cheap"),
    "chart": ("chart", "F1", "a chart: title, axes, legend and values", "local"),
    "table": ("table", "F2", "a table's rows and columns, with sums and extremes", "cheap"),
    "vlm_equation": ("frame", "G1", "equations and formulas in the picture", "served"),
    "vlm_geometry": ("frame", "G2", "geometric figures: shapes, angles, lengths", "served"),
}


class StandIn(Expert):
    """Has the card of an expert and looks at nothing: a selector reads cards alone."""

    card = ExpertCard(name="stand_in", modality="frame", skill="A1", summary="stands in", version="1")

    def __init__(self, card: ExpertCard) -> None:
        self.card = card  # type: ignore[misc]

    def write(self, loaded: object) -> str:
        raise NotImplementedError("a stand-in is chosen, never asked")


def stand_ins() -> list[Expert]:
    """Return the pool."""
    return [
        StandIn(ExpertCard(name=name, modality=modality, skill=skill, summary=summary, version="1", cost=cost))  # type: ignore[arg-type]
        for name, (modality, skill, summary, cost) in POOL.items()
    ]


def registered() -> list[Expert]:
    """Return stand-ins with the cards of the registered experts, which need neither weights nor packages so."""
    return [StandIn(registry.require("expert", name).card) for name in POOL if name in registry.list_names("expert")]


@dataclasses.dataclass(frozen=True)
class Labelled:
    """A question, the needs that its answer has, and which half of the file it belongs to."""

    question: Question
    benchmark: str
    needs: frozenset[str]
    split: str

    def available(self, experts: Iterable[Expert]) -> list[Expert]:
        """Return the experts that the medium can feed."""
        return [expert for expert in experts if not expert.missing_needs(self.question)]


def labelled(path: Path = FILE) -> list[Labelled]:
    """Return the labelled questions; media are named, not there."""
    return [_labelled(number, row) for number, row in enumerate(json.loads(path.read_text(encoding="utf-8")))]


def _labelled(number: int, row: Mapping[str, Any]) -> Labelled:
    media = Media(
        f"{row['benchmark']}_{number}",
        {modality: Path("absent") / modality for modality in row["modalities"]},
        {"pose": Pose((0.0, 0.0, 0.0), (1.0, 0.0))} if "I" in row["situation"].split() else {},
    )
    question = Question(
        f"{row['benchmark']}_{number}",
        row["question"],
        media,
        tuple(row["options"]),
        row["situation"],
        category=row["category"],
    )
    return Labelled(question, row["benchmark"], frozenset(row["skills"]), row["split"])


@dataclasses.dataclass
class Fit:
    """Needs that were met, chosen beside the labels, and missed, summed over questions."""

    n: int = 0
    met: int = 0
    beside: int = 0
    missed: int = 0

    def add(self, chosen: frozenset[str], needs: frozenset[str]) -> None:
        """Count one question."""
        self.n += 1
        self.met += len(chosen & needs)
        self.beside += len(chosen - needs)
        self.missed += len(needs - chosen)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 where nothing was met."""
        return 2 * self.met / max(1, 2 * self.met + self.beside + self.missed)

    @property
    def precision(self) -> float:
        """The share of what was chosen that is labelled."""
        return self.met / max(1, self.met + self.beside)

    @property
    def recall(self) -> float:
        """The share of what is labelled that was chosen."""
        return self.met / max(1, self.met + self.missed)


def fits(
    questions: Sequence[Labelled], experts: Sequence[Expert], choose: Callable[[Question, list[Expert]], Sequence[str]]
) -> dict[str, Fit]:
    """Return how choices fit, by half (``tune``, ``held_out``), by benchmark, and in all (``all``)."""
    needs = {expert.card.name: need_of(expert.card) for expert in experts}
    found: dict[str, Fit] = {}
    for one in questions:
        names = choose(one.question, one.available(experts))
        chosen = frozenset(needs[name] for name in names)
        for group in ("all", one.split, one.benchmark):
            found.setdefault(group, Fit()).add(chosen, one.needs)
    return found
