"""How SQA3D answers are scored: the strict rule that heads a table, and the lenient ones that others report."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lavis.tasks.metrics.base import Metric
from lavis.tasks.rows import ResultRow

TYPOS = {
    "letf": "left",
    "let": "left",
    "tehre": "there",
    "rigth": "right",
    "rght": "right",
    "behine": "behind",
    "chai": "chair",
    "wasing": "washing",
    "waslked": "walked",
    "tv": "TV",
    "oclock": "o'clock",
}
NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty"
).split()
WHOLE_WORDS = TYPOS | {str(number): word for number, word in enumerate(NUMBER_WORDS)}
WHOLE_WORDS |= {"23": "twenty-three", "none": "zero"}
WORD = re.compile(r"\b(" + "|".join(sorted(map(re.escape, WHOLE_WORDS), key=len, reverse=True)) + r")\b")


def normalize(answer: str) -> str:
    """Bring an SQA3D answer to LEO's canonical form.

    Lower case; single spaces; ASCII letters, digits and ``, ' - :`` only; the data set's known typos
    mended; whole numbers 0 to 20 and 23 and "none" as words; a digit glued to a word cut; articles
    before a word dropped. Source: LEO (arXiv 2311.12871), answer cleaning of its SQA3D evaluation.
    """
    text = re.sub(r" {2,}", " ", answer.lower().strip(" "))
    text = re.sub(r"[^a-z0-9,'\s\-:]+", "", text)
    text = re.sub(r"\bo' +clock\b", "o'clock", text)
    text = WORD.sub(lambda match: WHOLE_WORDS[match.group(1)], text)
    text = re.sub(r"\b([a-zA-Z]+)[0-9]\b", r"\1", text)
    for article in ("a", "an", "the"):
        text = re.sub(rf"\b{article}\b ([a-zA-Z]+)", r"\1", text)
    return re.sub(r"\bbackwards\b", "backward", text)


def _content_key(row: ResultRow) -> str:
    """Return what the official evaluator tells questions apart by (scene, pose, situation, text); else the id."""
    return row.tags.get("content", row.question_id)


def _contains_either_way(first: str, second: str) -> bool:
    one, other = "".join(first.split()), "".join(second.split())
    return one in other or other in one


def _exact_match(answer: str, golds: Sequence[str]) -> float:
    return float(bool(answer.strip()) and normalize(answer) in {normalize(gold) for gold in golds})


def _em_refined(answer: str, golds: Sequence[str]) -> float:
    return float(any(_contains_either_way(normalize(answer), normalize(gold)) for gold in golds))


def _mexa_em(answer: str, golds: Sequence[str]) -> float:
    return float(bool(answer.strip()) and answer.lower() in {gold.lower() for gold in golds})


def _mexa_refined(answer: str, golds: Sequence[str]) -> float:
    return float(any(_contains_either_way(answer.lower(), gold.lower()) for gold in golds))


def _official_llm(answer: str, golds: Sequence[str]) -> float:
    cleaned = normalize(answer)
    squeezed = "".join(cleaned.split())
    words = set(cleaned.split())
    return float(
        any(cleaned in gold or squeezed in "".join(gold.split()) or bool(words & set(gold.split())) for gold in golds)
    )


def _crema_substring(answer: str, golds: Sequence[str]) -> float:
    gold = golds[0]
    text = answer
    for removed in (",", "<pad>", "</s>"):
        text = text.replace(removed, "")
    text = text.strip().split("\n")[0].lower()
    if len(gold.split()) == 1 and text:
        text = text.split()[-1]
    if text.isdigit() and 1 <= int(text) <= 10:
        text = NUMBER_WORDS[int(text)]
    return float(text in gold)


def _leo_type(row: ResultRow) -> Sequence[str]:
    return (row.category,) if row.category else ()


def _crema_type(row: ResultRow) -> Sequence[str]:
    return (row.tags["crema_type"],) if "crema_type" in row.tags else ()


def _rule(
    name: str,
    score: Callable[[str, Sequence[str]], float],
    source: str,
    *,
    groups: Callable[[ResultRow], Sequence[str]] = _leo_type,
    content_key: Callable[[ResultRow], str] | None = None,
) -> Metric:
    # Rows whose gold is withheld are no part of any count.
    return Metric(name, lambda row: score(row.answer, row.gold) if row.gold else None, groups, source, content_key)


EXACT_MATCH = _rule("exact_match", _exact_match, "LEO, arXiv 2311.12871: equality after its normalisation")
EM_REFINED = _rule("em_refined", _em_refined, "LEO, arXiv 2311.12871: equal or contained either way")
MEXA_EM = _rule("mexa_em", _mexa_em, "MEXA, arXiv 2506.17113: equality after lower-casing")
MEXA_REFINED = _rule("mexa_refined", _mexa_refined, "MEXA, arXiv 2506.17113: contained either way")
OFFICIAL_LLM = _rule(
    "official_llm", _official_llm, "SQA3D's zero-shot script: a shared word is enough", content_key=_content_key
)
CREMA_SUBSTRING = _rule(
    "crema_substring",
    _crema_substring,
    "CREMA, arXiv 2402.05889: answer is a substring of the gold",
    groups=_crema_type,
)
