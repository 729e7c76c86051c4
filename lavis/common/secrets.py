"""Secrets: values of the environment that must never reach a file, a log or an error text."""

from __future__ import annotations

import logging
import os
import re
from typing import Any

SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
# Shorter values are words ("1", "true"), not secrets; hiding them would garble every text.
MIN_SECRET_CHARACTERS = 8
HIDDEN = "[hidden]"

_named: set[str] = set()


def name_secret(variable: str) -> None:
    """Treat an environment variable as a secret whatever its name looks like (``api_key_env``)."""
    _named.add(variable)


def secret_values() -> list[str]:
    """Return the values to hide, longest first."""
    values = {
        value
        for name, value in os.environ.items()
        if (name in _named or SECRET_NAME.search(name)) and len(value) >= MIN_SECRET_CHARACTERS
    }
    return sorted(values, key=len, reverse=True)


def redact(value: Any) -> Any:
    """Return a text, or plain data holding texts, with every secret value hidden."""
    return _hide(value, secret_values())


def _hide(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return value
    if isinstance(value, dict):
        return {_hide(key, secrets): _hide(item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_hide(item, secrets) for item in value]
    return value


class RedactingFormatter(logging.Formatter):
    """Hides secrets in whole log lines, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record and hide what must not be seen."""
        text: str = redact(super().format(record))
        return text
