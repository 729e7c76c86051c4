"""The frozen language model: Flan-T5 as CREMA uses it, with plain GELU and an output layer of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn
from transformers import T5Config, T5ForConditionalGeneration


def build_t5(settings: Mapping[str, Any]) -> T5ForConditionalGeneration:
    """Build a language model without weights of its own.

    The library ties the output layer to the embeddings of every T5, whatever its configuration says (seen in
    release 5.23); Flan-T5 has two different matrices, so they are parted here.

    Args:
        settings: of ``transformers.T5Config``.
    """
    config = T5Config(**settings)
    config.dense_act_fn = "gelu"  # CREMA's, not the tanh approximation that the configuration stands for
    model = T5ForConditionalGeneration(config)
    if config.scale_decoder_outputs:
        return model
    config.tie_word_embeddings = False
    model.lm_head = nn.Linear(
        config.d_model,
        config.vocab_size,
        bias=False,
        device=model.shared.weight.device,
        dtype=model.shared.weight.dtype,
    )
    nn.init.normal_(model.lm_head.weight, std=config.d_model**-0.5)
    return model
