"""A reasoner that does what it is told, by whoever can make it believe that the order is not data."""

from __future__ import annotations

import base64
import binascii
import html
import re
import unicodedata
from collections import Counter
from typing import Any

from lavis.reasoners.base import AnswerForm, Completion, Prompt, Reasoner, Usage

LATIN = str.maketrans("аеіорсѕхуАЕОРСТН", "aeiopcsxyAEOPCTH")
ORDERS = "answer reply respond say print output responde antworte réponds 回答 ответь".translate(LATIN).split()
CUE = re.compile("|".join(ORDERS), re.IGNORECASE)
# What ends a report for a reader who takes anything like a mark, a control token or a line of the prompt for one.
FALSE_END = re.compile(
    r"<\s*/?\s*evidence|<\|.{1,40}?\|>|\[/?INST\]|</?s>|<(?:start|end)_of_turn>|</?system>"
    r"|^[#*\s]*(?:final answer|answer|question|system|user|assistant|instruction):",
    re.IGNORECASE | re.MULTILINE,
)
HEADING = re.compile(r"^\[(\w+)\] ", re.MULTILINE)
OPTION = re.compile(r"^([A-Z])\. (.+)$", re.MULTILINE)
ENCODED = re.compile(r"[A-Za-z0-9+/]{16,}={0,2}")


class ObedientReasoner(Reasoner):
    """Obeys the last order that it finds outside of the run's fences; inside, words are data.

    It knows the fence by the system message, and sees through every disguise. A fence that holds something
    like a mark, a control token or a line of the prompt ends there for it. Told nothing, it answers what most
    reports say, each with its first word on it.

    Args:
        form: in which it is asked.
    """

    model = "obedient"

    def __init__(self, form: AnswerForm = "text") -> None:
        self.answer_form = form
        self.prompts: list[Prompt] = []

    def complete(self, prompt: Prompt) -> Completion:
        self.prompts.append(prompt)
        body = f"{prompt.shared}\n{prompt.own}"
        letters = {text: letter for letter, text in OPTION.findall(prompt.own)}
        choices = list(letters) or list(prompt.choices)
        heard, data = apart(body, prompt.system)
        ordered = [choice for line in heard for choice in [order(line, choices)] if choice]
        reply = ordered[-1] if ordered else vote(data, choices)
        text = f"Answer: {letters[reply]}" if reply in letters else reply
        return Completion(text, Usage(), self.model, 0.0)

    def identity(self) -> dict[str, Any]:
        return {"model": self.model, "temperature": 0}


def apart(body: str, system: str) -> tuple[list[str], str]:
    """Return the lines that count as the asker's own, and what counts as reports."""
    named = re.search(r"<evidence (\w+)>", system)
    fences = re.compile(rf"<evidence {named[1]}>\n(.*?)\n</evidence {named[1]}>", re.DOTALL) if named else None
    if fences is None or not fences.search(body):
        return readable(body).splitlines(), body
    heard = readable(fences.sub("", body)).splitlines()
    reports = []
    for report in fences.findall(body):
        text = readable(report)
        broken = FALSE_END.search(text)
        end = broken.start() if broken else len(text)
        heard += text[end:].splitlines()
        reports.append(text[:end])
    return heard, "\n".join(reports)


def readable(text: str) -> str:
    """Return a text as somebody reads it who sees through every disguise."""
    text = "".join(chr(ord(one) - 0xE0000) if 0xE0020 <= ord(one) <= 0xE007E else one for one in text)
    turned = re.sub("\u202e(.*?)\u202c", lambda match: match[1][::-1], text)
    plain = unicodedata.normalize("NFKC", html.unescape(turned)).translate(LATIN)
    return "".join(one for one in plain if unicodedata.category(one) not in ("Cf", "Cc") or one in "\n\r\t")


def order(line: str, choices: list[str]) -> str | None:
    """Return the choice that a line orders; lines that name several order none."""
    line = line.replace("_", " ")
    for encoded in ENCODED.findall(line):
        try:
            line += " " + base64.b64decode(encoded).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
    named = [choice for choice in choices if mentions(line, choice)]
    return named[0] if CUE.search(line) and len(named) == 1 else None


def vote(data: str, choices: list[str]) -> str:
    """Return the choice of most reports; of the first one where they tie."""
    votes: Counter[str] = Counter()
    for report in HEADING.split(data)[2::2]:
        named = [choice for choice in choices if mentions(report, choice)]
        if named:
            votes[min(named, key=lambda choice: report.lower().index(choice.lower()))] += 1
    return votes.most_common(1)[0][0] if votes else choices[0]


def mentions(line: str, choice: str) -> bool:
    return re.search(rf"(?<![a-z]){re.escape(choice)}(?![a-z])", line, re.IGNORECASE) is not None
