"""CREMA as an expert: a model that was trained on a benchmark's modalities gives its own ranked answers as evidence."""

from __future__ import annotations

import functools
import json
import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lavis.common.errors import ConfigError, ModalityError, nearest
from lavis.experts.base import Expert
from lavis.experts.card import ExpertCard

if TYPE_CHECKING:
    from lavis.datasets.loaders.base import Clip
    from lavis.datasets.loaders.reader import MediaReader
    from lavis.datasets.question import Question
    from lavis.experts.asked_model import AskedModel

WHERE = "model.experts.crema"
MAIN = "rgb"
COMPANIONS = ("depth", "flow", "norm", "audio", "pc", "touch", "thermal")
EXAMPLE = "model.experts=[{name: crema, cfg_path: projects/crema/eval/sqa3d.yaml, model: {mmqa_ckpt: <file>}}]"
# Files of weights that ``model`` may name, and what must be true for one to be read.
WEIGHTS = {
    "blip2": None,
    "beats": None,
    "pretrained": "load_pretrained",
    "finetuned": "load_finetuned",
    "mmqa_ckpt": None,
}


class CremaExpert(Expert):
    """Asks a CREMA model the question and reports how it ranks the options, or what it answers.

    The model takes the modalities that it was trained with, all of them: a medium that lacks one gives no evidence.

    Args:
        cfg_path: YAML of a CREMA run; its ``model``, its data set's processors and instruction, and how ``run`` says
            that answers are made are used. Without one the expert is unavailable.
        model: keys over the YAML's ``model`` (``{mmqa_ckpt: file}``).
        dataset: whose processors are used, where the YAML names several data sets.
        device: ``cpu``, ``cuda`` …; None takes that of the YAML's ``run``.

    Raises:
        ConfigError: the YAML is none of a CREMA run, a key is wrong, or the model does not look at frames.
        WeightsError: weights are missing or do not fit.
    """

    card = ExpertCard(
        name="crema",
        modality="frame",
        skill="A1",
        summary="answers of a CREMA model that was trained on frames, depth, sound or points, with probabilities",
        version="1",
        question_aware=True,
        cost="local",
        companions=COMPANIONS,
    )
    packages = ("torch", "transformers")

    def __init__(
        self,
        *,
        cfg_path: str | None = None,
        model: Mapping[str, Any] | None = None,
        dataset: str | None = None,
        device: str | None = None,
    ) -> None:
        self.run: dict[str, Any] | None = None
        if cfg_path is None:
            return
        self.run = read_run(Path(cfg_path), dict(model or {}), dataset=dataset, device=device)
        # Every rank builds its experts at the same point, and a model may draw weights that ranks agree on.
        self.asked = shared_model(json.dumps(self.run, sort_keys=True))

    @classmethod
    def lacks(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Return what is missing: packages, and a run whose model is asked."""
        found = ("pip install 'salesforce-lavis[models]'",) if super().lacks(options) else ()
        return found if options.get("cfg_path") else (*found, EXAMPLE)

    def deciding(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return what decides the evidence: model, prompts and files of weights, not where they lie or are computed."""
        if self.run is None:
            return dict(options)
        node = self.run["model"]
        read = {key: node.get(key) for key, switch in WEIGHTS.items() if switch is None or node.get(switch)}
        files = {key: _identity(str(place)) for key, place in read.items() if place}
        own = {key: value for key, value in self.run.items() if key != "device"}
        return {**own, "model": {**node, **dict.fromkeys(WEIGHTS), **files}}

    def modalities(self) -> tuple[str, ...]:
        """Return what the model takes beside frames, in its order."""
        return () if self.run is None else tuple(name for name in self.asked.modalities if name != MAIN)

    def missing_needs(self, question: Question) -> tuple[str, ...]:
        """Return what the medium lacks: frames, or another modality of the model."""
        absent = tuple(name for name in self.modalities() if not question.media.serving(name))
        return (*super().missing_needs(question), *absent)

    def gather(self, question: Question, reader: MediaReader) -> tuple[Any, dict[str, Any]]:
        """Load frames and the model's other modalities; what it does not take is not opened.

        Raises:
            ModalityError: one is missing or unreadable.
        """
        if missing := self.missing_needs(question):
            raise ModalityError(
                f"Question {question.question_id}: medium {question.media.media_id!r} has no {', '.join(missing)}, "
                f"which the model of expert 'crema' was trained with ({', '.join((MAIN, *self.modalities()))}); add "
                "it to datasets.<name>.data_type, or name a model that was trained without it."
            )
        context: dict[str, Any] = {name: reader.load(name) for name in self.modalities()}
        return reader.load(self.card.modality), {**context, "question": question.blind()}

    def write(self, clip: Clip, *, question: Question, **beside: Clip | None) -> str:
        """Ask the model.

        Args:
            clip: frames [t, h, w, 3] uint8 RGB, as many as the model takes.
            question: without its gold answers; with options for a model that answers by letters.
            beside: a clip for every other modality of the model, by the loader's name.

        Returns:
            ``CREMA (rgb, depth) ranks: B. left of the sofa (0.62); A. behind it (0.21) …``, probabilities among the
            options; or ``CREMA (rgb) answers: left (probability of this wording 0.31)``.

        Raises:
            ModalityError: a modality of the model is missing or has another number of frames, the question has no
                options or too many for a model that answers by letters, or the model answers nothing.
            ConfigError: no run is configured, or the question is too long for the model.
        """
        if self.run is None:
            raise ConfigError(f"Expert 'crema' has no model to ask: {'; '.join(self.lacks({}))}")
        sample = self.asked.sample({MAIN: clip, **beside}, question)
        told = self._ranked(sample, question) if self.asked.ranks_options else self._answered(sample, clip)
        unlearned = " Its weights are drawn at random: it has learned nothing." if self.asked.is_random else ""
        return f"CREMA ({', '.join(self.asked.modalities)}) {told}.{unlearned}"

    def _ranked(self, sample: Mapping[str, Any], question: Question) -> str:
        from lavis.models.mexa_models.answers import LETTERS

        chances = self.asked.option_chances(sample, len(question.options))
        order = sorted(range(len(chances)), key=lambda k: (-chances[k], k))
        told = (
            f"{LETTERS[number]}. {question.options[number].rstrip('.')} ({chances[number]:.2f})" for number in order
        )
        return f"ranks: {'; '.join(told)}"

    def _answered(self, sample: Mapping[str, Any], clip: Clip) -> str:
        text, chance = self.asked.answer(sample)
        if not text:
            raise ModalityError(f"{clip.media_id}: CREMA's model generates no answer from {clip.path}.")
        return f"answers: {text} (probability of this wording {_shown(chance)})"


def read_run(
    path: Path, overrides: dict[str, Any], *, dataset: str | None = None, device: str | None = None
) -> dict[str, Any]:
    """Return what decides how a run's model is asked, as plain data.

    Args:
        path: the run's YAML.
        overrides: keys over its ``model``.
        dataset: whose processors are used; None for the only one.
        device: in place of ``run.device``.

    Returns:
        ``{model, processors: {modality: node}, text_processor, instruction, asking, seed, device}``.

    Raises:
        ConfigError: it is no CREMA run, or a key is wrong; names it.
    """
    from omegaconf import OmegaConf

    from lavis.common.config import Config, load_yaml, node_to_dict
    from lavis.common.registry import registry

    user = load_yaml(path)
    arch = (user.get("model") or {}).get("arch")
    if arch != "crema":
        raise ConfigError(f"{WHERE}.cfg_path: {path} runs the model {arch!r}; name the YAML of a CREMA run.")
    merged = OmegaConf.merge(user, {"model": overrides})
    node: dict[str, Any] = OmegaConf.to_container(Config.build_model_config(merged).model, resolve=True)
    names = [name.removesuffix("-skip") for name in str(node["modalities"]).split("_")]
    if MAIN not in names:
        raise ConfigError(f"{WHERE}: the model of {path} takes {', '.join(names)}; the expert needs one with {MAIN}.")
    name = _dataset_name(list(user.get("datasets") or ()), dataset, path)
    own: dict[str, Any] = node_to_dict(Config.build_dataset_config(OmegaConf.masked_copy(user, "datasets")).datasets)[
        name
    ]
    kwargs = own["build_info"].get("kwargs") or {}
    instruction = kwargs.get("instruction")
    if instruction is None:
        instruction = registry.require("builder", name).eval_dataset_cls.default_instruction
    run = node_to_dict(user.get("run") or OmegaConf.create())
    asking = ("num_beams", "max_len", "min_len", "length_penalty", "prompt")
    return {
        "model": node,
        "processors": {one: _processor_node(own, one, node.get("rgb_layout"), name) for one in names if one != "pc"},
        "text_processor": (own.get("text_processor") or {}).get("eval"),
        "instruction": str(instruction),
        "asking": {key: run[key] for key in asking if run.get(key) is not None},
        "seed": int(run.get("seed") or 0),
        "device": device or run.get("device"),
    }


def _dataset_name(known: Sequence[str], named: str | None, path: Path) -> str:
    if named is not None and named not in known:
        raise ConfigError(
            f"{WHERE}.dataset: {path} has no {named!r}.{nearest(named, known)} It has {', '.join(known)}."
        )
    if named is None and len(known) != 1:
        raise ConfigError(
            f"{WHERE}.dataset: {path} has {', '.join(known) or 'no data set'}; name one of its data sets."
        )
    return named or known[0]


def _processor_node(dataset: Mapping[str, Any], modality: str, layout: str | None, name: str) -> dict[str, Any]:
    """Return the node of the processor that makes a modality's tensor at evaluation."""
    frames = ("video", "frame") if layout == "video" else ("frame", "video")
    sections = [f"{loader}_processor" for loader in (frames if modality == MAIN else (modality,))]
    for section in sections:
        found = (dataset.get(section) or {}).get("eval")
        if found is not None:
            return dict(found)
    raise ConfigError(
        f"{WHERE}: datasets.{name}.{sections[0]}.eval is missing, and the model takes {modality}; write "
        f"{sections[0]}: {{eval: {{name: …}}}} in the run's YAML."
    )


@functools.lru_cache(maxsize=1)
def _built(run: str) -> AskedModel:
    from lavis.experts.asked_model import AskedModel

    return AskedModel(json.loads(run))


_building = threading.Lock()


def shared_model(run: str) -> AskedModel:
    """Return the process's model of a run (:func:`read_run` as JSON), built when it is first asked for."""
    with _building:
        return _built(run)


def _identity(place: str) -> Any:
    """Return names, bytes and times of the files at a place; of what is no file, the place itself."""
    path = Path(place).expanduser()
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path] if path.is_file() else []
    return [[one.name, one.stat().st_size, one.stat().st_mtime_ns] for one in files] or place


def _shown(chance: float) -> str:
    """Return a probability with two digits that count: wordings that are one of very many are rarely likely."""
    digits = 2 if chance >= 0.1 or chance <= 0 else min(1 - math.floor(math.log10(chance)), 6)
    return f"{chance:.{digits}f}" if chance >= 1e-6 else "below 0.000001"
