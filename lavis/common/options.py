"""Options of a registered class: the keyword-only parameters of its constructor, checked by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from lavis.common.errors import ConfigError, nearest
from lavis.common.registry import registry


def check_options(cls: type[Any], options: Mapping[str, Any], where: str) -> None:
    """Compare options with what a class takes, without building it.

    Args:
        cls: the class.
        options: name to value.
        where: the place in the configuration, for the error ("model.reasoner").

    Raises:
        ConfigError: an option it does not take (names the nearest), or one it needs is missing.
    """
    parameters = [
        parameter
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if name != "self" and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    known = [parameter.name for parameter in parameters]
    for name in options:
        if name not in known:
            raise ConfigError(
                f"{where}.{name}: no such option.{nearest(name, known)} Known: {', '.join(known) or 'none'}."
            )
    for parameter in parameters:
        if parameter.default is parameter.empty and parameter.name not in options:
            raise ConfigError(f"{where}.{parameter.name} is missing.")


def split_type(node: Mapping[str, Any], where: str) -> tuple[str, dict[str, Any]]:
    """Split ``{type: name, option: …}`` into the name and the options.

    Raises:
        ConfigError: there is no ``type``.
    """
    if not isinstance(node, Mapping) or not isinstance(node.get("type"), str):
        raise ConfigError(f"{where} needs a type: write {where}: {{type: …}}.")
    return node["type"], {str(name): value for name, value in node.items() if name != "type"}


def checked_class(kind: str, node: Mapping[str, Any], where: str) -> tuple[Any, dict[str, Any]]:
    """Return the class and the checked options of ``{type: name, option: …}``.

    Raises:
        ConfigError: unknown type, unknown option or missing option; names the nearest.
    """
    name, options = split_type(node, where)
    cls = registry.require(kind, name)
    check_options(cls, options, where)
    return cls, options
