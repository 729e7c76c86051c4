"""The model ``crema``: built from a run's configuration, trained, and asked (arXiv 2402.05889)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from omegaconf import OmegaConf

from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.models.base_model import BaseModel
from lavis.models.crema_models.answering import Answering, Generation
from lavis.models.crema_models.language import T5Vocabulary, Tokens, Vocabulary, within
from lavis.models.crema_models.modalities import Modality, read_modalities
from lavis.models.crema_models.network import CremaNetwork, Frozen, Wiring
from lavis.models.crema_models.settings import CremaSettings
from lavis.models.crema_models.t5 import build_t5

UNANSWERABLE = "unanswerable"


@registry.register_model("crema")
class Crema(BaseModel):
    """CREMA: frozen encoders and language model, a small adapter a modality.

    Args:
        network: the network.
        settings: how it is trained and asked.
    """

    PRETRAINED_MODEL_CONFIG_DICT: ClassVar[dict[str, str]] = {
        "pretrain_flant5xl": "configs/models/crema/pretrain_flant5xl.yaml",
        "tiny": "configs/models/crema/tiny.yaml",
    }
    config_keys: ClassVar[frozenset[str]] = CremaSettings.config_keys()

    def __init__(self, network: CremaNetwork, settings: CremaSettings) -> None:
        super().__init__()
        self.network = network
        self.settings = settings
        self.answering = Answering(network, settings)

    @classmethod
    def from_config(cls, cfg: Any) -> Crema:
        """Build it from its ``model`` node, with the weights that the node names.

        Raises:
            ConfigError: a key or value is wrong.
            WeightsError: weights are not there, or do not fit.
        """
        from lavis.models.crema_models.checkpoints import load_named_weights

        node: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True) if OmegaConf.is_config(cfg) else dict(cfg)
        settings = CremaSettings.from_config(node)
        model = cls(build_network(settings), settings)
        load_named_weights(model, settings)
        return model

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What it takes, in the order of fusion."""
        return self.network.modalities

    # -- steps of a batch ----------------------------------------------------------------------

    def encode(self, samples: Mapping[str, Any]) -> dict[str, Frozen]:
        """Return what the frozen encoders make of every modality of a batch."""
        return {one.name: self.network.encode(one, samples) for one in self.modalities}

    def tokens(self, frozen: Mapping[str, Frozen], *, only: str | None = None) -> dict[str, torch.Tensor]:
        """Return the tokens that the language model reads of every modality.

        Args:
            frozen: of :meth:`encode`.
            only: the modality whose adapter learns; the others' tokens carry no gradient. None: all learn.
        """
        found = {}
        for one in self.modalities:
            learns = only is None or one.name == only
            with contextlib.nullcontext() if learns else torch.no_grad():
                found[one.name] = self.network.read(one, frozen[one.name])
        return found

    def forward(
        self, samples: Mapping[str, Any], *, frozen: Mapping[str, Frozen] | None = None, only: str | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the loss of a batch.

        Args:
            samples: ``qa_input`` and ``qa_output`` (lists of texts) and the tensors of every modality.
            frozen: what the frozen encoders made of them, where that is known.
            only: as of :meth:`tokens`.

        Raises:
            ConfigError: a modality is not in the samples, or has another number of frames.
        """
        with self.precision():
            tokens = self.tokens(self.encode(samples) if frozen is None else frozen, only=only)
            span = self.network.inputs(tokens, self.prompts(samples))
            answers = self.spelled(samples["qa_output"])
            output = self.network.t5_model(
                inputs_embeds=span.tokens,
                attention_mask=span.mask,
                decoder_attention_mask=answers.mask,
                labels=answers.labels,
            )
        return {"loss": output.loss}

    def prompts(self, samples: Mapping[str, Any]) -> Tokens:
        """Return the prompts of a batch; situations are cut where a prompt is too long, and nothing else."""
        asked = list(samples["qa_input"])
        situations = samples.get("situation") or [""] * len(asked)
        return self.spelled(within(self.network.vocabulary, asked, situations, self.settings.max_txt_len))

    def spelled(self, texts: Sequence[str]) -> Tokens:
        """Return texts as tokens on the model's device."""
        found = self.network.vocabulary.spell(list(texts))
        return Tokens(found.ids.to(self.device), found.mask.to(self.device))

    def precision(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context that a batch is computed in: bfloat16 where the hardware has it, float32 elsewhere."""
        if self.device.type == "cuda" and torch.cuda.is_bf16_supported():
            return torch.autocast("cuda", dtype=torch.bfloat16)
        return contextlib.nullcontext()

    # -- answers -------------------------------------------------------------------------------

    @torch.no_grad()
    def span(self, samples: Mapping[str, Any]) -> Any:
        """Return what the language model reads of a batch."""
        with self.precision():
            return self.network.inputs(self.tokens(self.encode(samples)), self.prompts(samples))

    @torch.no_grad()
    def generate(self, samples: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        """Answer a batch in the form of ``downstream_task``.

        Args:
            samples: as of :meth:`forward`; gold answers are optional and passed on.
            options: of :class:`Generation` (``num_beams``, ``max_length`` …).

        Returns:
            ``output_text`` (the chosen option's number, or a text), ``answer`` and ``qid``, each a list.
        """
        found = self.answering.answers(self.span(samples), Generation.of(options))
        return {"output_text": found, "answer": samples.get("qa_output"), "qid": samples.get("question_id")}

    @torch.no_grad()
    def predict_answers(
        self,
        samples: Mapping[str, Any],
        num_beams: int = 5,
        inference_method: str = "generate",
        max_len: int = 10,
        min_len: int = 1,
        num_ans_candidates: int = 128,
        answer_list: Sequence[str] | None = None,
        prompt: str = "",
        length_penalty: float = -1.0,
        **_: Any,
    ) -> list[str]:
        """Answer a batch in text; ``inference_method="rank"`` chooses out of ``answer_list``.

        Raises:
            ConfigError: ranking without a list of answers.
        """
        span = self.span(samples)
        if inference_method == "rank" and answer_list:
            scores = self.answering.rank(span, answer_list)
            return [answer_list[int(row.argmax())] for row in scores]
        options = Generation(num_beams=num_beams, max_length=max_len, min_length=min_len, length_penalty=length_penalty)
        return [text or UNANSWERABLE for text in self.answering.texts(span, options)]

    @torch.no_grad()
    def rank_options(self, samples: Mapping[str, Any]) -> torch.Tensor:
        """Return the scores of the options' letters [b, answer_num], in nats: the log-probability among them."""
        scores = self.answering.option_scores(self.span(samples))
        return scores.float().log_softmax(dim=-1)


def build_network(settings: CremaSettings, *, vocabulary: Vocabulary | None = None) -> CremaNetwork:
    """Build the network that settings describe, without published weights.

    Raises:
        ConfigError: the settings do not go together.
    """
    task = settings.task
    return CremaNetwork(
        modalities=read_modalities(settings.modalities),
        size=settings.size,
        t5=build_t5(settings.t5_settings()),
        vocabulary=vocabulary or T5Vocabulary(settings.t5_model),
        wiring=Wiring(
            n_frames=settings.frame_num,
            espresso="espresso" in task,
            appended="concat" in task,
            rgb_layout=settings.rgb_layout,
            quirks=settings.reference_quirks,
        ),
        rank=settings.lora_rank,
        dropout=settings.lora_dropout,
        adapted_layers=settings.lora_layer,
        checkpointing=settings.use_grad_checkpoint,
    )


__all__ = ["UNANSWERABLE", "ConfigError", "Crema", "build_network"]
