"""CREMA's weights: published files, BLIP-2's and the project's own, each with a report of what fitted."""

from __future__ import annotations

import dataclasses
import logging
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lavis.common.dist_utils import broadcast_object
from lavis.common.errors import WeightsError
from lavis.models.crema_models.modalities import SPECS, read_modalities
from lavis.models.crema_models.published_names import alias_of, is_dead, to_published
from lavis.models.crema_models.settings import CremaSettings
from lavis.models.crema_models.weight_files import open_weights

if TYPE_CHECKING:
    from lavis.models.crema_models.crema import Crema

logger = logging.getLogger(__name__)

SHOWN = 8
NETWORK = "network."
EARLY_EXIT = "early_exit."
# Parts that are never trained: a checkpoint of a training need not hold them.
FROZEN = ("visual_encoder.", "audio_encoder.", "t5_model.", "Qformer.")


@dataclasses.dataclass(frozen=True)
class LoadReport:
    """What one file did to a model; names as published.

    Attributes:
        source: the file.
        matched: names that were loaded.
        missing: names of the model that the file lacks and no earlier file gave.
        unexpected: names of the file that mean nothing to this model.
        other_modalities: adapters of modalities that the model does not take.
        dead: published names that nothing uses.
    """

    source: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    other_modalities: tuple[str, ...]
    dead: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return dataclasses.asdict(self)

    def line(self) -> str:
        """Return it as a line of a log."""
        counts = ", ".join(
            f"{len(getattr(self, name))} {name.replace('_', ' ')}"
            for name in ("matched", "missing", "unexpected", "other_modalities", "dead")
        )
        return f"{self.source}: {counts}"


def load_named_weights(model: Crema, settings: CremaSettings) -> list[LoadReport]:
    """Load what the configuration names, in the order BLIP-2, BEATs, pre-trained, fine-tuned, adapters.

    What no file gives is drawn at random, which is an error for frozen parts unless ``random_weights`` says so.

    Raises:
        WeightsError: a file is missing, damaged, of another model, or does not hold what it must.
    """
    reports: list[LoadReport] = []
    given: set[str] = set()
    for place, reader in _files(settings):
        report = load_into(model, reader(place, model, settings), place, given=given)
        given.update(report.matched)
        reports.append(report)
        logger.info("%s", report.line())
    absent = {name for name in _published_of(model) if name not in given}
    frozen = sorted(name for name in absent if name.startswith(FROZEN) and ".w_" not in name)
    if frozen and not settings.random_weights:
        raise WeightsError(
            f"No file gives {len(frozen)} frozen weights ({_some(frozen)}). Name model.blip2, and model.pretrained or "
            "model.mmqa_ckpt (docs/crema.md says where they come from); model.random_weights: true is for tests."
        )
    drawn = draw_missing(model)
    if drawn:
        logger.info("%d weights are in no file and drawn at random: %s", len(drawn), _some(drawn))
    return reports


def _files(settings: CremaSettings) -> Iterable[tuple[str, Any]]:
    from lavis.models.crema_models.blip2_weights import read_beats, read_blip2

    if settings.blip2:
        yield settings.blip2, read_blip2
    if settings.beats:
        yield settings.beats, read_beats
    if settings.load_pretrained:
        yield _named(settings.pretrained, "pretrained", "load_pretrained"), read_checkpoint_file
    if settings.load_finetuned:
        yield _named(settings.finetuned, "finetuned", "load_finetuned"), read_checkpoint_file
    if settings.mmqa_ckpt:
        yield settings.mmqa_ckpt, read_checkpoint_file


def _named(path: str | None, key: str, switch: str) -> str:
    if not path:
        raise WeightsError(f"model.{key} is not set though model.{switch} is true; name a file or set it to false.")
    return path


def read_checkpoint_file(place: str, model: Crema, settings: CremaSettings) -> dict[str, torch.Tensor]:
    """Return the tensors of a published checkpoint, a runner's, or one of this project's, by published names.

    Raises:
        WeightsError: it is missing or damaged, or its modalities are fused in another order.
    """
    weights = open_weights(place)
    order = weights.about.get("modalities")
    if order and "fusion.0.weight" in {_published(name) for name in weights.tensors}:
        theirs = [one.name for one in read_modalities(order)]
        ours = [one.name for one in model.modalities]
        if theirs != ours:
            raise WeightsError(
                f"{place}: its fusion was trained on modalities in the order {'_'.join(theirs)}, model.modalities has "
                f"{'_'.join(ours)}; use the same."
            )
    # What a runner keeps of early exit is no weight.
    held = {name: tensor for name, tensor in weights.tensors.items() if not name.startswith(EARLY_EXIT)}
    return {_published(name): tensor for name, tensor in held.items()}


def load_into(model: Crema, state: Mapping[str, torch.Tensor], source: str, *, given: set[str]) -> LoadReport:
    """Load tensors by published names and say what fitted.

    Args:
        model: whose parameters take the tensors as they are, without a copy where that can be.
        state: published name to tensor.
        source: the file, for errors.
        given: what earlier files gave.

    Raises:
        WeightsError: shapes that differ (names them and the option that decides them), names that mean nothing, or
            nothing that fits.
    """
    own = {to_published(name): name for name in _shapes(model)}
    ours = {one.name for one in model.modalities}
    matched: dict[str, torch.Tensor] = {}
    unexpected, others, dead = [], [], []
    for name, tensor in state.items():
        if is_dead(name):
            dead.append(name)
        elif name in own:
            matched[name] = tensor
        elif alias_of(name) in own and alias_of(name) in state:
            dead.append(name)
        elif (modality := _modality_of(name)) is not None and modality not in ours:
            others.append(name)
        elif name.startswith(FROZEN[:2]) and not any(key.startswith(name.split(".")[0]) for key in own):
            others.append(name)  # an encoder that no modality of this model needs
        else:
            unexpected.append(name)
    _check_shapes(model, {own[name]: tensor for name, tensor in matched.items()}, source)
    if unexpected or not matched:
        found = f"{len(unexpected)} names that mean nothing here ({_some(unexpected)})" if unexpected else "nothing"
        raise WeightsError(f"{source}: holds {found}; is it a checkpoint of CREMA, and of this t5_model and size?")
    missing = [name for name in own if name not in matched and name not in given]
    _assign(model.network, {own[name]: tensor for name, tensor in matched.items()})
    return LoadReport(
        source=source,
        matched=tuple(sorted(matched)),
        missing=tuple(sorted(missing)),
        unexpected=(),
        other_modalities=tuple(sorted(others)),
        dead=tuple(sorted(dead)),
    )


