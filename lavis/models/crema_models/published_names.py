"""Names of weights as CREMA's checkpoints have them, and as the modules here have them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

# (published, here); applied to whole parts of a name, in this order.
RENAMED = (
    ("visual_encoder.cls_token", "visual_encoder.embeddings.class_embedding"),
    ("visual_encoder.pos_embed", "visual_encoder.embeddings.position_embedding"),
    ("visual_encoder.patch_embed.proj.", "visual_encoder.embeddings.patch_embedding."),
    ("visual_encoder.blocks.", "visual_encoder.encoder.layers."),
    (".attn.proj.", ".self_attn.projection."),
    (".attn.qkv.", ".self_attn.qkv."),
    (".attn.q_bias", ".self_attn.qkv.q_bias"),
    (".attn.v_bias", ".self_attn.qkv.v_bias"),
    (".norm1.", ".layer_norm1."),
    (".norm2.", ".layer_norm2."),
    ("Qformer.bert.embeddings.LayerNorm.", "Qformer.bert.layernorm."),
    (".attention.self.", ".attention.attention."),
    (".crossattention.self.", ".crossattention.attention."),
    (".pos_conv.0.weight_g", ".pos_conv.0.parametrizations.weight.original0"),
    (".pos_conv.0.weight_v", ".pos_conv.0.parametrizations.weight.original1"),
)
PARTS = ("visual_encoder.", "Qformer.", "audio_encoder.")
# Published and used by nothing: parameters of an experiment, positions that count from 0.
DEAD = re.compile(r"(?:\w+_gradsel_embed|Qformer\.bert\.embeddings\.position_ids|ln_pc\.(?:weight|bias))")
# What another name holds, too.
ALIASES = {
    "t5_model.encoder.embed_tokens.weight": "t5_model.shared.weight",
    "t5_model.decoder.embed_tokens.weight": "t5_model.shared.weight",
}
_LATER_BEATS = re.compile(
    r"(audio_encoder\.model\.encoder\.layers\.)[1-9]\d*(\.self_attn\.relative_attention_bias\.weight)"
)


def from_published(name: str) -> str:
    """Return the name here of a published one."""
    for old, new in RENAMED:
        if name.startswith(PARTS):
            name = name.replace(old, new)
    return name


def to_published(name: str) -> str:
    """Return the published name of one here."""
    for old, new in reversed(RENAMED):
        if name.startswith(PARTS):
            name = name.replace(new, old)
    return name


def alias_of(name: str) -> str:
    """Return the published name that holds the same tensor first, or the name itself."""
    return ALIASES.get(name) or _LATER_BEATS.sub(r"\g<1>0\g<2>", name)


def is_dead(name: str) -> bool:
    """Return whether a published tensor is read and used by nothing."""
    return DEAD.fullmatch(name) is not None


def read_published(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a published state dict under the names here, without what nothing uses."""
    return {from_published(name): tensor for name, tensor in state.items() if not is_dead(name)}
