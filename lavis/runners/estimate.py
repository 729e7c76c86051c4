"""What a run will ask, use, cost and take, before anything is sent."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

from lavis.common import event_loop
from lavis.common.registry import registry
from lavis.datasets.datasets.question_dataset import QuestionDataset
from lavis.datasets.question import Question
from lavis.experts.evidence import Evidence
from lavis.models.mexa_models.answer import Selection
from lavis.models.mexa_models.selectors import LLMSelector
from lavis.models.mexa_models.workbench import Workbench
from lavis.reasoners.base import CHARS_PER_TOKEN, Prompt, Usage
from lavis.reasoners.ledger import Ledger
from lavis.runners.runner_qa import RunnerQA

# Questions whose prompts are built; the others are taken to be like them.
SAMPLE = 200
# What an expert writes, where it has not written anything yet that its length could be taken from.
UNSEEN_EVIDENCE_TOKENS = 250


@dataclasses.dataclass(frozen=True)
class Role:
    """What one role will ask of one model."""

    name: str
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    usd: float | None


@dataclasses.dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes:
        questions: of the run.
        media: that they are about.
        expert_looks: different pieces of evidence that these media can have; what is in the store costs nothing.
        roles: what is asked of which model.
        seconds: of the calls alone, with the connections that the configuration allows; None without a latency.
        notes: what was assumed.
    """

    questions: int
    media: int
    expert_looks: int
    roles: tuple[Role, ...]
    seconds: float | None
    notes: tuple[str, ...]


def estimate(runner: RunnerQA, *, output_tokens: int, latency_s: float | None, model: Mapping[str, Any]) -> Estimate:
    """Estimate a run.

    Args:
        runner: built :func:`without_asking`.
        output_tokens: of one call, reasoning included.
        latency_s: of one call; None leaves the time out.
        model: the node as it was configured; names the models and the connections.
    """
    questions, media, looks = 0, 0, 0
    answer_tokens, choice_tokens = 0.0, 0.0
    notes = [f"{output_tokens} tokens out a call (--output-tokens), {CHARS_PER_TOKEN:g} characters a token."]
    for _, dataset in runner.splits():
        indices = runner.indices(dataset)
        n_sampled = min(SAMPLE, len(indices))
        bench = runner.bench(dataset, "marker", Ledger())
        sampled = [dataset.question(indices[k * len(indices) // n_sampled]).blind() for k in range(n_sampled)]
        prompts = [event_loop.run(_prompts(runner, question, bench)) for question in sampled]
        scale = len(indices) / max(n_sampled, 1)
        questions += len(indices)
        media += len({dataset.media_id(index) for index in indices})
        looks += _looks(runner, dataset, indices)
        answer_tokens += scale * sum(runner.model.reasoner.count_tokens(one.answer) for one in prompts)
        choices = [one.choice for one in prompts if one.choice is not None]
        choice_tokens += scale * sum(runner.model.reasoner.count_tokens(choice) for choice in choices)
        if unseen := sum(one.n_unseen for one in prompts):
            notes.append(
                f"{unseen} reports on {n_sampled} sampled questions are not in the store; each is taken as "
                f"{UNSEEN_EVIDENCE_TOKENS} tokens. lavis precompute writes them first."
            )
    roles = [_role("aggregator", model["reasoner"], questions, answer_tokens, output_tokens, runner)]
    if choice_tokens:
        chooser = model["selector"].get("reasoner") or model["reasoner"]
        roles.insert(0, _role("selector", chooser, questions, choice_tokens, output_tokens, runner))
    seconds = None
    if latency_s is not None:
        connections = int(_option(model["reasoner"], "max_connections"))
        seconds = math.ceil(sum(role.calls for role in roles) / connections) * latency_s
        notes.append(f"{latency_s:g} s a call (--latency-s), {connections} connections.")
    return Estimate(questions, media, looks, tuple(roles), seconds, tuple(notes))


def without_asking(config: Any) -> None:
    """Let a configuration be built without a key, a server or a model; prompts stay what they are."""
    form = _option(config.model.reasoner, "answer_form")
    config.model.reasoner = {"type": "scripted", "answer_form": form}


def _option(node: Mapping[str, Any], name: str) -> Any:
    """Return an option of a reasoner: as it is configured, or else as its class has it."""
    if node.get(name) is not None:
        return node[name]
    reasoner = registry.require("reasoner", node["type"])
    parameter = inspect.signature(reasoner).parameters.get(name)
    return getattr(reasoner, name) if parameter is None else parameter.default


@dataclasses.dataclass(frozen=True)
class _Prompts:
    answer: Prompt
    choice: Prompt | None
    n_unseen: int


async def _prompts(runner: RunnerQA, question: Question, bench: Workbench) -> _Prompts:
    model = runner.model
    available = model.panel.available(question)
    choice: Prompt | None = None
    if isinstance(model.selector, LLMSelector):
        names = tuple(expert.card.name for expert in available)[: model.selector.max_experts]
        choice = model.selector.prompt(question, available, model.reasoner) if len(available) > 1 else None
    else:
        names = (await model.selector.select(question, available, model.reasoner)).experts
    kept = [bench.store.get(await model.panel.key(name, question, bench)) for name in names]
    unseen = "x" * int(UNSEEN_EVIDENCE_TOKENS * CHARS_PER_TOKEN)
    evidence = [
        found or Evidence(name, question.media.media_id, unseen, "unseen")
        for name, found in zip(names, kept, strict=True)
    ]
    return _Prompts(model.answer_prompt(question, Selection(names), evidence, bench), choice, kept.count(None))


def _looks(runner: RunnerQA, dataset: QuestionDataset, indices: Sequence[int]) -> int:
    """Return how many different pieces of evidence the questions' media can have."""
    found: set[tuple[str, str, str]] = set()
    for index in indices:
        question = dataset.question(index)
        for expert in runner.model.panel.available(question):
            card = expert.card
            side = repr([question.media.side.get(need) for need in card.needs])
            found.add((card.name, question.media.media_id, question.question_id if card.question_aware else side))
    return len(found)


def _role(
    name: str, node: Mapping[str, Any], calls: int, input_tokens: float, output_tokens: int, runner: RunnerQA
) -> Role:
    model = str(node.get("model") or node["type"])
    prices = runner.model.prices.get(model)
    used = Usage(round(input_tokens), calls * output_tokens)
    usd = None if prices is None else prices.usd(used)
    return Role(name, model, calls, used.input_tokens, used.output_tokens, usd)
