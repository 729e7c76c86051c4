"""MEXA: choose experts, gather their evidence, let a reasoner answer (arXiv 2506.17113)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from omegaconf import OmegaConf

from lavis.common import event_loop
from lavis.common.errors import ConfigError, ReasonerError, ReasonerUnusableError, nearest
from lavis.common.options import check_options, checked_class
from lavis.common.registry import registry
from lavis.datasets.question import Question
from lavis.experts.evidence import Evidence
from lavis.models.base_model import BaseModel
from lavis.models.mexa_models.answer import Answer, Selection
from lavis.models.mexa_models.answers import OPTION_FILTERS, PHRASE_FILTERS, extract
from lavis.models.mexa_models.fitting import complete_fitting
from lavis.models.mexa_models.panel import Panel, Seat
from lavis.models.mexa_models.pictures import pictures
from lavis.models.mexa_models.prompts import answer_prompt
from lavis.models.mexa_models.selectors import Selector
from lavis.models.mexa_models.workbench import Workbench
from lavis.reasoners.base import Prompt, PromptImage, Reasoner
from lavis.reasoners.cached import CachedReasoner
from lavis.reasoners.ledger import MeteredReasoner, Prices, read_prices

# Options of an expert's entry that the panel reads.
SEAT_OPTIONS = ("timeout_s", "max_chars")


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
    config_keys: ClassVar[frozenset[str]] = frozenset(
        {"selector", "experts", "reasoner", "answer", "reading", "prices_usd_per_mtok"}
    )

    def __init__(
        self,
        *,
        selector: Selector,
        panel: Panel,
        reasoner: Reasoner,
        answer: AnswerOptions | None = None,
        prices: Mapping[str, Prices] | None = None,
    ) -> None:
        super().__init__()
        self.selector = selector
        self.panel = panel
        self.reasoner = reasoner
        self.answer_options = answer or AnswerOptions()
        self.prices = dict(prices or {})
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
        experts = [_seat(name, options) for name, options in _expert_entries(node["experts"])]
        # An expert may ask the model that answers: written alike, it is one, and loaded once.
        asked = [seat.expert.reasoner for seat in experts if seat.options.get("reasoner") == node["reasoner"]]
        reading = node.get("reading") or {}
        answer = dict(node.get("answer") or {})
        if answer.get("filters") is not None:
            answer["filters"] = tuple(answer["filters"])
        return cls(
            selector=selector_class(**selector_options),
            panel=Panel(experts, n_frames=reading.get("n_frames", 8), n_workers=reading.get("n_workers")),
            reasoner=next((one for one in asked if one is not None), None) or reasoner_class(**reasoner_options),
            answer=AnswerOptions(**answer),
            prices=read_prices(node.get("prices_usd_per_mtok")),
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
            expert = registry.require("expert", name)
            own, _ = _split_options(options)
            check_options(expert, own, f"model.experts.{name}")
            if lacking := expert.lacks(own):
                raise ConfigError(f"model.experts: {name!r} is not available here. To enable it: {'; '.join(lacking)}")
        check_options(AnswerOptions, node.get("answer") or {}, "model.answer")
        for name in (node.get("answer") or {}).get("filters") or ():
            registry.require("filter", name)
        _check_keys(node.get("reading") or {}, ("n_frames", "n_workers"), "model.reading")
        read_prices(node.get("prices_usd_per_mtok"))

    @classmethod
    def needed_weights(cls, cfg: Any) -> tuple[str, ...]:
        """Return the names of the listed weights files that a ``model`` node needs."""
        node = _plain(cfg)
        reasoner, options = checked_class("reasoner", node["reasoner"], "model.reasoner")
        selector, selector_options = checked_class("selector", node["selector"], "model.selector")
        needed = [*reasoner.needed_weights(options), *selector.needed_weights(selector_options)]
        for name, expert_options in _expert_entries(node["experts"]) if selector.asks_experts else ():
            own, _ = _split_options(expert_options)
            needed += registry.require("expert", name).needed_weights(own)
        return tuple(dict.fromkeys(needed))

    @property
    def device(self) -> torch.device:
        """The model has no parameters; what its experts run on is theirs to say."""
        return torch.device("cpu")

    @property
    def reasoners(self) -> list[Reasoner]:
        """The run's reasoner, the selector's where it has one of its own, and those that experts ask; each once."""
        chosen_by = [self.selector.reasoner] if self.selector.reasoner is not None else []
        return list({id(one): one for one in (self.reasoner, *chosen_by, *self.panel.reasoners)}.values())

    def answer(self, question: Question, bench: Workbench) -> Answer:
        """Answer one question and wait for it; see :meth:`aanswer`."""
        return event_loop.run(self.aanswer(question, bench))

    async def aanswer(self, question: Question, bench: Workbench) -> Answer:
        """Answer one question; the gold stays outside.

        Raises:
            ModalityError: a medium cannot be read, and the run does not record absences.
            ReasonerUnusableError: no question can be answered: a wrong key, a server that is gone.
            RunStoppedError: the budget is spent.
        """
        question = question.blind()
        bench.stages.enter(question.question_id, "selector")
        try:
            selection = await self._select(question, bench)
        except ReasonerUnusableError:
            raise
        except ReasonerError as error:
            return Answer("", "failed", Selection((), "the selector failed"), (), None, error=str(error))
        bench.stages.enter(question.question_id, f"experts ({', '.join(selection.experts) or 'none'})")
        evidence = await self.panel.gather(selection.experts, question, bench)
        absent = [item.error for item in evidence if item.error]
        if absent and bench.missing_media == "fail":
            return Answer("", "failed", selection, tuple(evidence), None, error=absent[0])
        # What serves most questions comes first; sorting is stable, so that the selection's order decides the rest.
        evidence.sort(key=lambda item: (not self._is_shared(item, selection), -self.panel.breadth(item.expert)))
        bench.stages.enter(question.question_id, "aggregator")
        return await self._aggregate(question, selection, evidence, bench)

    async def _select(self, question: Question, bench: Workbench) -> Selection:
        async def frames(n: int) -> tuple[PromptImage, ...]:
            return await self.panel.with_reader(question, bench, lambda reader: pictures(reader, n))

        reasoner = self._chain(self.selector.reasoner or self.reasoner, bench)
        return await self.selector.select(question, self.panel.available(question), reasoner, frames)

    async def _aggregate(
        self, question: Question, selection: Selection, evidence: Sequence[Evidence], bench: Workbench
    ) -> Answer:
        options = self.answer_options
        gathered = tuple(evidence)

        def prompt(items: Sequence[Evidence]) -> Prompt:
            return self.answer_prompt(question, selection, items, bench)

        try:
            fitted = await complete_fitting(self._chain(self.reasoner, bench), prompt, gathered, selection.experts)
        except ReasonerUnusableError:
            raise
        except ReasonerError as error:
            return Answer("", "failed", selection, gathered, None, error=str(error))
        completion = fitted.completion
        candidates = self._candidates(question, bench)
        filters = options.filters or (OPTION_FILTERS if question.options else PHRASE_FILTERS)
        found = extract(completion.text, candidates, filters)
        if found is None:
            return Answer("", "unparsed", selection, gathered, completion, shortened=fitted.shortened)
        text, filter_name = found
        choice = question.options.index(text) if text in question.options else None
        return Answer(
            *(text, "answered", selection, gathered, completion),
            choice=choice,
            filter=filter_name,
            shortened=fitted.shortened,
        )

    def answer_prompt(
        self, question: Question, selection: Selection, evidence: Sequence[Evidence], bench: Workbench
    ) -> Prompt:
        """Return what the reasoner is asked: evidence that the medium's questions share first, then the question."""
        form = self.reasoner.answer_form
        return answer_prompt(
            question,
            [item for item in evidence if self._is_shared(item, selection)],
            [item for item in evidence if not self._is_shared(item, selection)],
            marker=bench.marker,
            form=form,
            choices=self._candidates(question, bench) if form == "text" else (),
            max_tokens=self.answer_options.max_tokens,
            examples=bench.examples,
        )

    def _candidates(self, question: Question, bench: Workbench) -> tuple[str, ...]:
        return question.options or (bench.vocabulary if self.answer_options.use_vocabulary else ())

    def _is_shared(self, item: Evidence, selection: Selection) -> bool:
        """Whether the medium's other questions have this evidence too, so that it can open the prompt."""
        return item.expert not in selection.occasional and self.panel.breadth(item.expert) > 0

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
        """Free what the reasoners and the panel hold."""
        for reasoner in self.reasoners:
            reasoner.close()
        self.panel.close()

    def _chain(self, reasoner: Reasoner, bench: Workbench) -> Reasoner:
        """Return a reasoner that asks the cache first and whose calls the ledger admits."""
        if bench.completions is not None:
            reasoner = CachedReasoner(reasoner, bench.completions, bench.marker)
        return MeteredReasoner(reasoner, bench.ledger)


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


def _split_options(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split an entry's options into the expert's own and those of its seat on the panel."""
    own = {key: value for key, value in options.items() if key not in SEAT_OPTIONS}
    return own, {key: value for key, value in options.items() if key in SEAT_OPTIONS}


def _seat(name: str, options: Mapping[str, Any]) -> Seat:
    own, of_seat = _split_options(options)
    return Seat(registry.require("expert", name)(**own), own, **of_seat)


def _check_keys(node: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in node:
        if key not in known:
            raise ConfigError(f"{where}.{key}: no such key.{nearest(key, known)} Known: {', '.join(known)}.")
