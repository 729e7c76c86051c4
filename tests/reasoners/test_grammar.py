"""Grammars hold exactly the texts they are made of."""

from __future__ import annotations

import pytest

from lavis.reasoners.grammar import choice_grammar, further_choice_grammar, literal


def test_literals_escape_what_gbnf_reads_otherwise() -> None:
    assert literal('a "b" \\ c') == r'"a \"b\" \\ c"'
    assert literal("a\nb\x7f") == r'"a\x0Ab\x7F"'
    assert literal("[x] | (grün)*") == '"[x] | (grün)*"'


def test_one_choice_begins_with_a_blank_and_repeats_are_dropped() -> None:
    assert choice_grammar(["red", "blue", "red"]) == 'root ::= " red" | " blue"'


def test_what_follows_a_choice_is_the_end_or_another() -> None:
    assert further_choice_grammar(["flow"]) == 'root ::= "\\n"? | ", " choice\nchoice ::= "flow"'


@pytest.mark.parametrize("choices", [[], ["red", " "]])
def test_nothing_to_choose_is_an_error(choices: list[str]) -> None:
    with pytest.raises(ValueError, match="choice"):
        choice_grammar(choices)
