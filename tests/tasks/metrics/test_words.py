"""BLEU-1 and ROUGE-1 by values computed by hand."""

from __future__ import annotations

import math

import pytest

from lavis.tasks.metrics.words import bleu1, rouge1, tokens_13a


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("The left lung.", ["The", "left", "lung", "."]),
        ("1,234.5 mm, about", ["1,234.5", "mm", ",", "about"]),
        ("3-year-old", ["3", "-", "year-old"]),
        ("it's (axial)", ["it's", "(", "axial", ")"]),
        ("a&lt;b &amp; &quot;c&quot;", ["a", "<", "b", "&", '"', "c", '"']),
        ("sub-\ncutaneous\nfat", ["subcutaneous", "fat"]),
        ("  ", []),
    ],
)
def test_tokens_are_those_of_mteval_13a(text: str, tokens: list[str]) -> None:
    assert tokens_13a(text) == tokens


@pytest.mark.parametrize(
    ("answer", "gold", "score"),
    [
        ("left lung", "left lung", 1.0),
        # Two of three tokens; longer than the gold, no penalty.
        ("the left lung", "left lung", 2 / 3),
        # All of one token, a third as long as the gold: exp(1 - 3).
        ("lung", "the left lung", math.exp(-2)),
        # The gold has one "a", so one of three counts.
        ("a a a", "a", 1 / 3),
        # Case counts, the full stop is a token of its own: one of two.
        ("Lung.", "lung.", 1 / 2),
        ("liver", "lung", 0.0),
        ("", "lung", 0.0),
        ("lung", "", 0.0),
    ],
)
def test_bleu_of_single_words(answer: str, gold: str, score: float) -> None:
    assert bleu1(answer, gold) == pytest.approx(score)


@pytest.mark.parametrize(
    ("answer", "gold", "score"),
    [
        ("Left lung.", "left-lung", 1.0),
        # Precision 2/3, recall 2/2.
        ("the left lung", "left lung", 2 * (2 / 3) * 1 / (2 / 3 + 1)),
        # Precision 1/3, recall 1/1.
        ("a a a", "a", 1 / 2),
        ("lungs", "lung", 0.0),
        ("", "lung", 0.0),
        ("lung", "...", 0.0),
    ],
)
def test_f1_of_rouge_1(answer: str, gold: str, score: float) -> None:
    assert rouge1(answer, gold) == pytest.approx(score)
