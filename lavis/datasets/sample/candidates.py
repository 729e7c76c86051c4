"""What a question of the sample is before it is chosen."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Literal

TypeName = Literal["What", "Is", "How", "Can", "Which", "Other"]
TYPES: tuple[TypeName, ...] = ("What", "Is", "How", "Can", "Which", "Other")
NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
YES_NO = ("yes", "no")


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A question that could be asked at one stand.

    Attributes:
        text: the question.
        answer: its one answer, computed.
        expert: the expert it was designed for.
        about: the fact it asks for; one fact is asked once per room if possible.
        among: the answers it could have had where these are few ("yes", "no").
    """

    text: str
    answer: str
    expert: str
    about: str
    among: tuple[str, ...] = ()

    @property
    def type(self) -> TypeName:
        """The SQA3D type: the first word."""
        first = self.text.split()[0]
        return next((name for name in TYPES if name == first), "Other")


def yes_no(truth: bool) -> str:
    """Return the answer ``yes`` or ``no``."""
    return YES_NO[0] if truth else YES_NO[1]


def plural(label: str) -> str:
    """Return the plural of a label."""
    if label.endswith("shelf"):
        return label[:-1] + "ves"
    return label + ("es" if label.endswith(("s", "x", "ch", "sh")) else "s")


def article(noun: str) -> str:
    """Return a noun with ``a`` or ``an``; plural nouns stay bare."""
    if noun == "coins":
        return noun
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def stable_number(key: str) -> int:
    """Return a number that is the same for a key on every machine and otherwise arbitrary."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6], "big")
