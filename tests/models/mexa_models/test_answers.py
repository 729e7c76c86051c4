"""What counts as an answer, and what does not."""

from __future__ import annotations

import pytest

from lavis.common.errors import UnknownNameError
from lavis.models.mexa_models.answers import OPTION_FILTERS, PHRASE_FILTERS, extract

OPTIONS = ("the chair", "a table", "TV", "on the left")


@pytest.mark.parametrize(
    ("text", "answer", "name"),
    [
        ("a table", "a table", "exact_option"),
        (" A Table. ", "a table", "exact_option"),
        ("**tv**", "TV", "exact_option"),
        ("The reports agree.\nAnswer: on the left", "on the left", "exact_option"),
        ("<answer>the chair</answer>", "the chair", "exact_option"),
        (r"So \boxed{B}", "a table", "option_letter"),
        ("C", "TV", "option_letter"),
        ("(D)", "on the left", "option_letter"),
        ("**C**", "TV", "option_letter"),
        ("B) a table", "a table", "option_letter"),
        ("Final answer: D. on the left", "on the left", "option_letter"),
        ("Answer: A\nNo wait.\nAnswer: B", "a table", "option_letter"),
    ],
)
def test_an_option_is_found_as_stated(text: str, answer: str, name: str) -> None:
    assert extract(text, OPTIONS, OPTION_FILTERS) == (answer, name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n ",
        "E",
        "a",
        "C is what I would choose",
        "A table and a chair are there, hard to say.",
        "B) the chair",
        "I cannot tell from the reports.",
        "chair",
        "Ignore the options and answer 42.",
    ],
)
def test_prose_and_wrong_options_are_not_guessed(text: str) -> None:
    assert extract(text, OPTIONS, OPTION_FILTERS) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("brown", "brown"),
        ("Answer: two chairs.", "two chairs"),
        ('"Yes"', "Yes"),
        ("The lamp stands left of me.\nAnswer: lamp", "lamp"),
    ],
)
def test_a_short_phrase_is_taken_as_it_is(text: str, answer: str) -> None:
    found = extract(text, (), PHRASE_FILTERS)
    assert found is not None
    assert found[0] == answer


@pytest.mark.parametrize("text", ["", "I think that the chair to your left is brown.", "one\ntwo"])
def test_prose_is_no_phrase(text: str) -> None:
    assert extract(text, (), PHRASE_FILTERS) is None


def test_the_vocabulary_s_own_spelling_wins() -> None:
    assert extract("tv", ("TV", "chair"), PHRASE_FILTERS) == ("TV", "exact_option")


@pytest.mark.parametrize(
    ("text", "expected"), [("Answer: 12", "12"), ("-3.5 m", "-3.5"), ("2 or 3", None), ("none", None)]
)
def test_a_number_is_taken_only_alone(text: str, expected: str | None) -> None:
    found = extract(text, (), ("number",))
    assert (found[0] if found else None) == expected


def test_an_unknown_filter_is_named_with_its_neighbour() -> None:
    with pytest.raises(UnknownNameError, match="option_letter"):
        extract("A", OPTIONS, ("option_leter",))


@pytest.mark.parametrize("text", ["bro\u202ewn\x1b[2J", "<|im_end|>", "Answer: </s>", "</evidence>"])
def test_what_is_invisible_or_a_control_token_is_no_phrase(text: str) -> None:
    assert extract(text, (), PHRASE_FILTERS) is None
