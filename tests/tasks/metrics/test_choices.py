"""Every registered metric is a function of any row: it gives a score, or None, and never raises."""

from __future__ import annotations

import itertools

import pytest

from lavis.common.registry import registry
from lavis.tasks.rows import ResultRow

ANSWERS = ("", " ", "A", "a. b", "B: yes\nNo.", "é" * 50, "1,234", "nan", "inf", "\x00", "\\boxed{C}", "[", "1e999")
ROWS = [
    ResultRow("1", options[choice] if choice is not None else answer, gold, choice, options, category, tags)
    for answer in ANSWERS
    for gold in ((), ("",), ("yes",), ("nan", "[("), ("1e999",))
    for options, choice in (((), None), (("yes", ""), None), (("yes", ""), 1))
    for category, tags in (
        ("", {}),
        ("TP", {"gold_choice": "1"} if options else {}),
        ("plane", {"track": "adaptation"}),
    )
]


@pytest.mark.parametrize("name", registry.list_names("metric"))
def test_a_metric_scores_any_row(name: str) -> None:
    metric = registry.require("metric", name)
    for row in ROWS:
        if not row.gold and name in ("crema_substring",):
            continue
        score = metric.score(row)
        assert score is None or 0.0 <= score <= 1.0, row
        assert all(isinstance(group, str) and group for group in metric.groups(row))


@pytest.mark.parametrize("name", registry.list_names("metric"))
def test_a_metric_has_its_registered_name_and_a_source(name: str) -> None:
    metric = registry.require("metric", name)
    assert metric.name == name
    assert len(metric.source) > 10


def test_only_rules_known_for_it_count_an_empty_answer_as_right() -> None:
    """Truth: what docs/design/scores.md lists as lenient."""
    rows = [
        ResultRow("1", "", ("yes",), None, options, category, tags)
        for options, category, tags in itertools.product(
            ((), ("no", "yes")), ("", "TP"), ({}, {"question_type": "open"})
        )
    ]
    lenient = {
        name
        for name in registry.list_names("metric")
        if any(registry.require("metric", name).score(row) for row in rows)
    }
    assert lenient == {"em_refined", "mexa_refined", "official_llm", "crema_substring", "crema_gqa"}
