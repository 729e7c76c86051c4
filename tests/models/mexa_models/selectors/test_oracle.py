"""The oracle: a file says whom to ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from selecting import EXPERTS, select

from lavis.common.errors import ConfigError
from lavis.datasets.question import Question
from lavis.models.mexa_models.selectors import OracleSelector

Ask = Callable[..., Question]


def oracle(folder: Path, content: Any) -> OracleSelector:
    file = folder / "oracle.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return OracleSelector(file=str(file))


@pytest.mark.parametrize(
    ("entry", "experts"),
    [
        (["posed"], ("posed",)),
        (["posed", "texts"], ("posed", "texts")),
        ("A1", ("texts", "posed")),
        ("B1, A1", ("texts", "posed")),
        (["posed", "A1"], ("posed", "texts")),
        ([], ()),
        ("", ()),
    ],
)
def test_names_and_skills_lead_to_experts(ask: Ask, tmp_path: Path, entry: Any, experts: tuple[str, ...]) -> None:
    assert select(oracle(tmp_path, {"7": entry}), ask()).experts == experts


def test_whom_the_medium_cannot_feed_is_left_out_and_named(ask: Ask, tmp_path: Path) -> None:
    selection = select(oracle(tmp_path, {"7": ["texts", "depth", "B1"]}), ask(), EXPERTS[:1])
    assert selection.experts == ("texts",)
    assert selection.reason.endswith("not for this medium: depth, B1")


def test_a_question_that_the_file_does_not_know_is_an_error_that_names_the_file(ask: Ask, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"oracle\.json.* says nothing of question 7; it knows 1"):
        select(oracle(tmp_path, {"8": "A1"}), ask())


def test_a_name_that_nobody_carries_is_refused_before_the_run(tmp_path: Path) -> None:
    """The registry knows ``depth``; it need not be configured."""
    oracle(tmp_path, {"7": ["texts", "depth"], "8": "G2"}).check(["texts"])
    with pytest.raises(ConfigError, match=r"oracle\.json: question 7 names 'texst'.*'texts'"):
        oracle(tmp_path, {"7": ["texst"]}).check(["texts"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"oracle\.json cannot be read as JSON"),
        ('{"7": "A1", "7": "A2"}', r"'7' stands twice"),
        ([["7", "A1"]], r"must be a mapping"),
        ({"7": 3}, r"question 7 has 3"),
        ({"7": [3]}, r"question 7 has \[3\]"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        oracle(tmp_path, content)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.json cannot be read"):
        OracleSelector(file=str(tmp_path / "nowhere.json"))
