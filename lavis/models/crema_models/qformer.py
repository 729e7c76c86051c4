"""BLIP-2's Q-Former with an adapter per modality on the query and value of its self-attention."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import Blip2QFormerConfig, Blip2QFormerModel

from lavis.models.crema_models.adapters import ModalityLinear, adapted_to


@dataclasses.dataclass(frozen=True)
class QFormerSize:
    """Size of the Q-Former; the defaults are BERT-base's, with cross-attention in every second layer."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    dropout: float = 0.1


class AdaptedQFormer(nn.Module):
    """A frozen Q-Former that reads an encoder's tokens with a modality's own queries and adapters.

    Args:
        size: of the network.
        encoder_width: width of the tokens that it reads.
        modalities: names that get adapters.
        rank, dropout: of the adapters.
        adapted_layers: numbers of the layers that get adapters; None for all.
        checkpointing: compute again in the backward pass instead of keeping what is in between.
    """

    def __init__(
        self,
        size: QFormerSize,
        *,
        encoder_width: int,
        modalities: Sequence[str],
        rank: int,
        dropout: float,
        adapted_layers: Sequence[int] | None = None,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        config = Blip2QFormerConfig(
            hidden_size=size.width,
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            intermediate_size=size.hidden,
            hidden_act="gelu",
            layer_norm_eps=1e-12,
            hidden_dropout_prob=size.dropout,
            attention_probs_dropout_prob=size.dropout,
            cross_attention_frequency=2,
            encoder_hidden_size=encoder_width,
            use_qformer_text_input=False,
        )
        config._attn_implementation = "sdpa"
        self.bert = Blip2QFormerModel(config)
        self.checkpointing = checkpointing
        for number, layer in enumerate(self.bert.encoder.layer):
            attention = layer.attention.attention
            names = modalities if adapted_layers is None or number in adapted_layers else ()
            attention.query = ModalityLinear(attention.query, names, rank=rank, dropout=dropout)
            attention.value = ModalityLinear(attention.value, names, rank=rank, dropout=dropout)

    def forward(
        self, queries: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor | None, modality: str | None
    ) -> torch.Tensor:
        """Read tokens.

        Args:
            queries: [1, q, width].
            tokens: of the encoder, [n, s, encoder width].
            mask: [n, s], 0 where a token is padding; None for none.
            modality: whose adapters are used; None for the frozen network alone.

        Returns:
            [n, q, width].
        """
        read = partial(self._read, modality=modality)
        expanded = queries.expand(len(tokens), -1, -1)
        if self.checkpointing and torch.is_grad_enabled():
            kept: torch.Tensor = checkpoint(read, expanded, tokens, mask, use_reentrant=False)
            return kept
        return read(expanded, tokens, mask)

    def _read(
        self, queries: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor | None, *, modality: str | None
    ) -> torch.Tensor:
        # Inside what is computed again, so that the second time has the same adapters.
        with adapted_to(self, modality):
            output = self.bert(query_embeds=queries, encoder_hidden_states=tokens, encoder_attention_mask=mask)
        read: torch.Tensor = output.last_hidden_state
        return read
