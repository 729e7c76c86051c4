"""Grammars (GBNF) that hold a local model to the texts it may answer."""

from __future__ import annotations

from collections.abc import Iterable

# One line that does not begin with a blank; its end may be written out, so that the model can stop.
PHRASE_GRAMMAR = r'root ::= " " [^ \x00-\x1F\x7F] [^\x00-\x1F\x7F]* "\n"?'


def choice_grammar(choices: Iterable[str]) -> str:
    """Return the grammar of one choice, after the blank that a word has after ``Answer:``.

    Raises:
        ValueError: there is no choice, or one is blank.
    """
    return f'root ::= " " ({_any_of(_checked(choices))})'


def further_choice_grammar(choices: Iterable[str]) -> str:
    """Return the grammar of what may follow a choice in a list: the end, or a comma and another choice.

    Raises:
        ValueError: there is no choice, or one is blank.
    """
    return f'root ::= "\\n"? | ", " ({_any_of(_checked(choices))})'


def literal(text: str) -> str:
    """Return a GBNF literal that matches ``text`` and nothing else."""
    return '"' + "".join(map(_escape, text)) + '"'


def _any_of(texts: list[str]) -> str:
    """Return the alternatives with every common beginning written once.

    The engine compares each token of its vocabulary with each alternative that is still open:
    as a flat list, hundreds of choices take ten times as long.
    """
    groups: dict[str, list[str]] = {}
    for text in texts:
        groups.setdefault(text[0], []).append(text)
    alternatives = []
    for group in groups.values():
        beginning = _common_beginning(group)
        rests = [text[len(beginning) :] for text in group]
        longer = [rest for rest in rests if rest]
        optional = "?" if len(longer) < len(rests) else ""
        alternatives.append(literal(beginning) + (f" ({_any_of(longer)}){optional}" if longer else ""))
    return " | ".join(alternatives)


def _common_beginning(texts: list[str]) -> str:
    first, last = min(texts), max(texts)  # whatever these two share, all between them share
    length = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:length]


def _checked(choices: Iterable[str]) -> list[str]:
    names = list(dict.fromkeys(choices))
    if not names:
        raise ValueError("A grammar of choices needs at least one.")
    if any(not name.strip() for name in names):
        raise ValueError("A blank text cannot be a choice.")
    return names


def _escape(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return f"\\x{ord(character):02X}" if ord(character) < 32 or ord(character) == 127 else character
