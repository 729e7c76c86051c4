"""Which of many texts bear on a question: words in common, weighed by Okapi BM25."""

from __future__ import annotations

import math
import re
from collections import Counter

# Okapi BM25's usual constants (Robertson and Zaragoza, 2009).
TERM_SATURATION, LENGTH_WEIGHT = 1.2, 0.75
STOP_WORDS = frozenset(
    "a an am and are as at be by can do does for from have how i if in is it its me my of on or that the there "
    "this to was what where which who will with you your one".split()
)


def content_words(text: str) -> list[str]:
    """Return the words that carry meaning, in lower case and without a plural's s."""
    found = re.findall(r"[a-z0-9]+", text.lower())
    return [
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
        for word in found
        if word not in STOP_WORDS
    ]


def bm25(documents: list[list[str]], query: list[str]) -> list[float]:
    """Return BM25 of every document; a word's weight is its rarity among these documents."""
    counts = [Counter(words) for words in documents]
    frequency = Counter(word for words in documents for word in set(words))
    mean_length = max(1.0, sum(map(len, documents)) / len(documents))
    scores = []
    for words, count in zip(documents, counts, strict=True):
        damping = TERM_SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * len(words) / mean_length)
        score = 0.0
        for word in sorted(set(query)):
            rarity = math.log(1 + (len(documents) - frequency[word] + 0.5) / (frequency[word] + 0.5))
            score += rarity * count[word] * (TERM_SATURATION + 1) / (count[word] + damping)
        scores.append(score)
    return scores
