"""``model`` of a CREMA run, read and checked: the published keys with their meaning, and a few more."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, get_args

from lavis.common.errors import ConfigError, nearest
from lavis.models.crema_models.byte_vocabulary import SIZE as BYTE_TOKENS
from lavis.models.crema_models.choices import DownstreamTask, Precision
from lavis.models.crema_models.inputs import LAYOUTS
from lavis.models.crema_models.modalities import read_modalities
from lavis.models.crema_models.sizes import FLAN_T5_XL, CremaSize

# What may stand in model.task, joined by "-".
TASK_WORDS = ("train", "concat", "espresso", "seq", "gradsel", "es")
BYTES = "bytes"
N_OPTIONS = 5
_NUMBERS: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("image_size", "frame_num", "answer_num", "num_query_token", "max_txt_len", "lora_rank"), (int,)),
    **dict.fromkeys(("es_first_epoch", "feature_cache_mb"), (int,)),
    **dict.fromkeys(("lora_dropout", "es_temperature"), (int, float)),
}


@dataclasses.dataclass(frozen=True)
class CremaSettings:
    """What a CREMA model is, and how it is trained and asked.

    Attributes:
        modalities: ``rgb_depth_norm``, in the order of fusion; ``-skip`` after one leaves its adapter out.
        task: words joined by "-": ``train`` (or ``concat``) alone lays modalities in a row; ``espresso`` fuses
            them into rgb's, ``espresso-concat`` appends what is fused; ``seq`` trains one modality after another;
            with it, ``gradsel`` logs the gradients of each modality's adapters and ``gradsel-es`` stops its training
            early by them.
        downstream_task: ``mcqa`` answers with an option's number, ``oeqa`` in text.
        image_size: side of a picture, px.
        frame_num: pictures of a clip.
        answer_num: options of a question, for mcqa.
        num_query_token: tokens a modality has, a frame or segment.
        t5_model: folder or hub name of the language model's tokenizer; ``bytes`` needs none, for models that are
            trained from nothing.
        max_txt_len: tokens of a prompt; a situation is cut to fit, nothing else.
        lora_rank, lora_layer, lora_dropout: of the adapters; layer null for all.
        es_temperature: how readily ``gradsel-es`` stops a modality.
        es_first_epoch: the first epoch at whose end one may stop.
        rgb_layout: ``frame`` or ``video``; null finds it from the shape.
        reference_quirks: do as the reference does where it errs.
        vit_precision: of the vision tower on a GPU; a CPU computes in float32.
        use_grad_checkpoint: compute the Q-Former again in the backward pass.
        feature_cache_mb: memory for what is computed once for all questions on a medium, MB (10^6 bytes); 0 for none.
            In evaluation this changes no answer. In training a medium keeps the crop of its first reading.
        load_finetuned, finetuned, load_pretrained, pretrained, mmqa_ckpt, blip2, beats: weights; see docs/crema.md.
        random_weights: draw what no file gives, frozen parts too: for tests of the rest.
        size: sizes of the parts where they are not the published ones.
        t5: settings of the language model where it is not Flan-T5-XL.
    """

    modalities: str = "rgb"
    task: str = "train"
    downstream_task: DownstreamTask = "oeqa"
    image_size: int = 224
    frame_num: int = 4
    answer_num: int = 5
    num_query_token: int = 32
    t5_model: str = "google/flan-t5-xl"
    max_txt_len: int = 77
    lora_rank: int = 64
    lora_layer: tuple[int, ...] | None = None
    lora_dropout: float = 0.1
    es_temperature: float = 1.0
    es_first_epoch: int = 5
    rgb_layout: str | None = None
    reference_quirks: bool = False
    vit_precision: Precision = "fp32"
    use_grad_checkpoint: bool = False
    feature_cache_mb: int = 0
    load_finetuned: bool = False
    finetuned: str | None = None
    load_pretrained: bool = False
    pretrained: str | None = None
    mmqa_ckpt: str | None = None
    blip2: str | None = None
    beats: str | None = None
    random_weights: bool = False
    size: CremaSize = dataclasses.field(default_factory=CremaSize)
    t5: Mapping[str, Any] | None = None

    # Keys of the published configurations that decide nothing here.
    UNUSED: ClassVar[Mapping[str, str]] = {
        "freeze_vit": "the vision tower is always frozen",
        "drop_path_rate": "a frozen tower drops nothing",
        "prompt": "the data set says what is asked",
        "apply_lemmatizer": "answers are compared by metrics",
    }

    @classmethod
    def config_keys(cls) -> frozenset[str]:
        """Return the keys of ``model`` that are read, and those that are known to decide nothing."""
        return frozenset({field.name for field in dataclasses.fields(cls)} | set(cls.UNUSED))

    @classmethod
    def from_config(cls, node: Mapping[str, Any]) -> CremaSettings:
        """Read ``model``.

        Raises:
            ConfigError: an unknown key (names the nearest) or a value that is none.
        """
        known = cls.config_keys() | {"arch", "model_type"}
        for key in node:
            if key not in known:
                raise ConfigError(f"model.{key}: nothing reads it.{nearest(key, known)}")
        given = {key: value for key, value in node.items() if key in known - set(cls.UNUSED) - {"arch", "model_type"}}
        image_px = int(given.get("image_size", cls.image_size))
        queries = int(given.get("num_query_token", cls.num_query_token))
        size = CremaSize.from_config(given.pop("size", None), image_px=image_px, n_query_tokens=queries)
        layers = given.pop("lora_layer", None)
        for name, kind in _NUMBERS.items():
            if name in given and (isinstance(given[name], bool) or not isinstance(given[name], kind)):
                raise ConfigError(f"model.{name} is {given[name]!r}; it is a number.")
        return cls(**given, size=size, lora_layer=None if layers is None else tuple(layers))

    def __post_init__(self) -> None:
        read_modalities(self.modalities)
        for word in self.task.split("-"):
            if word not in TASK_WORDS:
                raise ConfigError(
                    f"model.task: {self.task!r} has {word!r}.{nearest(word, TASK_WORDS)} "
                    f"Words, joined by '-': {', '.join(TASK_WORDS)}."
                )
        for name, allowed in (("downstream_task", get_args(DownstreamTask)), ("vit_precision", get_args(Precision))):
            if getattr(self, name) not in allowed:
                raise ConfigError(f"model.{name} is {getattr(self, name)!r}; say one of {', '.join(allowed)}.")
        words = set(self.task.split("-"))
        if "es" in words and "gradsel" not in words:
            raise ConfigError(f"model.task: {self.task!r} stops early by nothing; write gradsel-es.")
        if "gradsel" in words and "seq" not in words:
            raise ConfigError(
                f"model.task: {self.task!r} has gradsel without seq: gradients of a modality are told apart where one "
                "learns at a time; write seq-gradsel or seq-gradsel-es."
            )
        if self.rgb_layout not in (None, *LAYOUTS):
            raise ConfigError(f"model.rgb_layout is {self.rgb_layout!r}; say {', '.join(LAYOUTS)}, or null.")
        for name in ("image_size", "frame_num", "num_query_token", "max_txt_len", "lora_rank"):
            if getattr(self, name) < 1:
                raise ConfigError(f"model.{name} is {getattr(self, name)}; it is 1 or more.")
        if not 1 <= self.answer_num <= N_OPTIONS:
            raise ConfigError(f"model.answer_num is {self.answer_num}; letters are known for 1 to {N_OPTIONS} options.")
        if not 0.0 <= self.lora_dropout < 1.0:
            raise ConfigError(f"model.lora_dropout is {self.lora_dropout}; it lies between 0 and 1.")
        for name in ("feature_cache_mb", "es_first_epoch"):
            if getattr(self, name) < 0:
                raise ConfigError(f"model.{name} is {getattr(self, name)}; it is 0 or more.")
        if self.t5_model == BYTES and self.t5 is not None and int(self.t5.get("vocab_size", 0)) < BYTE_TOKENS:
            raise ConfigError(f"model.t5.vocab_size: {BYTES} have {BYTE_TOKENS} tokens; make it as large at least.")
        if not self.es_temperature > 0:
            raise ConfigError(f"model.es_temperature is {self.es_temperature}; it is above 0.")

    @property
    def is_sequential(self) -> bool:
        """Whether one modality learns after another."""
        return "seq" in self.task.split("-")

    @property
    def tracks_gradients(self) -> bool:
        """Whether the gradients of each modality's adapters are kept."""
        return "gradsel" in self.task.split("-")

    @property
    def exits_early(self) -> bool:
        """Whether a modality's training may stop before the run's end."""
        return "es" in self.task.split("-")

    def t5_settings(self) -> Mapping[str, Any]:
        """Return the language model's settings: those given, or Flan-T5-XL's."""
        return FLAN_T5_XL if self.t5 is None else self.t5
