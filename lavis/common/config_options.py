"""The words after ``--options``: ``a.b=v`` or ``a.b v``, mixed at will."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from omegaconf import OmegaConf

from lavis.common.config_keys import TOP_KEYS
from lavis.common.errors import ConfigError, nearest

ASSIGNMENT = re.compile(r"[A-Za-z_][\w-]*(\.[\w-]+)+=")


def parse_options(words: Sequence[str] | None) -> Any:
    """Return the options as a configuration; values are read as YAML.

    Raises:
        ConfigError: a key without a value, a key outside ``run``, ``model`` and ``datasets``, or a
            value that is no YAML.
    """
    pairs: list[str] = []
    rest = list(words or ())
    while rest:
        word = rest.pop(0)
        if "=" in word:
            pairs.append(word)
            continue
        if not rest or ASSIGNMENT.match(rest[0]):
            raise ConfigError(f"--options: {word!r} has no value; write {word}=VALUE.")
        pairs.append(f"{word}={rest.pop(0)}")
    for pair in pairs:
        _check_place(pair.partition("=")[0])
    try:
        return OmegaConf.from_dotlist(pairs)
    except Exception as error:  # OmegaConf passes on the errors of its YAML and grammar parsers
        raise ConfigError(f"--options {' '.join(pairs)}: {error}") from error


def _check_place(key: str) -> None:
    top, _, below = key.partition(".")
    if top not in TOP_KEYS or not below:
        raise ConfigError(
            f"--options: {key!r} is no place in the configuration; begin with run., model. or datasets."
            f"{nearest(top, TOP_KEYS)}"
        )
