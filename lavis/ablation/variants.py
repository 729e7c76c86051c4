"""Which runs an ablation makes of one configuration: each a name and what it changes."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import OmegaConf

from lavis.common.errors import ConfigError

FULL, NONE = "full", "none"
# The questions and how they are scored are the same for every row, and so is where rows lie.
ROW_PARTS = ("model", "datasets")
NO_FOLDER_NAME = re.compile(r"[^\w.+-]+")


@dataclasses.dataclass(frozen=True)
class Variant:
    """One row of an ablation's table.

    Attributes:
        name: what the table calls it.
        run_id: of its run.
        options: words over the run's ``--options``.
        nodes: key below ``model`` → the node that takes the place of the configured one.
    """

    name: str
    run_id: str
    options: tuple[str, ...] = ()
    nodes: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def apply(self, config: Any) -> None:
        """Make a configuration this variant's."""
        for key, node in self.nodes.items():
            config.model[key] = node
        config.run.run_id = self.run_id


def make_variants(
    model: Any,
    ablation_id: str,
    *,
    none: bool = False,
    leave_one_out: bool = False,
    only_one: bool = False,
    rows: Sequence[str] = (),
) -> list[Variant]:
    """Return the variants of a ``model`` node, the full one first.

    With a single expert, leaving it out is the row without evidence, and it alone is the full row.

    Args:
        model: the resolved node.
        ablation_id: begins every run id.
        none: a row without evidence.
        leave_one_out: a row without each expert.
        only_one: a row with each expert alone, asked whenever a medium can feed it.
        rows: further ones, each ``name: key=value key=value``.

    Raises:
        ConfigError: the node has no experts, its selector asks nobody, a row cannot be read, or two rows would
            share a run.
    """
    node: dict[str, Any] = OmegaConf.to_container(model, resolve=True) if OmegaConf.is_config(model) else dict(model)
    entries = node.get("experts")
    selector = node.get("selector")
    if not isinstance(entries, list) or not entries or not isinstance(selector, dict):
        raise ConfigError("model.experts is missing or empty: there is nothing to leave out.")
    if selector.get("type") == NONE:
        raise ConfigError("model.selector.type is none: the full row would have no evidence; configure another.")
    names = [entry if isinstance(entry, str) else str(entry.get("name")) for entry in entries]
    several = len(names) > 1
    found: list[tuple[str, str, tuple[str, ...], dict[str, Any]]] = [(FULL, FULL, (), {})]
    if none or (leave_one_out and not several):
        found.append(("no evidence", NONE, (), {"selector": {"type": NONE}}))
    if leave_one_out and several:
        found += [
            (f"without {name}", f"without-{name}", (), _without(name, names, entries, selector)) for name in names
        ]
    if only_one and several:
        found += [
            (f"only {name}", f"only-{name}", (), {"experts": [entry], "selector": {"type": "all"}})
            for name, entry in zip(names, entries, strict=True)
        ]
    found += [(name, name, words, {}) for name, words in map(read_row, rows)]
    variants = [
        Variant(name, f"{ablation_id}.{NO_FOLDER_NAME.sub('-', suffix)}", words, nodes)
        for name, suffix, words, nodes in found
    ]
    _refuse_shared_runs(variants)
    return variants


def read_row(text: str) -> tuple[str, tuple[str, ...]]:
    """Read ``name: key=value key=value`` into a name and options.

    Raises:
        ConfigError: there is no name or no option, or one is outside ``model`` and ``datasets``.
    """
    name, colon, rest = text.partition(":")
    try:
        words = tuple(shlex.split(rest))
    except ValueError as error:
        raise ConfigError(f"--rows {text!r}: {error}.") from error
    if not colon or not name.strip() or not words:
        raise ConfigError(f"--rows {text!r}: write 'name: key=value key=value'.")
    for word in words:
        if word.partition(".")[0] not in ROW_PARTS or "=" not in word:
            raise ConfigError(
                f"--rows {text!r}: {word!r} is none of model.…=value and datasets.…=value; "
                "what is below run is the same for every row (--options)."
            )
    return name.strip(), words


def _without(name: str, names: Sequence[str], entries: Sequence[Any], selector: dict[str, Any]) -> dict[str, Any]:
    kept = [entry for other, entry in zip(names, entries, strict=True) if other != name]
    if "names" in selector:  # a selector that is told whom to ask must not be told of somebody who is gone
        return {"experts": kept, "selector": {**selector, "names": [one for one in selector["names"] if one != name]}}
    return {"experts": kept}


def _refuse_shared_runs(variants: Sequence[Variant]) -> None:
    of_run: dict[str, str] = {}
    for variant in variants:
        # Some file systems do not tell case apart.
        other = of_run.setdefault(variant.run_id.casefold(), variant.name)
        if other is not variant.name:
            raise ConfigError(f"--rows: {other!r} and {variant.name!r} would share the run {variant.run_id!r}; rename.")
    if len({variant.name for variant in variants}) < len(variants):
        raise ConfigError("--rows: two rows have one name; rename one.")
