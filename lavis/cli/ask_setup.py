"""From the words of `lavis ask` to the medium, the question, the experts that can look, and the model's node."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from lavis.cli.experts import ExpertState, expert_states
from lavis.common import weights
from lavis.common.config import Config
from lavis.common.config_options import merge_options, parse_options
from lavis.common.errors import ConfigError, LavisError, ModalityError, WeightsError
from lavis.common.options import check_options
from lavis.common.registry import registry
from lavis.common.secrets import name_secret
from lavis.datasets.media_folder import FoundMedium, find_medium
from lavis.datasets.pose import forward_from_quaternion
from lavis.datasets.question import Media, Pose, Question
from lavis.datasets.sample_medium import SCHEME, sample_medium
from lavis.experts.base import Expert

QUESTION_ID = "asked"
# A person names a picture as one: grey, palette and transparent ones are photographs, drawings and screenshots here.
LOADER_OPTIONS: Mapping[str, dict[str, Any]] = {"frame": {"convert": True}}
# Made up, to show a small reasoner that a word or two is wanted and not a sentence.
EXAMPLES = (
    ("Is the window open or closed?", "closed"),
    ("How many monitors are on the desk?", "two"),
    ("Can I reach the lamp?", "yes"),
    ("What does the letter say about the house?", "it was sold in May"),
)


def found_medium(given: argparse.Namespace) -> FoundMedium:
    """Return what ``--media``, ``--medium`` and ``--as`` name.

    Raises:
        ModalityError: nothing that is known is there.
        ConfigError: a sample, or a medium of it, that does not exist.
    """
    if given.media.startswith(SCHEME) and not Path(given.media).exists():
        return sample_medium(given.media.removeprefix(SCHEME), medium=given.medium)
    return find_medium(Path(given.media).expanduser(), medium=given.medium, modality=given.modality)


def asked_question(given: argparse.Namespace, found: FoundMedium) -> Question:
    """Return the question about a medium, with the pose and situation of the command line or the medium's own.

    Raises:
        ConfigError: a pose that is none.
    """
    media = found.media
    if given.pose is not None:
        media = Media(media.media_id, media.sources, {**media.side, "pose": _pose(given.pose)})
    situation = found.situation if given.situation is None else given.situation.strip()
    return Question(QUESTION_ID, given.question.strip(), media, options=tuple(given.option), situation=situation)


def _pose(numbers: Sequence[float]) -> Pose:
    if not all(map(math.isfinite, numbers)):
        raise ConfigError(f"--pose {' '.join(map(str, numbers))}: every number must be finite.")
    x_m, y_m, z_m, *turn = numbers
    if len(turn) == 1:
        angle = math.radians(turn[0])
        return Pose((x_m, y_m, z_m), (math.cos(angle), math.sin(angle)))
    return Pose((x_m, y_m, z_m), forward_from_quaternion(*turn))


def split_options(
    words: Sequence[str], found: Mapping[str, dict[str, Any]]
) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return what ``--options`` say below ``model``, and the options of loaders by modality.

    Raises:
        ConfigError: a place that nothing reads here, or an option that a loader does not take.
    """
    own = [word for word in words if word.startswith("media.") and "=" in word]
    options: Any = OmegaConf.to_container(parse_options([word for word in words if word not in own]))
    if others := sorted(set(options) - {"model"}):
        raise ConfigError(f"--options: nothing here reads {others[0]}; begin with model. or media.")
    # The same reader, below a part that it knows.
    read: Any = OmegaConf.to_container(parse_options([f"datasets.{word}" for word in own]))
    given = read.get("datasets", {}).get("media", {})
    merged = {name: {**LOADER_OPTIONS.get(name, {}), **found.get(name, {})} for name in {*LOADER_OPTIONS, *found}}
    for name, one in given.items():
        if not isinstance(one, dict):
            raise ConfigError(f"--options: write media.{name}.OPTION=VALUE.")
        registry.require("loader", name).from_options(one)
        merged[name] = {**merged.get(name, {}), **one}
    return options.get("model", {}), merged


def usable_experts(given: argparse.Namespace, question: Question) -> tuple[list[str], dict[str, str]]:
    """Return the experts that may be asked, and why others that the medium could feed are left out.

    Raises:
        UnknownNameError: an expert that is not registered.
        ModalityError: one that was named lacks something of the medium, or nobody can look at it.
    """
    media = question.media
    has = ", ".join((*media.sources, *media.side)) or "nothing"
    if given.experts is not None:
        names = [name.strip() for name in given.experts.split(",") if name.strip()]
        if not names:
            raise ConfigError("--experts names nobody; --selector none answers without looking.")
        for name in names:
            expert = registry.require("expert", name)
            if not expert.lacks({}) and (missing := _missing(name, expert, question)):
                raise ModalityError(f"Expert {name!r} needs {', '.join(missing)}; {media.media_id!r} has {has}.")
        return names, {}
    names, left_out = [], {}
    for state in expert_states():
        reason = _reason_against(state, question, offline=given.offline)
        if reason is None:
            names.append(state.name)
        elif reason:
            left_out[state.name] = reason
    if not names and given.selector != "none":
        reasons = "".join(f"\n  {name}: {reason}" for name, reason in left_out.items())
        raise ModalityError(
            f"No expert here can look at {media.media_id!r}, which has {has}. `lavis list experts` tells who looks at "
            f"what; --selector none answers without looking.{reasons}"
        )
    return names, left_out


def _reason_against(state: ExpertState, question: Question, *, offline: bool) -> str | None:
    """Return why an expert is left out; empty where the medium is none of its business, None where it may look."""
    expert = state.expert
    if expert is None:
        return state.enable
    if not question.media.serving(expert.card.modality):
        return ""
    if not state.usable or (offline and state.state != "available"):
        return state.enable
    try:
        missing = _missing(state.name, expert, question)
    except LavisError as error:
        return str(error)
    if missing:
        return f"the medium has no {', '.join(missing)}"
    return "asking it may cost; name it in --experts" if expert.card.cost == "served" else None


def _missing(name: str, expert: type[Expert], question: Question) -> tuple[str, ...]:
    check_options(expert, {}, f"model.experts.{name}")
    return expert().missing_needs(question)


def model_node(given: argparse.Namespace, names: Sequence[str], options: Mapping[str, Any]) -> Any:
    """Return the checked ``model`` node: the default one, with what was asked for over it."""
    asked = {
        "arch": "mexa_aggregator",
        "model_type": "default",
        "selector": {"type": given.selector},
        "experts": list(names),
        "reasoner": {"type": given.reasoner},
    }
    whole = merge_options(OmegaConf.create({"model": asked}), OmegaConf.create({"model": dict(options)}))
    for node in (whole.model.reasoner, whole.model.selector.get("reasoner")):
        if node is not None and isinstance(node.get("api_key_env"), str):
            name_secret(node.api_key_env)
    return Config.build_model_config(whole).model


def fetch(names: Sequence[str], *, offline: bool) -> None:
    """Fetch the files that are needed and not here.

    Raises:
        WeightsError: no source has one; or ``offline``: says the command.
    """
    absent = [entry for name in names if weights.status(entry := weights.find(name)) == "absent"]
    if absent and offline:
        raise WeightsError(f"--offline: fetch them first: lavis weights fetch {' '.join(one.name for one in absent)}")
    for entry in absent:
        sys.stderr.write(f"Fetching {entry.name} ({entry.bytes / 1e6:.1f} MB): {entry.about}\n")
        weights.fetch(entry.name)
