"""The model ``crema``: built from a run's configuration, trained, and asked (arXiv 2402.05889)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from omegaconf import OmegaConf

from lavis.common.errors import ConfigError
from lavis.common.registry import registry
from lavis.models.base_model import BaseModel
from lavis.models.crema_models.answering import Answering, Generation
from lavis.models.crema_models.assembly import Span
from lavis.models.crema_models.building import build_network
from lavis.models.crema_models.checkpoints import LoadReport, load_named_weights
from lavis.models.crema_models.early_exit import EarlyExit
from lavis.models.crema_models.feature_cache import FeatureCache, by_medium
from lavis.models.crema_models.language import Tokens, within
from lavis.models.crema_models.modalities import Modality
from lavis.models.crema_models.network import CremaNetwork, Frozen
from lavis.models.crema_models.settings import CremaSettings

UNANSWERABLE = "unanswerable"
INFERENCE_METHODS = ("generate", "rank")
MB = 10**6
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@registry.register_model("crema")
class Crema(BaseModel):
    """CREMA: frozen encoders and language model, a small adapter a modality.

    Args:
        network: the network.
        settings: how it is trained and asked.

    Attributes:
        load_reports: what each file of weights did to it.
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
        self.load_reports: tuple[LoadReport, ...] = ()
        self.features = FeatureCache(settings.feature_cache_mb * MB)
        self.early_exit: EarlyExit | None = None
        if settings.tracks_gradients:
            self.early_exit = EarlyExit(
                [one.name for one in network.modalities],
                temperature=settings.es_temperature,
                first_epoch=settings.es_first_epoch,
                stops=settings.exits_early,
            )

    @classmethod
    def from_config(cls, cfg: Any) -> Crema:
        """Build it from its ``model`` node, with the weights that the node names.

        Raises:
            ConfigError: a key or value is wrong.
            WeightsError: weights are not there, or do not fit.
        """
        settings = CremaSettings.from_config(_plain(cfg))
        model = cls(build_network(settings), settings)
        model.load_reports = tuple(load_named_weights(model, settings))
        return model

    @classmethod
    def validate_config(cls, node: Any) -> None:
        """Check the ``model`` node before anything is built.

        Raises:
            ConfigError: a key or value is wrong.
        """
        CremaSettings.from_config(_plain(node))

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What it takes, in the order of fusion."""
        return self.network.modalities

    # -- steps of a batch ----------------------------------------------------------------------

    def encode(self, samples: Mapping[str, Any]) -> dict[str, Frozen]:
        """Return what the frozen encoders make of every modality of a batch."""
        with self.precision():
            return {one.name: self._features(one, samples, self.network.encode, "frozen") for one in self.modalities}

    def _features(
        self,
        modality: Modality,
        samples: Mapping[str, Any],
        compute: Callable[[Modality, Mapping[str, Any]], Frozen],
        kind: str,
    ) -> Frozen:
        """Return features of a batch, kept by medium where ``feature_cache_mb`` says so and the samples name it."""
        keys = samples.get("media_key")
        if not self.features.is_on or not keys:
            return compute(modality, samples)
        return by_medium(
            samples, keys, f"{kind} {modality.name}", self.features, lambda sample: compute(modality, sample)
        )

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

    def answer_tokens(self, samples: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Return the tokens that the language model reads of every modality, for answers."""

        def read(modality: Modality, sample: Mapping[str, Any]) -> Frozen:
            return Frozen(self.network.read(modality, self.network.encode(modality, sample)))

        # In training mode adapters drop at random, which nothing may be kept of.
        compute = self._features if not self.training else _directly
        return {one.name: compute(one, samples, read, "read").tokens for one in self.modalities}

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
    def span(self, samples: Mapping[str, Any]) -> Span:
        """Return what the language model reads of a batch."""
        return self.network.inputs(self.answer_tokens(samples), self.prompts(samples))

    @torch.no_grad()
    def generate(self, samples: Mapping[str, Any], **options: Any) -> dict[str, Any]:
        """Answer a batch in the form of ``downstream_task``.

        Args:
            samples: as of :meth:`forward`; gold answers are optional and passed on.
            options: of :class:`Generation` (``num_beams``, ``max_length`` …).

        Returns:
            ``output_text`` (the chosen option's number, or a text), ``answer`` and ``qid``, each a list.
        """
        with self.precision():
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
    ) -> list[str]:
        """Answer a batch in text.

        Args:
            samples: as of :meth:`forward`.
            num_beams: of generation.
            inference_method: ``generate``, or ``rank`` to choose out of ``answer_list``.
            max_len: tokens of a generated answer at most.
            min_len: tokens of it at least.
            num_ans_candidates: answers whose first token is likeliest are ranked, so many of them.
            answer_list: what may be answered.
            prompt: put around a sample's ``qa_input`` in place of ``{}``; empty for none.
            length_penalty: of generation.

        Raises:
            ConfigError: another method, ranking without a list of answers, or a prompt without ``{}``.
        """
        if inference_method not in INFERENCE_METHODS:
            raise ConfigError(f"run.inference_method is {inference_method!r}; say {' or '.join(INFERENCE_METHODS)}.")
        if prompt:
            if "{}" not in prompt:
                raise ConfigError(f"run.prompt is {prompt!r}; write {{}} where a question with its options goes.")
            samples = {**samples, "qa_input": [prompt.replace("{}", asked) for asked in samples["qa_input"]]}
        with self.precision():
            span = self.span(samples)
            if inference_method == "rank":
                scores = self.answering.rank(span, answer_list or (), n_candidates=num_ans_candidates)
                return [(answer_list or ())[int(row.argmax())] for row in scores]
            options = Generation(
                num_beams=num_beams, max_length=max_len, min_length=min_len, length_penalty=length_penalty
            )
            return [text or UNANSWERABLE for text in self.answering.texts(span, options)]

    @torch.no_grad()
    def rank_options(self, samples: Mapping[str, Any]) -> torch.Tensor:
        """Return the scores of the options' letters [b, answer_num], in nats: the log-probability among them."""
        with self.precision():
            scores = self.answering.option_scores(self.span(samples))
        return scores.float().log_softmax(dim=-1)

    # -- hooks of tasks and runners ------------------------------------------------------------

    def before_training(self, **kwargs: Any) -> None:
        """Forget features of other data."""
        self.features.clear()

    def before_evaluation(self, **kwargs: Any) -> None:
        """Forget features of other data, and what adapters read that have learned since."""
        self.features.clear()

    def adapter_parameters(self) -> dict[str, list[torch.nn.Parameter]]:
        """Return the low-rank adapters of every modality."""
        found: dict[str, list[torch.nn.Parameter]] = {one.name: [] for one in self.modalities}
        for name, parameter in self.network.Qformer.named_parameters():
            _, adapter, rest = name.rpartition(".w_")
            if adapter:
                found[rest.split(".")[0][2:]].append(parameter)
        return found

    def to(self, *args: Any, **kwargs: Any) -> Crema:
        """Move it; on a GPU its frozen parts take the precision that it computes in."""
        device = torch._C._nn._parse_to(*args, **kwargs)[0]
        if device is not None and device.type == "cuda" and torch.cuda.is_bf16_supported():
            self.lower_frozen()
        super().to(*args, **kwargs)
        return self

    def lower_frozen(self) -> None:
        """Turn the language model to bfloat16 and the vision tower to ``vit_precision``, tensor by tensor."""
        vision = (self.network.visual_encoder, DTYPES[self.settings.vit_precision])
        parts = ((self.network.t5_model, torch.bfloat16), vision)
        for part, dtype in parts:
            for parameter in [] if part is None else part.parameters():
                parameter.data = parameter.data.to(dtype)


def _directly(
    modality: Modality,
    samples: Mapping[str, Any],
    compute: Callable[[Modality, Mapping[str, Any]], Frozen],
    kind: str,
) -> Frozen:
    return compute(modality, samples)


def _plain(node: Any) -> dict[str, Any]:
    """Return a configuration node as plain data."""
    found: dict[str, Any] = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else dict(node)
    return found
