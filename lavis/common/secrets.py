"""Secrets: values of the environment that must never reach a file, a log or an error text."""

from __future__ import annotations

import functools
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
    values = {os.environ.get(name, "") for name in os.environ if name in _named or _sounds_secret(name)}
    return sorted((value for value in values if len(value) >= MIN_SECRET_CHARACTERS), key=len, reverse=True)


@functools.lru_cache(maxsize=1024)  # asked for every variable at every line that is written
def _sounds_secret(name: str) -> bool:
    return SECRET_NAME.search(name) is not None


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
