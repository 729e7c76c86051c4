"""Texts over time: which readings are of one text, by lines whose origin is known."""

from __future__ import annotations

from lavis.experts.reading.engine import TextLine, plain
from lavis.experts.reading.tracks import likeness, tracks


def line(text: str, left: float = 100, top: float = 100, confidence: float = 0.95) -> TextLine:
    return TextLine(text, confidence, (left, top, left + 12.0 * len(text), top + 20), (640, 480))


def test_a_misread_letter_does_not_make_another_text_and_the_best_reading_is_kept() -> None:
    found = tracks([[line("MUSEVM", confidence=0.7)], [line("MUSEUM")], [], [line("MUSEUM", confidence=0.8)]])
    assert [(track.best.text, track.views) for track in found] == [("MUSEUM", [0, 1, 3])]


def test_two_signs_of_one_text_stay_two() -> None:
    views = [[line("EXIT", 40), line("EXIT", 500)]] * 3
    found = tracks(views)
    assert [(track.best.box_px[0], track.views) for track in found] == [(40, [0, 1, 2]), (500, [0, 1, 2])]


def test_a_text_that_was_away_for_long_is_a_new_one() -> None:
    assert len(tracks([[line("EXIT")], [], [], [], [line("EXIT")]])) == 2


def test_other_figures_are_another_text_unless_the_rim_cuts_them() -> None:
    assert likeness(line("Score 3:1"), line("Score 3:2")) == 0
    assert likeness(line("Gate 1"), line("Gate 12")) == 0
    assert likeness(line("Gate 1", left=562), line("Gate 12")) > 0.75
    assert likeness(line("Gate"), line("Gate number")) == 0 or likeness(line("Gate"), line("Gates")) > 0.75
    assert likeness(line("EXIT"), line("exit!")) == 1


def test_full_width_signs_become_plain_ones_in_latin_text_alone() -> None:
    assert plain("Total：１２ ") == "Total:12" and plain("合计：１２") == "合计：１２" and plain("m²") == "m²"
