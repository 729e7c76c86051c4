"""Sizes of CREMA's parts; the defaults are the published ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lavis.common.options import check_options
from lavis.models.crema_models.beats import BeatsSize
from lavis.models.crema_models.qformer import QFormerSize
from lavis.models.crema_models.vision import VisionSize

# Of Flan-T5-XL; activation as CREMA sets it.
FLAN_T5_XL: Mapping[str, Any] = {
    "vocab_size": 32128,
    "d_model": 2048,
    "d_kv": 64,
    "d_ff": 5120,
    "num_layers": 24,
    "num_decoder_layers": 24,
    "num_heads": 32,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
}


@dataclasses.dataclass(frozen=True)
class CremaSize:
    """Sizes of everything but the language model, which brings its own.

    Attributes:
        vision, qformer, audio: of the parts.
        n_query_tokens: tokens that a modality has for the language model, a frame or segment.
    """

    vision: VisionSize = dataclasses.field(default_factory=VisionSize)
    qformer: QFormerSize = dataclasses.field(default_factory=QFormerSize)
    audio: BeatsSize = dataclasses.field(default_factory=BeatsSize)
    n_query_tokens: int = 32

    @classmethod
    def from_config(cls, node: Mapping[str, Any] | None, *, image_px: int, n_query_tokens: int) -> CremaSize:
        """Read ``model.size``: ``{vision: {depth: 2}, qformer: {…}, audio: {…}}``; what is not there is as published.

        Raises:
            ConfigError: an unknown part or size; names the nearest.
        """
        given = {name: dict(part) for name, part in (node or {}).items()}
        parts = {"vision": VisionSize, "qformer": QFormerSize, "audio": BeatsSize}
        check_options(_Parts, given, "model.size")
        for name, part in given.items():
            check_options(parts[name], part, f"model.size.{name}")
        return cls(
            vision=VisionSize(**{"image_px": image_px, **given.get("vision", {})}),
            qformer=QFormerSize(**given.get("qformer", {})),
            audio=BeatsSize(**given.get("audio", {})),
            n_query_tokens=n_query_tokens,
        )


class _Parts:
    """What ``model.size`` may hold."""

    def __init__(self, *, vision: Any = None, qformer: Any = None, audio: Any = None) -> None:
        raise NotImplementedError("it only names the parts")
