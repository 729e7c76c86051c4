"""Secrets of the environment reach no text, no data and no log line."""

from __future__ import annotations

import logging

import pytest

from lavis.common.secrets import HIDDEN, RedactingFormatter, name_secret, redact

KEY = "sk-abcdef-0123456789"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_API_KEY", KEY)
    monkeypatch.setenv("SHORT_TOKEN", "1")
    monkeypatch.setenv("HARMLESS_PLACE", "somewhere-long-enough")
    monkeypatch.setenv("ODDLY_NAMED", "an-oddly-named-value")


def test_values_are_hidden_in_texts_and_in_nested_data() -> None:
    data = {"a": [f"Bearer {KEY}", 1, None], KEY: {"b": (KEY,)}, "c": "somewhere-long-enough 1"}
    assert redact(data) == {"a": [f"Bearer {HIDDEN}", 1, None], HIDDEN: {"b": [HIDDEN]}, "c": "somewhere-long-enough 1"}


def test_a_variable_named_in_the_configuration_is_a_secret_whatever_its_name() -> None:
    assert redact("an-oddly-named-value") == "an-oddly-named-value"
    name_secret("ODDLY_NAMED")
    assert redact("an-oddly-named-value") == HIDDEN


def test_a_secret_inside_another_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGER_KEY", KEY + "-and-more")
    assert redact(f"x {KEY}-and-more y") == f"x {HIDDEN} y"


def test_log_lines_and_tracebacks_are_cleaned() -> None:
    formatter = RedactingFormatter("%(message)s")
    try:
        raise ValueError(f"refused {KEY}")
    except ValueError as error:
        record = logging.LogRecord(
            "n", logging.ERROR, "p", 1, "key %s", (KEY,), (ValueError, error, error.__traceback__)
        )
    text = formatter.format(record)
    assert KEY not in text
    assert text.count(HIDDEN) >= 2
