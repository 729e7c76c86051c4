"""`lavis list experts`: who can look at what on this machine, what the others lack, and which skills nobody covers."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from lavis.common import weights
from lavis.common.errors import LavisError
from lavis.common.plugins import import_plugins
from lavis.common.registry import registry
from lavis.experts.base import Expert
from lavis.experts.skills import SKILLS

State = Literal["available", "needs files", "unavailable", "broken"]
HEADER = ("skill", "expert", "looks at", "cost", "state", "to enable it")


@dataclasses.dataclass(frozen=True)
class ExpertState:
    """A registered expert on this machine, as it is without options.

    Attributes:
        name: its registry name.
        state: ``needs files`` if nothing but listed weights is missing; ``broken`` if its class cannot be had.
        expert: its class; None where it is broken.
        enable: the command or line that enables it, or what is wrong with it; empty where it is available.
    """

    name: str
    state: State
    expert: type[Expert] | None
    enable: str = ""

    @property
    def usable(self) -> bool:
        """Whether it can look, once files that it needs are fetched."""
        return self.state in ("available", "needs files")

    def row(self) -> tuple[str, ...]:
        """Return its line of the table, in the order of HEADER."""
        if self.expert is None:
            return ("", self.name, "", "", self.state, self.enable)
        card = self.expert.card
        looks_at = "+".join((card.modality, *card.needs))
        return (f"{card.skill} {SKILLS[card.skill]}", self.name, looks_at, card.cost, self.state, self.enable)


def run(arguments: list[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="lavis list experts", description="Who can look at what here, and how to enable the others."
    )
    parser.add_argument("--plugin", action="append", default=[], metavar="FILE", help="Python file of your own")
    import_plugins(parser.parse_args(arguments).plugin, Path.cwd())
    found = expert_states()
    rows = [HEADER, *(state.row() for state in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    for row in rows:
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(f"{line.rstrip()}\n")
    missing = uncovered(found)
    sys.stdout.write(
        f"\nSkills of MEXA that no available expert covers here: {', '.join(missing) or 'none'}.\n"
        "Files are fetched when a run or `lavis ask` needs them.\n"
    )
    return 0


def expert_states() -> list[ExpertState]:
    """Return every registered expert, by skill and name; broken ones last."""
    listed = weights.entries()
    found = [_state(name, listed) for name in registry.list_names("expert")]
    order = list(SKILLS)
    return sorted(found, key=lambda one: (order.index(one.expert.card.skill) if one.expert else len(order), one.name))


def uncovered(found: Sequence[ExpertState]) -> list[str]:
    """Return the skills, with their names, that no usable expert has."""
    covered = {one.expert.card.skill for one in found if one.expert is not None and one.usable}
    return [f"{skill} {name}" for skill, name in SKILLS.items() if skill not in covered]


def _state(name: str, listed: dict[str, weights.WeightsEntry]) -> ExpertState:
    try:
        expert: type[Expert] = registry.require("expert", name)
        if lacking := expert.lacks({}):
            return ExpertState(name, "unavailable", expert, "; ".join(lacking))
        needed = [listed.get(file) or weights.find(file) for file in expert.needed_weights({})]
    except LavisError as error:
        return ExpertState(name, "broken", None, str(error))
    except Exception as error:  # an expert may be anybody's code: one that cannot be imported must not hide the others
        return ExpertState(name, "broken", None, f"{type(error).__name__}: {error}".splitlines()[0])
    if absent := [entry for entry in needed if weights.status(entry) == "absent"]:
        size_mb = sum(entry.bytes for entry in absent) / 1e6
        names = " ".join(entry.name for entry in absent)
        return ExpertState(name, "needs files", expert, f"lavis weights fetch {names} ({size_mb:.1f} MB)")
    return ExpertState(name, "available", expert)
