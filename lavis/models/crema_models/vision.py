"""The frozen vision tower: EVA's ViT-g as BLIP-2 has it, from the transformers library."""

from __future__ import annotations

import dataclasses

import torch
from torch import nn
from transformers import Blip2VisionConfig
from transformers.models.blip_2.modeling_blip_2 import Blip2Encoder, Blip2VisionEmbeddings


@dataclasses.dataclass(frozen=True)
class VisionSize:
    """Size of the tower; the defaults are ViT-g's (CREMA's), 986 M parameters."""

    image_px: int = 224
    patch_px: int = 14
    width: int = 1408
    depth: int = 39
    heads: int = 16
    hidden: int = 6144


class VisionTower(nn.Module):
    """Turns pictures into patch tokens; without BLIP-2's last norm, which each modality has for itself.

    Args:
        size: of the network.
    """

    def __init__(self, size: VisionSize) -> None:
        super().__init__()
        config = Blip2VisionConfig(
            hidden_size=size.width,
            intermediate_size=size.hidden,
            num_hidden_layers=size.depth,
            num_attention_heads=size.heads,
            image_size=size.image_px,
            patch_size=size.patch_px,
            hidden_act="gelu",
            layer_norm_eps=1e-6,
            attention_dropout=0.0,
            qkv_bias=True,
        )
        config._attn_implementation = "sdpa"
        self.image_px = size.image_px
        self.embeddings = Blip2VisionEmbeddings(config)
        self.encoder = Blip2Encoder(config)
        for layer in self.encoder.layers:
            layer.self_attn.qkv = _JoinedLinear(size.width)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Encode pictures.

        Args:
            pictures: [n, 3, h, w], normalised as CLIP's.

        Returns:
            Tokens [n, 1 + patches, width].
        """
        encoded: torch.Tensor = self.encoder(inputs_embeds=self.embeddings(pictures)).last_hidden_state
        return encoded


class _JoinedLinear(nn.Module):
    """Query, key and value in one matrix; the key has no bias, so that none has to be kept for it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3 * width, width))
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map [..., width] to [..., 3 * width]."""
        bias = torch.cat((self.q_bias, torch.zeros_like(self.q_bias), self.v_bias))
        return nn.functional.linear(inputs, self.weight, bias)
