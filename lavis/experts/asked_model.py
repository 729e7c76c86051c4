"""A CREMA model with what it takes to ask it about media that were read for experts: tensors, prompts, answers."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np

from lavis.common.errors import ConfigError, ModalityError
from lavis.common.registry import registry
from lavis.datasets.datasets.crema_samples import N_POINTS, SAMPLE_FORMS
from lavis.datasets.loaders.base import Clip
from lavis.datasets.question import Question
from lavis.models.mexa_models.answers import LETTERS

MB = 10**6
# Kept of media for their further questions, where the run's YAML keeps nothing.
FEATURE_CACHE_MB = 256
# The loader that reads a modality of the model, where its name is another.
LOADERS = {"rgb": "frame"}


class AskedModel:
    """A model that is asked one question at a time.

    Args:
        run: of :func:`lavis.experts.crema.read_run`.

    Attributes:
        modalities: what the model takes, in its order.
        ranks_options: whether it answers by an option's letter.
        is_random: whether its weights are drawn at random.

    Raises:
        ConfigError: the device is not there, or pictures have another size than the model's.
        WeightsError: weights are missing or do not fit.
    """

    def __init__(self, run: Mapping[str, Any]) -> None:
        import torch

        from lavis.models.crema_models.crema import Crema

        node = dict(run["model"])
        self.processors = {name: _processor(made) for name, made in run["processors"].items()}
        self.text_processor = _processor(run["text_processor"]) if run["text_processor"] else _same
        self.instruction: str = run["instruction"]
        self.asking: Mapping[str, Any] = run["asking"]
        if node.get("rgb_layout") is None:
            # Three frames of three channels may lie either way; the processor knows.
            node["rgb_layout"] = "video" if getattr(self.processors["rgb"], "channels_first", False) else "frame"
        node["feature_cache_mb"] = node.get("feature_cache_mb") or FEATURE_CACHE_MB
        self._check_pictures(node)
        device = _device(run["device"])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(run["seed"]))
            self.model = Crema.from_config(node).eval()
        self.model.to(device)
        self.modalities = tuple(one.name for one in self.model.modalities)
        self.ranks_options = self.model.settings.downstream_task == "mcqa"
        self.is_random = self.model.settings.random_weights
        # Looks come from several threads; a network computes for one at a time, on all cores.
        self._turn = threading.Lock()

    # -- what the model reads --------------------------------------------------------------------

    def sample(self, clips: Mapping[str, Clip | None], question: Question) -> dict[str, Any]:
        """Return a batch of one, as CREMA's data sets make it.

        Args:
            clips: by the model's modality.
            question: what is asked.

        Raises:
            ModalityError: a modality is missing, has another number of frames, or no point features.
        """
        situation = f"{self.text_processor(question.situation)}." if question.situation else ""
        found: dict[str, Any] = {"qa_input": [self.prompt(question)], "situation": [situation]}
        keys = []
        for modality in self.model.modalities:
            clip = clips.get(modality.name)
            if clip is None:
                raise ModalityError(
                    f"question {question.question_id}: medium {question.media.media_id!r} has no {modality.name}, "
                    f"which CREMA's model was trained with ({', '.join(self.modalities)})."
                )
            if modality.is_pictures:
                self._check_frames(clip, modality.name)
            form = SAMPLE_FORMS[LOADERS.get(modality.name, modality.name)]
            if modality.spec.source == "points":
                clip = _with_features(clip)
            tensors = form.tensors(clip, self.processors.get(modality.name))
            found |= {name: tensor[None].to(self.model.device) for name, tensor in tensors.items()}
            keys.append(f"{clip.modality}={clip.path}@{clip.indices}{clip.timestamps_s}{clip.array.shape}")
        return {**found, "media_key": ["|".join([question.media.media_id, *keys])]}

    def prompt(self, question: Question) -> str:
        """Return a question in the form that CREMA's data sets give it: options by letters, where it has any."""
        situation = f"{self.text_processor(question.situation)}. " if question.situation else ""
        if question.options:
            listed = " ".join(f"Option {LETTERS[k]}: {text}" for k, text in enumerate(question.options))
            return f"{situation}Question: {question.text} {listed} {self.instruction}"
        return f"{situation}Question: {self.text_processor(question.text)} {self.instruction}"

    def _check_frames(self, clip: Clip, modality: str) -> None:
        n_frames, wanted = len(clip.array), self.model.settings.frame_num
        if n_frames != wanted:
            raise ModalityError(
                f"{clip.media_id}: {modality} has {n_frames} frames ({clip.path}), CREMA's model takes {wanted}; set "
                f"model.reading.n_frames: {wanted}, and leave out media with fewer."
            )

    def _check_pictures(self, node: Mapping[str, Any]) -> None:
        for name, processor in self.processors.items():
            theirs = getattr(processor, "image_size", None)
            if theirs is not None and theirs != node["image_size"]:
                raise ConfigError(
                    f"model.experts.crema: the processor of {name} makes pictures of {theirs} px, model.image_size is "
                    f"{node['image_size']}; make them equal in the run's YAML."
                )

    # -- what it answers -------------------------------------------------------------------------

    def option_chances(self, sample: Mapping[str, Any], n_options: int) -> list[float]:
        """Return the probability of every option's letter among those of the question.

        Raises:
            ModalityError: there are no options, or more than the model knows letters of.
        """
        known = self.model.settings.answer_num
        if not 1 <= n_options <= known:
            raise ModalityError(
                f"the question has {n_options} options, and CREMA's model answers by one of {known} letters "
                "(model.downstream_task: mcqa); leave the expert out for it."
            )
        with self._turn:
            scores = self.model.rank_options(sample)[0, :n_options]
        chances: list[float] = scores.double().softmax(dim=-1).tolist()
        return chances

    def answer(self, sample: Mapping[str, Any]) -> tuple[str, float]:
        """Return the text that the model generates, and the probability that it has of exactly this wording.

        Raises:
            ConfigError: the prompt is too long for the model.
        """
        from lavis.models.crema_models.crema import UNANSWERABLE

        with self._turn:
            text = self.model.predict_answers(sample, **self.asking)[0]
            if text == UNANSWERABLE:
                return "", 0.0
            with self.model.precision():
                told = self.model.answering.rank(self.model.span(self._prompted(sample)), [text])
        return " ".join(text.split()), float(told[0, 0].double().exp())

    def _prompted(self, sample: Mapping[str, Any]) -> Mapping[str, Any]:
        prompt = self.asking.get("prompt")
        if not prompt:
            return sample
        return {**sample, "qa_input": [prompt.replace("{}", asked) for asked in sample["qa_input"]]}


def _processor(node: Mapping[str, Any]) -> Any:
    from omegaconf import OmegaConf

    return registry.require("processor", node["name"]).from_config(OmegaConf.create(dict(node)))


def _same(text: str) -> str:
    return text


def _device(named: str | None) -> Any:
    import torch

    there = torch.cuda.is_available()
    device = torch.device(named or ("cuda" if there else "cpu"))
    if device.type == "cuda" and not there:
        raise ConfigError("model.experts.crema.device is cuda, but no GPU can be used here; set device: cpu.")
    return device


def _with_features(clip: Clip) -> Clip:
    """Return a point cloud of no more points than CREMA takes, spread evenly.

    Raises:
        ModalityError: it has no features.
    """
    if "features" not in clip.extras:
        raise ModalityError(
            f"{clip.media_id}: {clip.path} has points without features [n, 1408], which CREMA's model reads; see "
            "docs/datasets.md for the two folders that hold them."
        )
    if len(clip.array) <= N_POINTS:
        return clip
    kept = np.arange(N_POINTS) * len(clip.array) // N_POINTS
    extras = {name: array[kept] for name, array in clip.extras.items()}
    return dataclasses.replace(clip, array=clip.array[kept], extras=extras)
