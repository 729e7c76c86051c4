"""BLIP-2's and BEATs' own weights as the start of a CREMA model: a transformers folder, or files in LAVIS's form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from lavis.common.errors import WeightsError
from lavis.models.crema_models.published_names import to_published
from lavis.models.crema_models.weight_files import open_weights

if TYPE_CHECKING:
    from lavis.models.crema_models.crema import Crema
    from lavis.models.crema_models.settings import CremaSettings

Tensors = dict[str, torch.Tensor]

# (name in a transformers BLIP-2, name here); what begins otherwise stays.
FROM_TRANSFORMERS = (
    (re.compile(r"^vision_model\.(embeddings|encoder)\."), r"visual_encoder.\1."),
    (re.compile(r"^vision_model\.post_layernorm\."), "ln_vision."),
    (re.compile(r"^qformer\."), "Qformer.bert."),
    (re.compile(r"^language_projection\."), "t5_proj."),
    (re.compile(r"^language_model\."), "t5_model."),
)
ADAPTED = re.compile(r"(Qformer\.bert\.encoder\.layer\.\d+\.attention\.self\.(?:query|value))\.(weight|bias)$")
# Of BLIP-2's Q-Former, what reads text: CREMA's never does.
TEXT_BRANCH = re.compile(
    r"Qformer\.(?:cls\.|bert\.embeddings\.(?:word|position)_embeddings|bert\.encoder\.layer\.\d+\.(?:intermediate|output)\.)"
)
INDEX = "model.safetensors.index.json"


def read_blip2(place: str, model: Crema, settings: CremaSettings) -> Tensors:
    """Return BLIP-2's weights by CREMA's published names, the shared starts repeated for every modality.

    Args:
        place: a folder or file of transformers' BLIP-2 (``*.safetensors``), or a ``.pth`` in LAVIS's form.
        model: says which modalities there are.
        settings: not used; every reader takes them.

    Raises:
        WeightsError: it is missing, damaged, or no BLIP-2.
    """
    state: Tensors = {}
    for file in _files(place):
        state.update(open_weights(file).tensors)
    if any(name.startswith("vision_model.") for name in state):
        state = _parted(_renamed(state))
    if not any(name.startswith("Qformer.") for name in state):
        raise WeightsError(f"{place} is no BLIP-2: it has no Q-Former.")
    found: Tensors = {}
    for name, tensor in state.items():
        if TEXT_BRANCH.match(name) or name.startswith(("temp", "vision_proj", "text_proj", "itm_head")):
            continue
        if name in ("query_tokens",) or name.startswith(("t5_proj.", "ln_vision.")):
            found |= _for_each(name, tensor, model)
        else:
            found[ADAPTED.sub(r"\1.w.\2", name)] = tensor
    return found


def read_beats(place: str, model: Crema, settings: CremaSettings) -> Tensors:
    """Return a BEATs checkpoint (``{"cfg": …, "model": …}``) by CREMA's published names, without its classifier."""
    state = open_weights(place).tensors
    return {
        f"audio_encoder.model.{name}": tensor for name, tensor in state.items() if not name.startswith("predictor.")
    }


def _files(place: str) -> list[str]:
    folder = Path(place).expanduser()
    if not folder.is_dir():
        return [place]
    found = sorted(str(path) for path in folder.glob("*.safetensors"))
    if not found:
        raise WeightsError(f"{place}: the folder holds no *.safetensors.")
    return found


def _renamed(state: Mapping[str, torch.Tensor]) -> Tensors:
    found = {}
    for name, tensor in state.items():
        here = name
        for pattern, replacement in FROM_TRANSFORMERS:
            here = pattern.sub(replacement, here)
        found[to_published(here)] = tensor
    return found


def _parted(state: Tensors) -> Tensors:
    """Part the joined bias of query, key and value, whose middle is always zero."""
    found = {}
    for name, tensor in state.items():
        if not name.endswith(".attn.qkv.bias"):
            found[name] = tensor
            continue
        query, key, value = tensor.chunk(3)
        if bool(key.any()):
            raise WeightsError(f"{name}: the key has a bias, which this vision tower does not.")
        block = name.removesuffix("qkv.bias")
        found[f"{block}q_bias"], found[f"{block}v_bias"] = query, value
    return found


def _for_each(name: str, tensor: torch.Tensor, model: Crema) -> Tensors:
    """Return a start that every modality shares; the norm of pictures goes to pictures alone."""
    rename: Callable[[str], str] = {
        "query_tokens": lambda modality: f"query_tokens_{modality}",
        "t5_proj": lambda modality: name.replace("t5_proj.", f"t5_proj_{modality}."),
        "ln_vision": lambda modality: name.replace("ln_vision.", f"ln_{modality}."),
    }[name.split(".")[0]]
    takers = [one for one in model.modalities if not name.startswith("ln_vision.") or one.is_pictures]
    return {rename(one.name): tensor for one in takers}
