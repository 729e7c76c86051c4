"""Scores of free text by the words that it shares with the gold."""

from __future__ import annotations

import math
import re
from collections import Counter

# What the tokenizer mteval-v13a sets apart wherever it stands; comma, full stop and hyphen depend on their neighbours.
PUNCTUATION = re.compile("([" + re.escape(r"""!"#$%&()*+/:;<=>?@[\]^_`{|}~""") + "])")
ENTITIES = {"&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">"}


def tokens_13a(text: str) -> list[str]:
    """Split a text into words and punctuation as ``mteval-v13a`` does, case kept.

    A comma or full stop between digits stays ("1,234.5"), a hyphen is set apart after a digit only.
    """
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, character in ENTITIES.items():
        text = text.replace(entity, character)
    text = PUNCTUATION.sub(r" \1 ", f" {text} ")
    text = re.sub(r"([^0-9])([.,])", r"\1 \2 ", text)
    text = re.sub(r"([.,])([^0-9])", r" \1 \2", text)
    return re.sub(r"([0-9])(-)", r"\1 \2 ", text).split()


def bleu1(answer: str, gold: str) -> float:
    """Score one answer by BLEU of order 1 against one gold.

    The share of the answer's tokens that the gold has (each as often as the gold has it at most), times
    exp(1 - gold length / answer length) where the answer is the shorter. Source: BLEU, ACL 2002, with
    the tokens of :func:`tokens_13a`; a text without tokens scores 0.
    """
    said, right = tokens_13a(answer.strip()), tokens_13a(gold.strip())
    if not said or not right:
        return 0.0
    shared = (Counter(said) & Counter(right)).total()
    return min(1.0, math.exp(1 - len(right) / len(said))) * shared / len(said)


def rouge1(answer: str, gold: str) -> float:
    """Score one answer by the F1 of ROUGE-1 against one gold.

    Words are runs of a-z and 0-9 after lower-casing, not stemmed; precision and recall count each word as
    often as both texts have it. Source: ROUGE, ACL 2004 workshop; a text without words scores 0.
    """
    said, right = (Counter(re.findall("[a-z0-9]+", text.lower())) for text in (answer, gold))
    shared = (said & right).total()
    return 2 * shared / (said.total() + right.total()) if shared else 0.0
