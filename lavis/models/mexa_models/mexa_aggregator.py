"""MEXA: choose experts, gather their evidence, let a reasoner answer (arXiv 2506.17113)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from omegaconf import OmegaConf

from lavis.common.errors import ConfigError, ReasonerError, nearest
from lavis.common.options import check_options, checked_class
from lavis.common.registry import registry
from lavis.datasets.question import Question
from lavis.models.base_model import BaseModel
from lavis.models.mexa_models.answer import Answer, Selection
from lavis.models.mexa_models.answers import OPTION_FILTERS, PHRASE_FILTERS, extract
from lavis.models.mexa_models.panel import Panel
from lavis.models.mexa_models.prompts import answer_prompt
from lavis.models.mexa_models.selectors import Selector
from lavis.models.mexa_models.workbench import Workbench
from lavis.reasoners.base import Reasoner
from lavis.reasoners.cached import CachedReasoner


@dataclasses.dataclass(frozen=True)
class AnswerOptions:
    """How an answer is asked for and read (``model.answer``).

    Attributes:
        max_tokens: at most this much is generated for an answer.
        use_vocabulary: answer in the data set's vocabulary where a question has no options.
        filters: named filters that read the completion; None: those of the answer's form.
    """

    max_tokens: int = 32
    use_vocabulary: bool = True
    filters: tuple[str, ...] | None = None


@registry.register_model("mexa_aggregator")
class MexaAggregator(BaseModel):
    """Selector, panel of experts and reasoner, as one model without parameters."""

    PRETRAINED_MODEL_CONFIG_DICT: ClassVar[dict[str, str]] = {"default": "configs/models/mexa/default.yaml"}
    config_keys: ClassVar[frozenset[str]] = frozenset({"selector", "experts", "reasoner", "answer", "reading"})

    def __init__(
        self, *, selector: Selector, panel: Panel, reasoner: Reasoner, answer: AnswerOptions | None = None
    ) -> None:
        super().__init__()
        self.selector = selector
        self.panel = panel
        self.reasoner = reasoner
        self.answer_options = answer or AnswerOptions()
        selector.check(list(panel.experts))

    @classmethod
    def from_config(cls, cfg: Any) -> MexaAggregator:
        """Build it from the ``model`` node.

        Raises:
            ConfigError: an unknown selector, expert, reasoner or option; names the nearest.
            WeightsError: an expert's or the reasoner's weights are missing; says how to fetch them.
        """
        node = _plain(cfg)
        cls.validate_config(node)
        selector_class, selector_options = checked_class("selector", node["selector"], "model.selector")
        reasoner_class, reasoner_options = checked_class("reasoner", node["reasoner"], "model.reasoner")
        experts = {
            name: (registry.require("expert", name)(**options), options)
            for name, options in _expert_entries(node["experts"])
        }
        reading = node.get("reading") or {}
        answer = dict(node.get("answer") or {})
        if answer.get("filters") is not None:
            answer["filters"] = tuple(answer["filters"])
        return cls(
            selector=selector_class(**selector_options),
            panel=Panel(experts, n_frames=reading.get("n_frames", 8)),
            reasoner=reasoner_class(**reasoner_options),
            answer=AnswerOptions(**answer),
        )

    @classmethod
    def validate_config(cls, cfg: Any) -> None:
        """Check every name and option below ``model`` without building anything.

        Raises:
            ConfigError: what is unknown or missing, with the nearest name.
        """
        node = _plain(cfg)
        for key in ("selector", "experts", "reasoner"):
            if node.get(key) is None:
                raise ConfigError(f"model.{key} is missing; see lavis/configs/models/mexa/default.yaml.")
        checked_class("selector", node["selector"], "model.selector")
        checked_class("reasoner", node["reasoner"], "model.reasoner")
        for name, options in _expert_entries(node["experts"]):
            check_options(registry.require("expert", name), options, f"model.experts.{name}")
        check_options(AnswerOptions, node.get("answer") or {}, "model.answer")
        for name in (node.get("answer") or {}).get("filters") or ():
            registry.require("filter", name)
        _check_keys(node.get("reading") or {}, ("n_frames",), "model.reading")

    @classmethod
    def needed_weights(cls, cfg: Any) -> tuple[str, ...]:
        """Return the names of the listed weights files that a ``model`` node needs."""
        node = _plain(cfg)
        reasoner, options = checked_class("reasoner", node["reasoner"], "model.reasoner")
        experts = [registry.require("expert", name) for name, _ in _expert_entries(node["experts"])]
        asked = [] if node["selector"]["type"] == "none" else experts
        return (*reasoner.needed_weights(options), *(name for expert in asked for name in expert.weights))

    @property
    def device(self) -> torch.device:
        """The model has no parameters; what its experts run on is theirs to say."""
        return torch.device("cpu")

    def answer(self, question: Question, bench: Workbench) -> Answer:
        """Answer one question; the gold stays outside.

        Raises:
            ModalityError: a medium cannot be read, and the run does not record absences.
        """
        question = question.blind()
        reasoner = self._reasoner(bench)
        try:
            selection = self.selector.select(question, self.panel.available(question), reasoner)
        except ReasonerError as error:
            return Answer("", "failed", Selection((), "the selector failed"), (), None, error=str(error))
        evidence = self.panel.gather(selection.experts, question, bench)
        # What serves most questions comes first; sorting is stable, so that the selection's order decides the rest.
        evidence.sort(key=lambda item: -self.panel.breadth(item.expert))
        common = {name for name in selection.experts if name not in selection.occasional and self.panel.breadth(name)}
        shared = [item for item in evidence if item.expert in common]
        own = [item for item in evidence if item.expert not in common]
        options = self.answer_options
        candidates = question.options or (bench.vocabulary if options.use_vocabulary else ())
        prompt = answer_prompt(
            question,
            shared,
            own,
            marker=bench.marker,
            form=self.reasoner.answer_form,
            choices=candidates if self.reasoner.answer_form == "text" else (),
            max_tokens=options.max_tokens,
            examples=bench.examples,
        )
        gathered = (*shared, *own)
        try:
            completion = reasoner.complete(prompt)
        except ReasonerError as error:
            return Answer("", "failed", selection, gathered, None, error=str(error))
        filters = options.filters or (OPTION_FILTERS if question.options else PHRASE_FILTERS)
        found = extract(completion.text, candidates, filters)
        if found is None:
            return Answer("", "unparsed", selection, gathered, completion)
        text, filter_name = found
        choice = question.options.index(text) if text in question.options else None
        return Answer(text, "answered", selection, gathered, completion, choice=choice, filter=filter_name)

    def forward(self, samples: Mapping[str, Any]) -> dict[str, Any]:
        """MEXA is not trained.

        Raises:
            ConfigError: always; says what to run instead.
        """
        raise ConfigError("mexa_aggregator has nothing to train; run evaluate.py, or train.py with arch: crema.")

    def predict_answers(self, samples: Mapping[str, Any], *, bench: Workbench | None = None, **_: Any) -> list[str]:
        """Answer ``samples["question"]``, a list of :class:`Question`; "" where no answer was found."""
        if bench is None:
            raise ConfigError("predict_answers needs bench=Workbench(…): where evidence is kept.")
        questions: Sequence[Question] = samples["question"]
        return [self.answer(question, bench).text for question in questions]

    def close(self) -> None:
        """Free what the reasoner holds."""
        self.reasoner.close()

    def _reasoner(self, bench: Workbench) -> Reasoner:
        if bench.completions is None:
            return self.reasoner
        return CachedReasoner(self.reasoner, bench.completions, bench.marker)


def _plain(cfg: Any) -> dict[str, Any]:
    node: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True) if OmegaConf.is_config(cfg) else dict(cfg)
    return node


def _expert_entries(entries: Any) -> list[tuple[str, dict[str, Any]]]:
    """Read ``[name, {name: …, option: …}]``."""
    if not isinstance(entries, list):
        raise ConfigError("model.experts is a list of names, or of {name: …, option: …}.")
    found: list[tuple[str, dict[str, Any]]] = []
    for entry in entries:
        if isinstance(entry, str):
            found.append((entry, {}))
        elif isinstance(entry, dict) and isinstance(entry.get("name"), str):
            found.append((entry["name"], {key: value for key, value in entry.items() if key != "name"}))
        else:
            raise ConfigError(f"model.experts: {entry!r} is neither a name nor {{name: …, option: …}}.")
    names = [name for name, _ in found]
    if len(set(names)) < len(names):
        raise ConfigError(f"model.experts names an expert twice: {', '.join(names)}.")
    return found


def _check_keys(node: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in node:
        if key not in known:
            raise ConfigError(f"{where}.{key}: no such key.{nearest(key, known)} Known: {', '.join(known)}.")
