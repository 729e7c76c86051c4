"""Choices as token paths: what is allowed is exactly what leads to a choice. Tokens here are characters."""

from __future__ import annotations

import itertools

import pytest

from lavis.common.errors import ReasonerError
from lavis.reasoners.token_trie import BatchGuide, ChoiceGuide, Spelling


def guide(*choices: str, max_choices: int = 1) -> ChoiceGuide:
    spellings = [Spelling(name, tuple(map(ord, name)), tuple(map(ord, f", {name}"))) for name in choices]
    return ChoiceGuide(spellings, max_choices=max_choices)


def language(choices: ChoiceGuide) -> set[str]:
    """Every text that the guide lets through, spelled by walking all of its paths."""
    texts, open_ = set(), [("", choices.start)]
    while open_:
        said, places = open_.pop()
        if choices.may_end(places):
            assert choices.text(places) == said
            texts.add(said)
        open_ += [(said + chr(token), choices.step(places, token)) for token in choices.allowed(places)]
    return texts


def test_exactly_the_choices_can_be_said() -> None:
    choices = ("red", "red car", "re", "grün", "青い", "a, b")

    assert language(guide(*choices)) == set(choices)


@pytest.mark.parametrize("max_choices", [1, 2, 3, 9])
def test_a_list_is_every_arrangement_of_distinct_choices_and_nothing_else(max_choices: int) -> None:
    names = ("ab", "a", "c")
    expected = {
        ", ".join(order) for n in range(1, min(max_choices, 3) + 1) for order in itertools.permutations(names, n)
    }

    assert language(guide(*names, max_choices=max_choices)) == expected


def test_a_choice_that_contains_the_comma_of_a_list_can_be_said_either_way() -> None:
    """Truth: "a, b" is one choice; with it, three can be named, so that "a, b, c" and "c, a, b" are lists too."""
    texts = language(guide("a", "a, b", "c", max_choices=2))

    assert texts == {"a", "a, b", "c", "a, c", "c, a", "a, b, c", "c, a, b", "a, a, b", "a, b, a"}


def test_longest_is_the_length_of_the_longest_text() -> None:
    for max_choices in (1, 2, 3):
        choices = guide("abcd", "ef", "g", max_choices=max_choices)
        assert choices.longest == max(map(len, language(choices)))


def test_a_token_off_the_path_is_an_error() -> None:
    choices = guide("red", "blue")

    with pytest.raises(ValueError, match="not on any"):
        choices.step(choices.step(choices.start, ord("r")), ord("l"))
    with pytest.raises(ValueError, match="no choice is complete"):
        choices.text(choices.step(choices.start, ord("r")))


@pytest.mark.parametrize(
    ("spellings", "message"),
    [
        ([], "no choice"),
        ([Spelling("red", (1,)), Spelling("青い", ())], "cannot spell the choice '青い'"),
        ([Spelling("青い", (1, 2)), Spelling("赤い", (1, 2))], "'青い' and '赤い' alike"),
    ],
)
def test_choices_that_tokens_cannot_tell_apart_are_refused(spellings: list[Spelling], message: str) -> None:
    with pytest.raises(ReasonerError, match=message):
        ChoiceGuide(spellings)


def test_a_choice_given_twice_counts_once() -> None:
    assert language(guide("a", "a", "b", max_choices=3)) == {"a", "b", "a, b", "b, a"}


# -- rows of a batch ---------------------------------------------------------------------------


def test_rows_are_masked_and_end_each_by_their_own_rule() -> None:
    """Truth, by hand: vocabulary of 8, end token 7; row 0 says (1 2) or (1), row 1 two tokens, row 2 until it ends."""
    torch = pytest.importorskip("torch")
    choices = ChoiceGuide([Spelling("long", (1, 2)), Spelling("short", (1,))])
    rows = BatchGuide([choices, None, None], [0, 2, 9], width=3, end_ids=[7])
    ids = torch.zeros(3, 3, dtype=torch.long)
    scores = torch.zeros(3, 8)
    scores[0] = torch.tensor([9.0, -5.0, 9, 9, 9, 9, 9, 9])

    masked = rows.mask(ids, scores)
    assert masked[0].isfinite().nonzero().flatten().tolist() == [1]
    assert masked[0, 1] == -5.0
    assert torch.equal(masked[1:], scores[1:])
    assert scores[0, 0] == 9.0  # what the model computed stays as it is

    ids = torch.cat((ids, torch.tensor([[1], [5], [7]])), 1)
    assert rows.follow(ids, None).tolist() == [False, False, True]
    assert rows.mask(ids, scores)[0].isfinite().nonzero().flatten().tolist() == [2, 7]

    ids = torch.cat((ids, torch.tensor([[7], [5], [0]])), 1)
    assert rows.follow(ids, None).tolist() == [True, True, True]
    assert choices.text(rows.places[0]) == "short"
    assert rows.n_said == [2, 2, 1]
    assert rows.at_end == [True, False, True]


def test_a_model_whose_scores_are_no_numbers_still_says_a_choice() -> None:
    torch = pytest.importorskip("torch")
    rows = BatchGuide([ChoiceGuide([Spelling("a", (3,)), Spelling("b", (5,))])], [0], width=1, end_ids=[7])

    for value in (float("nan"), float("-inf"), float("inf")):
        masked = rows.mask(torch.zeros(1, 1, dtype=torch.long), torch.full((1, 8), value))
        assert int(masked.argmax()) in (3, 5)
