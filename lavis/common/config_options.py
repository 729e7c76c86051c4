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
        _check_place(word)
        pairs.append(f"{word}={rest.pop(0)}")
    for pair in pairs:
        key, _, value = pair.partition("=")
        _check_place(key)
        if not value.strip():
            raise ConfigError(f"--options: {pair!r} has no value; write null for none, or '' in quotes of YAML.")
    try:
        return OmegaConf.from_dotlist(pairs)
    except Exception as error:  # OmegaConf passes on the errors of its YAML and grammar parsers
        raise ConfigError(f"--options {' '.join(pairs)}: {error}") from error


def merge_options(config: Any, options: Any) -> Any:
    """Return a configuration with options over it.

    Raises:
        ConfigError: an option goes below a value that is no mapping, or into a list by number.
    """
    _check_shapes(config, options, "")
    return OmegaConf.merge(config, options)


def _check_shapes(config: Any, options: Any, where: str) -> None:
    for key, value in options.items_ex(resolve=False):
        place = f"{where}.{key}" if where else str(key)
        below = config.get(key) if OmegaConf.is_dict(config) and not OmegaConf.is_interpolation(config, key) else None
        if OmegaConf.is_dict(value) and below is not None and not OmegaConf.is_dict(below):
            kind = "a list; give it whole: [a,b]" if OmegaConf.is_list(below) else "a single value"
            raise ConfigError(f"--options: {place}.{next(iter(value))} goes below {place}, which is {kind}.")
        if OmegaConf.is_dict(value):
            _check_shapes(below if below is not None else OmegaConf.create(), value, place)


def _check_place(key: str) -> None:
    top, _, below = key.partition(".")
    if top not in TOP_KEYS or not below or not all(key.split(".")):
        raise ConfigError(
            f"--options: {key!r} is no place in the configuration; begin with run., model. or datasets."
            f"{nearest(top, TOP_KEYS)}"
        )
