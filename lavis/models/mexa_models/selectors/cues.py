"""Which words, question types and media call for which skill: the table behind the ``rules`` selector.

A need is one of MEXA's skills (A1 … G2) or, for the modalities that CREMA adds beside pictures, the modality
itself: ``depth``, ``flow``, ``normals``, ``touch``, ``thermal``. Everything here is data; `rules.py` applies it.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Literal

from lavis.datasets.question import Question
from lavis.experts.card import ExpertCard

# Experts of these modalities are asked for what they measure, whatever skill their card files them under.
MODALITY_NEEDS: Mapping[str, str] = {
    "depth": "depth",
    "flow": "flow",
    "norm": "normals",
    "touch": "touch",
    "thermal": "thermal",
}

Field = Literal["text", "situation", "category"]


@dataclasses.dataclass(frozen=True)
class Cue:
    """A pattern in one part of a question, and what it calls for.

    Attributes:
        needs: the skills or modalities that it calls for.
        pattern: a regular expression, upper and lower case alike; of a category it must match the whole.
        field: the part of the question that it is looked for in.
        unless: where this is found in the question's type and text (``type: text``) the cue does not count.
        having: a modality without which the cue does not count.
    """

    needs: tuple[str, ...]
    pattern: str
    field: Field = "text"
    unless: str = ""
    having: str = ""


@dataclasses.dataclass(frozen=True)
class Call:
    """A need that a question has, and why.

    Attributes:
        need: skill or modality.
        why: the words that led to it.
        own: whether this question's text called for it; else its type, its situation or the medium did.
    """

    need: str
    why: str
    own: bool


def need_of(card: ExpertCard) -> str:
    """Return what an expert is asked for: its modality where CREMA names it, else its skill."""
    return MODALITY_NEEDS.get(card.modality, card.skill)


# An agent's own place in a scene, in the question's words.
SITUATED = r"\b(left|right|behind|front of me|facing|turn(ed|ing)?|which (way|direction)|(to|from|around|near) me)\b"
# How a thing looks: what a picture shows and a bare list of objects does not.
LOOKS = (
    r"\b(colou?rs?|shapes?|patterns?|materials?|made of|look(s|ing)? like|wearing|dressed|open or|closed|covered|tidy"
    r"|mess(y|ier)?|neat|cluttered|clean|dirty|empty|full|bright|dark|round|rectangular|square|indoors?|outdoors?)\b"
)
MUSIC = (
    r"\b(music(al)?|instruments?|melod(y|ies)|tempo|rhythm(s|ic)?|chords?|genre|sing(s|er|ing)?|songs?|lyrics|tunes?"
    r"|beats?|bpm|harmon(y|ic|ies)|orchestra|guitars?|violins?|pianos?|drums?|flutes?|cellos?|trumpets?|saxophones?)\b"
)
# MUSIC-AVQA names instruments where it asks what is seen.
SEEN_ONLY = r"^Visual/"

CUES: tuple[Cue, ...] = (
    # scenes
    Cue(("C2",), SITUATED),
    Cue(("C1",), r"\b(how many|number of|largest|biggest|smallest|tallest|next to|scene|room)\b", unless=SITUATED),
    Cue(
        ("depth",),
        r"\b(how (far|close|near)|distances?|farther|farthest|nearer|nearest|clos(er|est)|far away|within reach"
        r"|can I (touch|reach)|straight ahead|bump into|met(re|er)s?|near to|enough space)\b",
    ),
    Cue(("normals",), r"\b(flat|curved|slop(ed|ing)|tilted|slanted|ceilings?|floors?|surface normals?)\b"),
    Cue(
        ("flow",),
        r"\b(camera (mov|turn|pan|tilt|zoom|shak)\w*|moves? (forward|backward|to the)|faster|slower|speed|direction of"
        r" (motion|travel)|rotat(e|es|ing)|spin(s|ning)?)\b",
    ),
    # what a camera sees
    Cue(("A2",), LOOKS),
    Cue(("A3",), LOOKS, having="captions"),
    Cue(("A1",), r"\b(shown|visible|depicted|appears?)\b", having="frame"),
    Cue(("A2", "A1"), r"\b(what|which) (object|thing|item)s?\b", unless=SITUATED),
    Cue(
        ("A1",),
        r"\b(happen(s|ed|ing)?|react(s|ed|ion)?|doing|(do|does|did)(?= .*\b(after|before|while|when|next|touch|hold))"
        r"|will(?= .*\b(do|reach|next))|might(?= .*\b(do|have))|push(es|ed)?|throw\w*|pick(s|ed)? up|move[sd]?"
        r"|being (touched|pressed|held|used)|persons?|people|man|woman|child(ren)?|somebody)\b",
        having="video",
    ),
    # sound
    Cue(
        ("B1",),
        r"\b(sa(id|y|ys|ying)|speak(s|er|ers|ing)?|spoken|talk(s|ed|ing)?|conversations?|dialogues?|lectur(e|er|es)"
        r"|narrat(or|es)|explain(s|ed)?|mention(s|ed)?|lyrics|callers?)\b",
    ),
    Cue(
        ("B2",),
        r"\b(sounds?|noises?|hear(d|s|ing)?|loud|voices?|voice-over|bark(s|ing)?|sirens?|engines?|footsteps|thunder"
        r"|applause|emotions?)\b",
        unless=MUSIC,
    ),
    Cue(("B2",), r"\b(notes?|pitch(es)?|pauses?|silen(t|ce)|knock(s|ing)?)\b", having="audio"),
    Cue(("B2",), r"\b(voice-over|noises?|emotions?|background sounds?|applause)\b"),
    Cue(("B3",), MUSIC, unless=SEEN_ONLY),
    # medicine
    Cue(("D1",), r"\b(CT|scans?|contrast phase)\b"),
    Cue(
        ("D2",),
        r"\b(x-?rays?|radiographs?|lesions?|tumou?rs?|patients?|patholog\w+|histolog\w+|malignant|benign|diagnos[ei]s"
        r"|MRI|ultrasound|microscop\w+|heart|lungs?|brain|liver|kidneys?)\b",
    ),
    # writing
    Cue(
        ("E1",),
        r"\b(writ(ten|ing|es)|texts?|reads?|labell?ed|labels?|signs?|letters?|captions?|titles?|digits?|number plate"
        r"|bullet points?)\b",
    ),
    Cue(("E2",), r"\b(slides?|posters?|bullet points?|presentations?|diagrams?|board|listed)\b"),
    Cue(
        ("E3",),
        r"\b(pages?|paragraphs?|reports?|letter|documents?|papers?|articles?|sections?|abstract|contracts?|chapters?"
        r"|the text)\b",
    ),
    # charts and tables
    Cue(("F1",), r"\b(charts?|bars?|plots?|pie|ax[ei]s|legend|lines?|curves?|graphs?|histograms?|slice|figure)\b"),
    Cue(("F2",), r"\b(tables?|rows?|columns?|cells?|spreadsheets?|sum|total|average)\b"),
    # mathematics
    Cue(
        ("G1",),
        r"\b(equations?|formulas?|formulae|derivatives?|integrals?|matrix|matrices|eigenvalues?|comput(e|es|ed)"
        r"|calculate|functions?|theorems?|solve|proof)\b",
    ),
    Cue(
        ("G2",),
        r"\b(triangles?|angles?|circles?|polygons?|areas? of|perimeter|geometr\w+|side (?-i:[A-Z]{2})|diagonals?|radius"
        r"|cones?|cylinders?|quadrilaterals?)\b",
    ),
    # an agent's situation
    Cue(("C2",), r"\b(I|I'm|me|my)\b", "situation", unless=LOOKS),
    # question types: of NExT-QA, MUSIC-AVQA, MMAU, Video-MMMU and M3D
    Cue(("A1", "A3"), r"C[WH]|T[NCP]", "category"),
    Cue(("A2", "A3"), r"D[CLOB]", "category"),
    Cue(("A1",), r"DC", "category"),
    Cue(("B3",), r"Audio(-Visual)?/\w+", "category"),
    Cue(("A1",), r"(Audio-)?Visual/\w+", "category"),
    Cue(("A2",), r"Visual/\w+", "category"),
    Cue(("B1",), r"speech", "category"),
    Cue(("B2",), r"sound", "category"),
    Cue(("B3",), r"music", "category"),
    Cue(("B1", "E2"), r"perception|comprehension", "category"),
    Cue(("B1", "E1"), r"adaptation", "category"),
    Cue(("D1",), r"plane|phase|organ|abnormality|location", "category"),
)

# What is on record only because the questions are about it is looked at whatever the words are.
PRESENCE: Mapping[str, str] = {"touch": "touch", "thermal": "thermal", "volume": "D1"}

# What a medium is first of all looked at for, where no cue leads to anyone.
GENERAL: Mapping[str, tuple[str, ...]] = {
    "frame": ("A1",),
    "captions": ("A3",),
    "audio": ("B1", "B2"),
    "subtitles": ("B1",),
    "instances": ("C1",),
    "page": ("E3",),
    "chart": ("F1",),
    "table": ("F2",),
}

KNOWN_NEEDS = frozenset(
    [*(need for cue in CUES for need in cue.needs), *PRESENCE.values(), *itertools.chain(*GENERAL.values())]
)


def calls(question: Question) -> Iterator[Call]:
    """Yield what a question's words, situation, type and medium call for, what its words call for first."""
    for cue in CUES:
        if cue.unless and re.search(cue.unless, f"{question.category}: {question.text}", re.IGNORECASE):
            continue
        if cue.having and not question.media.serving(cue.having):
            continue
        why = _WHY[cue.field](cue, question)
        if why:
            yield from (Call(need, why, own=cue.field == "text") for need in cue.needs)
    for modality, need in PRESENCE.items():
        if question.media.serving(modality):
            yield Call(need, f"the medium has {modality}", own=False)


def general_calls(question: Question) -> Iterator[Call]:
    """Yield what a medium's modalities are first of all looked at for."""
    for modality, needs in GENERAL.items():
        if question.media.serving(modality):
            yield from (Call(need, f"no cue, but the medium has {modality}", own=False) for need in needs)


def _in_text(cue: Cue, question: Question) -> str:
    found = re.search(cue.pattern, question.text, re.IGNORECASE)
    return f"'{found[0]}'" if found else ""


def _in_situation(cue: Cue, question: Question) -> str:
    return "a situation" if re.search(cue.pattern, question.situation, re.IGNORECASE) else ""


def _in_category(cue: Cue, question: Question) -> str:
    matches = re.fullmatch(cue.pattern, question.category, re.IGNORECASE)
    return f"a question of type {question.category}" if matches else ""


_WHY = {"text": _in_text, "situation": _in_situation, "category": _in_category}
