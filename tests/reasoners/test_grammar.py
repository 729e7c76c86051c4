"""Grammars hold exactly the texts they are made of."""

from __future__ import annotations

import re

import pytest

from lavis.reasoners.grammar import choice_grammar, further_choice_grammar, literal


def test_literals_escape_what_gbnf_reads_otherwise() -> None:
    assert literal('a "b" \\ c') == r'"a \"b\" \\ c"'
    assert literal("a\nb\x7f") == r'"a\x0Ab\x7F"'
    assert literal("[x] | (grün)*") == '"[x] | (grün)*"'


def as_expression(grammar: str) -> re.Pattern[str]:
    """Translate a grammar without rules of its own into a regular expression."""
    body = grammar.removeprefix("root ::= ")
    parts = re.split(r'("(?:[^"\\]|\\.)*")', body)
    return re.compile("".join(_translate(part) for part in parts))


def _translate(part: str) -> str:
    if not part.startswith('"'):
        return part.replace(" ", "")
    plain = re.sub(r"\\x([0-9A-F]{2})", lambda match: chr(int(match[1], 16)), part[1:-1])
    return "(?:" + re.escape(plain.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")) + ")"


CHOICES = [
    *(f"{colour} {n}" for colour in ("red", "reddish", "blue") for n in range(200)),
    "red",
    "re",
    "(a|b)?",
    "grün",
]


def test_one_choice_is_accepted_and_nothing_else() -> None:
    """Truth: many choices are beginnings of others, and 'red 1' + '7' is one while 'red 1' + 'x' is none."""
    accepts = as_expression(choice_grammar(CHOICES)).fullmatch

    assert all(accepts(f" {choice}") for choice in CHOICES)
    assert not any(accepts(f" {choice}{extra}") for choice in CHOICES for extra in ("x", " ", "0000"))
    assert not any(accepts(text) for text in (" ", "", "red", " r", " redd", " reddish", " blue ", " a"))


def test_what_follows_a_choice_is_the_end_or_another() -> None:
    accepts = as_expression(further_choice_grammar(["flow", "frames"])).fullmatch

    assert all(accepts(text) for text in ("", "\n", ", flow", ", frames"))
    assert not any(accepts(text) for text in (" flow", ", f", ", flow, frames", ",flow"))


def test_common_beginnings_are_written_once_and_repeats_are_dropped() -> None:
    grammar = choice_grammar(["red", "blue", "reddish", "red"])

    assert grammar == 'root ::= " " ("red" ("dish")? | "blue")'


@pytest.mark.parametrize("choices", [[], ["red", " "]])
def test_nothing_to_choose_is_an_error(choices: list[str]) -> None:
    with pytest.raises(ValueError, match="choice"):
        choice_grammar(choices)
