"""Grammars (GBNF) that hold a local model to the texts it may answer."""

from __future__ import annotations

from collections.abc import Iterable

# One line that does not begin with a blank; its end may be written out, so that the model can stop.
PHRASE_GRAMMAR = r'root ::= " " [^ \x00-\x1F\x7F] [^\x00-\x1F\x7F]* "\n"?'


def literal(text: str) -> str:
    """Return a GBNF literal that matches ``text`` and nothing else."""
    return '"' + "".join(map(_escape, text)) + '"'


def choice_grammar(choices: Iterable[str]) -> str:
    """Return the grammar of one choice, after the blank that a word has after ``Answer:``.

    Raises:
        ValueError: there is no choice, or one is blank.
    """
    return "root ::= " + " | ".join(literal(f" {name}") for name in _checked(choices))


def further_choice_grammar(choices: Iterable[str]) -> str:
    """Return the grammar of what may follow a choice in a list: the end, or a comma and another choice.

    Raises:
        ValueError: there is no choice, or one is blank.
    """
    names = " | ".join(literal(name) for name in _checked(choices))
    return f'root ::= "\\n"? | ", " choice\nchoice ::= {names}'


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