def adapters(model: Crema) -> dict[str, torch.Tensor]:
    """Return what CREMA trains, of every modality, by published names, whichever learns just now."""
    state = model.network.state_dict()
    kept = {}
    for name, tensor in state.items():
        published = to_published(name)
        if _modality_of(published) is not None or published.startswith("fusion."):
            kept[published] = tensor.detach().cpu().contiguous()
    return kept


def draw_missing(model: Crema) -> list[str]:
    """Draw weights that no file gave: matrices around 0, norms as the identity, adapters so that they add nothing.

    Every rank draws the same, by rank 0's seed of torch and each weight's name; the run's random numbers stay.

    Returns:
        The published names of what was drawn.
    """
    seed = broadcast_object(torch.initial_seed())
    drawn = {
        name: _drawn(name, parameter, torch.Generator().manual_seed(seed ^ zlib.crc32(name.encode())))
        for name, parameter in model.network.named_parameters()
        if parameter.is_meta
    }
    _assign(model.network, drawn)
    return sorted(map(to_published, drawn))


def _drawn(name: str, like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    tensor = torch.empty(like.shape, dtype=like.dtype)
    if ".w_b_" in name:
        return nn.init.zeros_(tensor)
    if ".w_a_" in name:
        return nn.init.kaiming_uniform_(tensor, a=math.sqrt(5), generator=generator)
    if tensor.ndim == 1:
        return nn.init.constant_(tensor, 1.0 if name.endswith("weight") else 0.0)
    return nn.init.normal_(tensor, std=0.02, generator=generator)


def _shapes(model: Crema) -> dict[str, torch.Size]:
    """Return the names here of everything that a checkpoint holds, each tensor once."""
    return {name: tensor.shape for name, tensor in _own_state(model).items()}


def _own_state(model: Crema) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = model.network.state_dict()
    return {name: tensor for name, tensor in state.items() if alias_of(to_published(name)) == to_published(name)}


def _published_of(model: Crema) -> list[str]:
    return [to_published(name) for name in _shapes(model)]


def _published(name: str) -> str:
    """Return the published name of a name in a file: a runner's has the network's place before it."""
    return to_published(name.removeprefix(NETWORK)) if name.startswith(NETWORK) else name


def _modality_of(name: str) -> str | None:
    """Return the modality that a published name belongs to, or None for what all share."""
    if name.startswith("Qformer.") and (".w_a_" in name or ".w_b_" in name):
        return name.split(".w_", 1)[1].split(".")[0][2:]
    for head in ("query_tokens_", "t5_proj_", "ln_", "projection_"):
        if name.startswith(head):
            modality = name.removeprefix(head).split(".")[0]
            return modality if modality in SPECS else None
    return None


def _check_shapes(model: Crema, state: Mapping[str, torch.Tensor], source: str) -> None:
    shapes = _shapes(model)
    for name, tensor in state.items():
        if shapes[name] != tensor.shape:
            raise WeightsError(
                f"{source}: {to_published(name)} is [{_by(tensor.shape)}], the model's is [{_by(shapes[name])}]; "
                f"{_deciding(name, tensor.shape, shapes[name])}"
            )


def _deciding(name: str, theirs: Sequence[int], ours: Sequence[int]) -> str:
    """Return the option that decides what differs between two shapes of a tensor."""
    differing = [number for number, (one, other) in enumerate(zip(theirs, ours, strict=False)) if one != other]
    if (".w_a_" in name and differing == [0]) or (".w_b_" in name and differing == [1]):
        return "make model.lora_rank the file's."
    if name.startswith("fusion.") and differing == [1]:
        return "name as many modalities in model.modalities as the file was trained on."
    if name.startswith("query_tokens_") and differing == [1]:
        return "make model.num_query_token the file's."
    return "model.t5_model, model.image_size or model.size is another's."


def _assign(network: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Give parameters their tensors, without a copy; what is trained stays so, and what is shared stays shared."""
    places: dict[int, list[tuple[nn.Module, str]]] = {}
    for module in network.modules():
        for leaf, parameter in module._parameters.items():
            if parameter is not None:
                places.setdefault(id(parameter), []).append((module, leaf))
    for name, tensor in state.items():
        holder_name, _, leaf = name.rpartition(".")
        holder = network.get_submodule(holder_name)
        if leaf in holder._buffers:
            holder._buffers[leaf] = tensor
            continue
        old = holder.get_parameter(leaf)
        value = tensor.clone() if old.requires_grad else tensor  # a mapped file must not be trained in
        new = nn.Parameter(value.to(old.dtype), requires_grad=old.requires_grad)
        for module, called in places[id(old)]:
            module._parameters[called] = new


def _by(shape: Iterable[int]) -> str:
    return ", ".join(map(str, shape))


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
