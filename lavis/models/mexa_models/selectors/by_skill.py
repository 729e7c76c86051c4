"""How a small model is asked: which skills a question needs, after examples; skills lead to experts.

Asked to list experts, small models name the first ones of the list. Examples that share the wanted form, and short
names of skills in place of cards, make the question's words count: `docs/design/selection.md` has the numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.experts.skills import SKILLS
from lavis.models.mexa_models.prompts import SELECT_SYSTEM, question_lines
from lavis.models.mexa_models.selectors.cues import need_of
from lavis.reasoners.base import Prompt, PromptImage

LEAD = "What is needed to answer each question?"
# Made-up questions and the needs of their answers, the foremost first; those nobody can serve are left out.
EXAMPLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("What does the boy do after he picks up the ball?", ("A1", "A3")),
    ("What colour is the car?", ("A2", "A3")),
    ("What is written on the sign?", ("E1",)),
    ("How does the surface feel?", ("touch",)),
    ("Which chair is still warm?", ("thermal", "A1")),
    ("What does the teacher say about the rule on the slide?", ("B1", "E2")),
    ("Which noise is heard after the bell?", ("B2",)),
    ("Which instrument on the left plays the tune?", ("B3", "A1")),
    ("What does the singer call her song?", ("B3", "B1")),
    ("How many lamps are in the room?", ("C1",)),
    ("What is on my right?", ("C2",)),
    ("Which of the two shelves is closer to me?", ("C2", "depth")),
    ("In which direction does the camera turn?", ("flow", "A1")),
    ("Is the ground flat or sloped?", ("normals", "A2")),
    ("Is there a mass in the left lung?", ("D1",)),
    ("Does this X-ray show a fracture?", ("D2",)),
    ("What does page 4 of the report say?", ("E3",)),
    ("In which year is the curve highest?", ("F1",)),
    ("Which row has the largest sum?", ("F2",)),
    ("What is the derivative of the function on the board?", ("G1", "B1")),
    ("How large is the angle ABC in the figure?", ("G2", "E1")),
    ("Why did the woman open the door?", ("A1", "A3")),
    ("Where was this video taken?", ("A2", "A3")),
    ("How many violins are heard?", ("B3",)),
)


def skills_prompt(
    question: Question,
    experts: Sequence[Expert],
    *,
    max_experts: int,
    group: str = "",
    images: Sequence[PromptImage] = (),
) -> Prompt:
    """Build the prompt that asks which skills a question needs; the skills' names are its choices.

    Args:
        question: blind.
        experts: those that the medium can feed.
        max_experts: at most so many skills may be named.
        group: what the questions are that one choice is made for; it stands in place of this question's words.
        images: frames of the medium, for a reasoner that sees.
    """
    names = tuple(by_need(experts))
    needs = {need_of(expert.card) for expert in experts}
    shown = []
    for text, wanted in EXAMPLES:
        there = [_said(need) for need in wanted if need in needs]
        if there:
            shown.append(f"Question: {text}\nNeeded: {', '.join(there)}")
    return Prompt(
        system=SELECT_SYSTEM,
        shared="\n".join([LEAD, *shown]),
        # Options tell of answers; a small model takes their words for what is needed.
        own="\n".join(question_lines(question, group, options=False)),
        choices=names,
        max_choices=min(max_experts, len(names)),
        lead="Needed:",
        images=tuple(images),
    )


def by_need(experts: Sequence[Expert]) -> dict[str, list[str]]:
    """Return the experts' names by what they are asked for, as the prompt says it."""
    found: dict[str, list[str]] = {}
    for expert in experts:
        found.setdefault(_said(need_of(expert.card)), []).append(expert.card.name)
    return found


def read_reply(text: str, serving: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
    """Return the experts that a reply asks for, one of each skill before a second of any, and what it names in vain.

    Args:
        text: names of skills or of experts, separated by commas.
        serving: the experts of each skill.
    """
    names = {name: [name] for group in serving.values() for name in group}
    served, unknown = [], []
    for said in filter(None, (part.strip(" .\t") for part in re.split(r"[,;\n]", text))):
        known = serving.get(said) or names.get(said)
        if known is None:
            unknown.append(said)
        else:
            served.append(known)
    longest = max(map(len, served), default=0)
    ordered = [group[turn] for turn in range(longest) for group in served if turn < len(group)]
    return list(dict.fromkeys(ordered)), unknown


def _said(need: str) -> str:
    return SKILLS.get(need, need)
