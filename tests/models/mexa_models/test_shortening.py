"""What is left out of evidence that does not fit, in which order, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from lavis.experts import Evidence
from lavis.models.mexa_models.shortening import shorten


def said(expert: str, text: str) -> Evidence:
    return Evidence(expert, "scene", text, "1")


ABSENT = Evidence("gone", "scene", "", "1", error="no such file")
LINES = [f"line {number}" for number in range(10)]
LONG = said("long", "\n".join(["heading:", *LINES]))


def at_most(characters: int) -> Callable[[Sequence[Evidence]], bool]:
    return lambda items: sum(len(item.text) for item in items) <= characters


def test_what_fits_stays_as_it_is() -> None:
    evidence = [LONG, said("a", "x" * 10), ABSENT]
    left = shorten(evidence, ["a", "long"], at_most(1000))
    assert left.evidence == tuple(evidence)
    assert left.notes == ()


def test_the_lowest_selection_rank_goes_first_whatever_its_place_in_the_prompt() -> None:
    evidence = [said("third", "x" * 10), said("first", "x" * 10), ABSENT, said("second", "x" * 10)]
    ranks = ["first", "second", "third"]
    left = shorten(evidence, ranks, at_most(20))
    assert [item.expert for item in left.evidence] == ["first", "gone", "second"]
    assert left.notes == ("third: left out (10 characters)",)

    left = shorten(evidence, ranks, at_most(15))
    assert [item.expert for item in left.evidence] == ["first", "gone"]
    assert left.notes == ("third: left out (10 characters)", "second: left out (10 characters)")


def test_an_expert_that_nobody_selected_goes_before_all_others() -> None:
    left = shorten([said("stray", "x" * 10), said("first", "x" * 10)], ["first"], at_most(10))
    assert [item.expert for item in left.evidence] == ["first"]


@pytest.mark.parametrize(("room", "kept"), [(9, []), (16, [9]), (30, [0, 5, 9]), (44, [0, 2, 5, 7, 9])])
def test_the_last_report_keeps_its_heading_and_evenly_spread_lines(room: int, kept: list[int]) -> None:
    """A heading of 8 characters, and 10 lines of 7 each with its break."""
    left = shorten([LONG, said("low", "x" * 40)], ["long", "low"], at_most(room))
    (report,) = left.evidence
    assert report.text.split("\n") == ["heading:", *(LINES[number] for number in kept)]
    assert left.notes == ("low: left out (40 characters)", f"long: {len(kept)} of 10 lines kept")
    assert (report.expert, report.version) == ("long", "1")


def test_where_not_even_a_heading_fits_nothing_is_left_but_the_absences() -> None:
    left = shorten([LONG, ABSENT], ["long"], at_most(5))
    assert left.evidence == (ABSENT,)
    assert left.notes == (f"long: left out ({len(LONG.text)} characters)",)


@pytest.mark.parametrize("text", ["\nfirst\nsecond\nthird", "\n\n\n"])
def test_a_report_that_begins_with_an_empty_line_can_be_thinned_too(text: str) -> None:
    left = shorten([said("odd", text)], ["odd"], at_most(2))
    assert left.evidence == ()
    assert left.notes == (f"odd: left out ({len(text)} characters)",)


def test_the_most_that_fits_is_kept_for_every_room() -> None:
    """Against trying every number of lines: one more line would not have fitted."""
    for room in range(len(LONG.text)):
        left = shorten([LONG], ["long"], at_most(room))
        kept = sum(item.text.count("\n") for item in left.evidence)
        assert at_most(room)(left.evidence)
        if left.evidence:
            assert len("heading:") + 7 * (kept + 1) > room
        else:
            assert room < len("heading:")
