"""CREMA's network: modalities as tokens of a frozen language model (arXiv 2402.05889, section 3)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from lavis.common.errors import ConfigError
from lavis.models.crema_models.assembly import Prefixes, Span, fused, in_a_row, joined
from lavis.models.crema_models.beats import BeatsEncoder
from lavis.models.crema_models.fusion import EspressoFusion, side_by_side
from lavis.models.crema_models.inputs import frames_first, sample_tensor
from lavis.models.crema_models.language import Tokens, Vocabulary
from lavis.models.crema_models.modalities import MAIN, Modality
from lavis.models.crema_models.points import placed, position_table
from lavis.models.crema_models.qformer import AdaptedQFormer
from lavis.models.crema_models.sizes import CremaSize
from lavis.models.crema_models.vision import VisionTower

LAYER_NORM_EPS = 1e-5


@dataclasses.dataclass(frozen=True)
class Wiring:
    """How the parts work together.

    Attributes:
        n_frames: pictures of a clip.
        espresso: fuse all other modalities to the length of rgb's.
        appended: the fused tokens follow rgb's; else they are added to them.
        rgb_layout: ``frame`` or ``video``: where three frames of three channels lie; None finds it from the shape.
        quirks: do as the reference does where it errs (docs/crema.md).
    """

    n_frames: int = 8
    espresso: bool = False
    appended: bool = False
    rgb_layout: str | None = None
    quirks: bool = False


@dataclasses.dataclass(frozen=True)
class Frozen:
    """What the frozen encoders make of one modality: [b, k, s, width], and which of the s are no padding."""

    tokens: torch.Tensor
    mask: torch.Tensor | None = None


class CremaNetwork(nn.Module):
    """Frozen encoders, a Q-Former with an adapter a modality, fusion, and a frozen language model.

    Args:
        modalities: in the order of fusion.
        size: of the parts.
        t5: the language model.
        vocabulary: spells its texts.
        wiring: how the parts work together.
        rank, dropout: of the adapters.
        adapted_layers: numbers of the Q-Former's layers that get adapters; None for all.
        checkpointing: compute the Q-Former again in the backward pass.

    Raises:
        ConfigError: espresso without rgb, or with rgb alone.
    """

    def __init__(
        self,
        *,
        modalities: Sequence[Modality],
        size: CremaSize,
        t5: Any,
        vocabulary: Vocabulary,
        wiring: Wiring,
        rank: int = 64,
        dropout: float = 0.1,
        adapted_layers: Sequence[int] | None = None,
        checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.modalities = tuple(modalities)
        self.size = size
        self.vocabulary = vocabulary
        self.wiring = wiring
        names = [one.name for one in self.modalities]
        width, text_width = size.vision.width, t5.config.d_model
        self.visual_encoder = VisionTower(size.vision) if any(one.is_pictures for one in modalities) else None
        self.audio_encoder: Any = nn.Module()
        if "audio" in names:
            self.audio_encoder.model = BeatsEncoder(size.audio)
            self.projection_audio = nn.Linear(size.audio.width, width)
        self.Qformer = AdaptedQFormer(
            size.qformer,
            encoder_width=width,
            modalities=names,
            rank=rank,
            dropout=dropout,
            adapted_layers=adapted_layers,
            checkpointing=checkpointing,
        )
        for name in names:
            queries = torch.empty(1, size.n_query_tokens, size.qformer.width)
            self.register_parameter(f"query_tokens_{name}", nn.Parameter(nn.init.normal_(queries, std=0.02)))
            self.add_module(f"t5_proj_{name}", nn.Linear(size.qformer.width, text_width))
        for one in self.modalities:
            # The published weights have a norm for points, which nothing applies; see published_names.DEAD.
            if one.spec.source != "points":
                self.add_module(f"ln_{one.name}", nn.LayerNorm(width, eps=LAYER_NORM_EPS))
        if any(one.spec.source == "points" for one in modalities):
            self.register_buffer("point_positions", position_table(width), persistent=False)
        if wiring.espresso:
            if MAIN not in names or len(names) == 1:
                raise ConfigError(
                    f"model.task: espresso fuses other modalities into {MAIN}; model.modalities has "
                    f"{', '.join(names)}. Name {MAIN} and another, or take espresso out."
                )
            self.fusion = EspressoFusion(text_width, len(names) - 1)
        self.t5_model: Any = t5
        self._freeze()

    def _freeze(self) -> None:
        for frozen in (self.visual_encoder, self.audio_encoder, self.t5_model):
            if frozen is not None:
                frozen.requires_grad_(False)
        for name, parameter in self.Qformer.named_parameters():
            parameter.requires_grad_(".w_a_" in name or ".w_b_" in name)

    def train(self, mode: bool = True) -> CremaNetwork:
        """Set the mode; frozen encoders and the language model always evaluate."""
        super().train(mode)
        for frozen in (self.visual_encoder, self.audio_encoder, self.t5_model):
            if frozen is not None:
                frozen.eval()
        return self

    # -- modalities as tokens ------------------------------------------------------------------

    @torch.no_grad()
    def encode(self, modality: Modality, samples: Mapping[str, Any]) -> Frozen:
        """Return what the frozen encoders make of a modality of a batch.

        Raises:
            ConfigError: the samples lack it, or it has another number of frames.
        """
        inputs = sample_tensor(samples, modality)
        return _ENCODINGS[modality.spec.source](self, modality, inputs, samples)

    def _encode_pictures(self, modality: Modality, inputs: torch.Tensor, samples: Mapping[str, Any]) -> Frozen:
        assert self.visual_encoder is not None  # noqa: S101 - there is one where there are pictures
        wiring = self.wiring
        # Only rgb comes in either layout: what other modalities' processors make has channels first.
        layout = wiring.rgb_layout if modality.name == MAIN else "video" if inputs.shape[1] == 3 else None
        clip = frames_first(inputs, modality, wiring.n_frames, layout=layout, quirks=wiring.quirks)
        tokens = self.visual_encoder(clip.flatten(0, 1))
        return Frozen(tokens.unflatten(0, clip.shape[:2]))

    def _encode_sound(self, modality: Modality, inputs: torch.Tensor, samples: Mapping[str, Any]) -> Frozen:
        tokens = self.audio_encoder.model(inputs.flatten(0, 1))
        return Frozen(tokens.unflatten(0, inputs.shape[:2]))

    def _encode_points(self, modality: Modality, inputs: torch.Tensor, samples: Mapping[str, Any]) -> Frozen:
        table: torch.Tensor = self.get_buffer("point_positions")
        tokens = placed(inputs, samples["pc"], table)[:, None]
        mask = samples.get("pc_mask")
        return Frozen(tokens, None if mask is None or self.wiring.quirks else mask[:, None].long())

    def read(self, modality: Modality, frozen: Frozen) -> torch.Tensor:
        """Return a modality's tokens for the language model, [b, k, q, width]."""
        name, tokens = modality.name, frozen.tokens.flatten(0, 1)
        if modality.spec.source == "sound":
            tokens = self.projection_audio(tokens)
        if hasattr(self, f"ln_{name}"):
            tokens = self.get_submodule(f"ln_{name}")(tokens)
        mask = None if frozen.mask is None else frozen.mask.flatten(0, 1)
        adapter = None if modality.skips_adapter else name
        queried = self.Qformer(self.get_parameter(f"query_tokens_{name}"), tokens, mask, adapter)
        projected: torch.Tensor = self.get_submodule(f"t5_proj_{name}")(queried)
        return projected.reshape(*frozen.tokens.shape[:2], *projected.shape[1:])

    # -- what the language model reads ---------------------------------------------------------

    def inputs(self, tokens: Mapping[str, torch.Tensor], text: Tokens) -> Span:
        """Return modalities and text as one row of embeddings.

        Args:
            tokens: [b, k, q, width] of every modality.
            text: the prompts.
        """
        words = Span(self.embed(text.ids), text.mask)
        return joined([self.assembled(tokens), words])

    def assembled(self, tokens: Mapping[str, torch.Tensor]) -> Span:
        """Return the modalities as one row of embeddings with their prefixes."""
        wiring, prefixes = self.wiring, self.prefixes()
        if not wiring.espresso:
            return in_a_row(tokens, self.modalities, prefixes, quirks=wiring.quirks)
        others = [one for one in self.modalities if one.name != MAIN]
        extract = self.fusion(side_by_side(tokens, others, wiring.n_frames))
        return fused(tokens, extract, prefixes, appended=wiring.appended, quirks=wiring.quirks)

    def prefixes(self) -> Prefixes:
        """Return the words that stand before frames, sound and points."""
        n = self.wiring.n_frames
        frames = ["Frame: "] if n == 1 else [f"Frame {number + 1}: " for number in range(n)]
        return Prefixes(self._words(frames), self._words(["Audio: "]), self._words(["3D Model: "]))

    def _words(self, texts: Sequence[str]) -> Span:
        spelled = self.vocabulary.spell(texts, ends=False)
        device = self.t5_model.shared.weight.device
        return Span(self.embed(spelled.ids.to(device)), spelled.mask.to(device))

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        """Return token ids [b, n] as the language model's embeddings [b, n, width]."""
        embedded: torch.Tensor = self.t5_model.get_input_embeddings()(ids)
        return embedded


# How each kind of source is encoded.
_ENCODINGS = {
    "pictures": CremaNetwork._encode_pictures,
    "sound": CremaNetwork._encode_sound,
    "points": CremaNetwork._encode_points,
}
