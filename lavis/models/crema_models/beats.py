"""A BEATs audio encoder (arXiv 2212.09058): patches of a filter bank through a transformer with gated positions."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


@dataclasses.dataclass(frozen=True)
class BeatsSize:
    """Size of the encoder; the defaults are those of BEATs iter3, 90 M parameters."""

    patch: int = 16
    patch_width: int = 512
    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    conv_kernel: int = 128
    conv_groups: int = 16
    buckets: int = 320
    max_distance: int = 800


class BeatsEncoder(nn.Module):
    """Turns filter banks into tokens.

    Args:
        size: of the network.
    """

    def __init__(self, size: BeatsSize) -> None:
        super().__init__()
        self.size = size
        self.patch_embedding = nn.Conv2d(1, size.patch_width, size.patch, stride=size.patch, bias=False)
        self.layer_norm = nn.LayerNorm(size.patch_width)
        self.post_extract_proj = nn.Linear(size.patch_width, size.width)
        self.encoder = _Encoder(size)

    def forward(self, banks: torch.Tensor) -> torch.Tensor:
        """Encode filter banks [n, t, 128] as tokens [n, t / 16 * 8, width], time by time."""
        patches = self.patch_embedding(banks.unsqueeze(1)).flatten(2).transpose(1, 2)
        encoded: torch.Tensor = self.encoder(self.post_extract_proj(self.layer_norm(patches)))
        return encoded


class _Encoder(nn.Module):
    def __init__(self, size: BeatsSize) -> None:
        super().__init__()
        self.size = size
        convolution = nn.Conv1d(
            size.width, size.width, size.conv_kernel, padding=size.conv_kernel // 2, groups=size.conv_groups
        )
        self.pos_conv = nn.Sequential(weight_norm(convolution, dim=2))
        layers = [_Layer(size) for _ in range(size.layers)]
        # One table for all layers.
        for layer in layers[1:]:
            layer.self_attn.relative_attention_bias = layers[0].self_attn.relative_attention_bias
        self.layers = nn.ModuleList(layers)
        self.layer_norm = nn.LayerNorm(size.width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        # An even kernel gives one position more than there are tokens.
        around = nn.functional.gelu(self.pos_conv(tokens.transpose(1, 2))[..., : tokens.shape[1]]).transpose(1, 2)
        tokens = self.layer_norm(tokens + around)
        first: Any = self.layers[0]
        places: torch.Tensor = first.self_attn.places(tokens.shape[1])
        for layer in self.layers:
            tokens = layer(tokens, places)
        return tokens


class _Layer(nn.Module):
    """Norm after the sum, with DeepNorm's weight on what goes round (arXiv 2203.00555)."""

    def __init__(self, size: BeatsSize) -> None:
        super().__init__()
        self.self_attn = _Attention(size)
        self.self_attn_layer_norm = nn.LayerNorm(size.width)
        self.fc1 = nn.Linear(size.width, size.hidden)
        self.fc2 = nn.Linear(size.hidden, size.width)
        self.final_layer_norm = nn.LayerNorm(size.width)
        self.alpha = (2 * size.layers) ** 0.25

    def forward(self, tokens: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        tokens = self.self_attn_layer_norm(self.alpha * tokens + self.self_attn(tokens, places))
        through = self.fc2(nn.functional.gelu(self.fc1(tokens)))
        mixed: torch.Tensor = self.final_layer_norm(self.alpha * tokens + through)
        return mixed


class _Attention(nn.Module):
    """Attention whose relative positions each query lets through by a gate (WavLM, arXiv 2110.13900, section 3.2)."""

    def __init__(self, size: BeatsSize) -> None:
        super().__init__()
        self.heads, self.head_width = size.heads, size.width // size.heads
        self.buckets, self.max_distance = size.buckets, size.max_distance
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            self.add_module(name, nn.Linear(size.width, size.width))
        self.relative_attention_bias = nn.Embedding(size.buckets, size.heads)
        self.grep_linear = nn.Linear(self.head_width, 8)
        self.grep_a = nn.Parameter(torch.ones(1, size.heads, 1, 1))

    def places(self, n_tokens: int) -> torch.Tensor:
        """Return the bias of every pair of positions, [heads, n, n]."""
        at = torch.arange(n_tokens, device=self.relative_attention_bias.weight.device)
        buckets = _buckets(at[None] - at[:, None], self.buckets, self.max_distance)
        biases: torch.Tensor = self.relative_attention_bias(buckets).permute(2, 0, 1)
        return biases

    def forward(self, tokens: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        n, length, width = tokens.shape
        query, key, value = (
            self.get_submodule(name)(tokens).view(n, length, self.heads, self.head_width).transpose(1, 2)
            for name in ("q_proj", "k_proj", "v_proj")
        )
        # Two gates of four numbers each.
        update, reset = self.grep_linear(query).view(n, self.heads, length, 2, 4).sum(-1).sigmoid().chunk(2, -1)
        gate = update * (reset * self.grep_a - 1.0) + 2.0
        attended = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=gate * places[None])
        out: torch.Tensor = self.get_submodule("out_proj")(attended.transpose(1, 2).reshape(n, length, width))
        return out


def _buckets(distance: torch.Tensor, n_buckets: int, max_distance: int) -> torch.Tensor:
    """Return the bucket of every distance: near ones each their own, far by their logarithm; half for each side."""
    half = n_buckets // 2
    near = half // 2
    size = distance.abs()
    spread = torch.log(size.clamp(min=1).float() / near) / math.log(max_distance / near) * (half - near)
    far = (near + spread.long()).clamp(max=half - 1)
    return (distance > 0).long() * half + torch.where(size < near, size, far)
