"""What lmms-eval's parser reads, by the examples that it was run on."""

from __future__ import annotations

import time

import pytest

from lavis.tasks.metrics.videommmu_parser import chosen_letter, open_answer_is_right

SUGARS = ("aldose", "ketose", "glucose", "fructose")
TEN = (*SUGARS, *(f"sugar {number}" for number in range(6)))


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("A", "A"),
        ("A.", "A"),
        ("(B)", "B"),
        ("B: ketose", "B"),
        ("The answer is C", "C"),
        ("The answer is C.", "C"),
        ("A. is wrong, B. is right", "B"),
        ("I think (A) or (B)", "B"),
        ("(A) then C.", "A"),
        ("ketose", None),
        ("the sugar shown in the picture is ketose", "B"),
        ("D", "D"),
        ("d", None),
        ("Answer: D", "D"),
        ("**C**", None),
        ("\\boxed{B}", None),
        ("E", None),
        ("A glucose molecule is shown so the answer is B", "B"),
        ("B A", "A"),
        ("no idea at all about this", None),
        ("The correct option is (C) glucose", "C"),
        ("A or B", "B"),
        ("Therefore, D", "D"),
        ("Option C", "C"),
        ("<answer>B</answer>", None),
        ("B)", None),
        # Marks of two kinds: where a full stop was seen, the colon's letter has no place.
        ("A. or B: ketose", "A"),
        # Letters within words, of which none stands alone: the first counts.
        ("XA YB z", "A"),
        # One kind of mark is stripped after the other, so the full stop under the comma is, the comma under it is not.
        ("C.,", "C"),
        ("C,.", None),
    ],
)
def test_the_letter_of_four_options(response: str, letter: str | None) -> None:
    assert chosen_letter(response, SUGARS) == letter


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("C is what I would choose", "I"),
        ("The current is 0.208 A", "A"),
        ("I think the answer is C", "C"),
        ("It would be 0.208 A, which I computed", "I"),
    ],
)
def test_english_i_and_a_are_letters_of_ten_options(response: str, letter: str) -> None:
    assert chosen_letter(response, TEN) == letter


@pytest.mark.parametrize(
    ("response", "gold", "right"),
    [
        ("12.97", "12.97", True),
        ("The mass is 12.97 g.", "12.97", True),
        ("12.970", "12.97", True),
        ("The answer is 13", "12.97", False),
        ("4", "4", True),
        ("There are 4 isomers", "4", True),
        ("44", "4", False),
        ("four", "4", False),
        ("1,234", "1234", True),
        ("x = 5", "5", True),
        ("-3.5", "3.5", False),
        ("1e3", "1000", True),
        ("Paris", "paris", True),
        ("It could be Paris, France", "Paris", True),
        ("a", "A", True),
        ("A", "a", True),
        ("the answer is b", "b", True),
        ("", "5", False),
        ("3.14159", "3.14", True),
        ("$12.97", "12.97", True),
        ("about 12.97 grams in total", "12.97", True),
        ("3.43", "['24/7', '3.429', '3.43]", False),
        ("24/7", "['24/7', '3.429', '3.43]", False),
        # Of a line only the tail after its last cue counts, and "=" is a cue in the last line alone.
        ("7 is 5", "7", False),
        ("y = 7\nx = 5", "5", True),
        ("it is 7\nso it is 5", "7", True),
    ],
)
def test_open_answers(response: str, gold: str, right: bool) -> None:
    assert open_answer_is_right(response, gold) is right


@pytest.mark.parametrize("endless", ["1" * 200_000 + "x", "1.1" * 70_000 + "x", "is " * 70_000, "\n" * 200_000])
def test_an_endless_response_does_not_hang_the_scorer(endless: str) -> None:
    begun = time.perf_counter()
    open_answer_is_right(endless, "5")
    chosen_letter(endless, TEN)
    assert time.perf_counter() - begun < 5.0
