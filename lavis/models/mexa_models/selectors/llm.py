"""The llm selector: a reasoner reads the question and the experts' cards, and says whom it wants and why."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal, get_args

from lavis.common.errors import ConfigError, nearest
from lavis.common.options import checked_class
from lavis.datasets.question import Question
from lavis.experts.base import Expert
from lavis.models.mexa_models.answer import Selection
from lavis.models.mexa_models.prompts import selection_prompt
from lavis.models.mexa_models.selectors.base import Frames, Selector, check_max_experts, names_of, nobody
from lavis.models.mexa_models.selectors.by_skill import by_need, read_reply, skills_prompt
from lavis.models.mexa_models.selectors.groups import OncePerKey
from lavis.models.mexa_models.selectors.rules import RulesSelector
from lavis.reasoners.base import Completion, Prompt, PromptImage, Reasoner
from lavis.reasoners.structured import read_json
from lavis.store.entry_files import digest

GroupBy = Literal["none", "category", "medium"]


@dataclasses.dataclass(frozen=True)
class Choice:
    """What a reasoner chose, for one question or for a group.

    Attributes:
        experts: best first; nobody where the reply names nobody that there is.
        reason: what the reasoner said, or why its reply can't be used.
        completion: what it cost, and how it came to fit.
    """

    experts: tuple[str, ...]
    reason: str
    completion: Completion


class LLMSelector(Selector):
    """Asks a reasoner which experts it wants, by their cards (MEXA, arXiv 2506.17113, section 3).

    A reasoner that writes JSON is held to a schema and gives a reason for each; another one names the skills
    that the question needs, see `by_skill.py`. Names that are not there are dropped, and the reason says which.
    A reply that names nobody who is there, after one repair, leaves the choice to the rules, which the reason says.

    Args:
        max_experts: at most so many are chosen.
        n_frames: pictures of the medium that it sees with the question, where the reasoner sees.
        group_by: ``none`` asks about every question; ``category`` once for the questions of one type on media that
            feed the same experts; ``medium`` once for the questions on one medium. A group's prompt shows what the
            group has in common and no question's words, so that it does not depend on which question comes first.
        reasoner: ``{type: …}`` of another reasoner than the run's.

    Raises:
        ConfigError: an option is out of range, or of a reasoner that does not take it.
    """

    def __init__(
        self,
        *,
        max_experts: int = 3,
        n_frames: int = 0,
        group_by: GroupBy = "none",
        reasoner: Mapping[str, Any] | None = None,
    ) -> None:
        check_max_experts(max_experts)
        if n_frames < 0:
            raise ConfigError(f"model.selector.n_frames: {n_frames} is less than 0.")
        if group_by not in get_args(GroupBy):
            known = get_args(GroupBy)
            raise ConfigError(
                f"model.selector.group_by: {group_by!r} is none of {', '.join(known)}.{nearest(str(group_by), known)}"
            )
        if n_frames and group_by == "category":
            raise ConfigError("model.selector.n_frames: questions of one type share no medium; use group_by: medium.")
        self.max_experts = max_experts
        self.n_frames = n_frames
        self.group_by = group_by
        self._rules = RulesSelector(max_experts=max_experts)
        self._groups: OncePerKey[Choice] = OncePerKey()
        if reasoner is not None:
            cls, options = checked_class("reasoner", reasoner, "model.selector.reasoner")
            self.reasoner = cls(**options)

    def prompt(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, images: Sequence[PromptImage] = ()
    ) -> Prompt:
        """Return what the reasoner is asked."""
        ask = selection_prompt if reasoner.writes_json else skills_prompt
        max_experts = min(self.max_experts, len(experts))
        return ask(question, experts, max_experts=max_experts, group=self._group(question), images=images)

    async def select(
        self, question: Question, experts: Sequence[Expert], reasoner: Reasoner, frames: Frames | None = None
    ) -> Selection:
        """Choose what the reasoner names; by the rules if it names nobody that there is."""
        if not experts:
            return nobody(question)
        if len(experts) == 1:
            return Selection(names_of(experts), "no choice to make")
        if self.n_frames and not reasoner.sees_images:
            raise ConfigError(
                "model.selector.n_frames: the reasoner sees no pictures; set sees_images: true if its model does."
            )

        async def ask() -> Choice:
            images = await frames(self.n_frames) if self.n_frames and frames is not None else ()
            completion = await reasoner.acomplete(self.prompt(question, experts, reasoner, images))
            return self._read(completion, experts)

        group = self._group(question)
        choice = await self._groups.get(self._key(question, experts), ask) if group else await ask()
        selection = self._selection(choice, question, experts)
        if not group:
            return selection
        named = digest([str(part) for part in self._key(question, experts)])[:16]
        return dataclasses.replace(selection, reason=f"for {group}: {selection.reason}", group=named)

    def _selection(self, choice: Choice, question: Question, experts: Sequence[Expert]) -> Selection:
        completion = choice.completion
        asked = Selection(
            choice.experts,
            choice.reason,
            choice.experts if self.group_by == "none" else (),
            usage=completion.usage,
            model=completion.model,
            schema_path=completion.schema_path,
        )
        if choice.experts:
            return asked
        fallen = self._rules.choose(question, experts)
        reason = f"{choice.reason}, so the rules chose ({fallen.reason})"
        return dataclasses.replace(asked, experts=fallen.experts, reason=reason, occasional=fallen.occasional)

    def _read(self, completion: Completion, experts: Sequence[Expert]) -> Choice:
        """Return whom a completion names; what it names in vain and what exceeds the number are dropped."""
        if completion.schema_path:
            there = names_of(experts)
            reasons = _reasons(completion.text)
            named = [name for name in reasons if name in there]
            unknown = [name for name in reasons if name not in there]
            chosen = tuple(named[: self.max_experts])
            said = "; ".join(f"{name}: {reasons[name]}" for name in chosen)
        else:
            named, unknown = read_reply(completion.text, by_need(experts))
            chosen = tuple(named[: self.max_experts])
            said = f"it needs {completion.text.strip()[:200]}"
        notes = f"; not there: {', '.join(unknown)[:200]}" if unknown else ""
        if len(named) > len(chosen):
            notes += f"; {len(named) - len(chosen)} more than max_experts were dropped"
        if chosen:
            return Choice(chosen, f"{completion.model}: {said}{notes}", completion)
        misfit = "fits no schema" if completion.schema_path == "unfit" else "names nobody that is there"
        return Choice((), f"the reply {misfit}: {completion.text[:80]!r}", completion)

    def _group(self, question: Question) -> str:
        """Return what the group is that one choice is made for; empty where each question is asked about."""
        kind = f"any question of type {question.category!r}" if question.category else "any question of no named type"
        return {"none": "", "category": kind, "medium": "any question about this medium"}[self.group_by]

    def _key(self, question: Question, experts: Sequence[Expert]) -> tuple[Hashable, ...]:
        media = question.media
        common = {"category": (question.category, tuple(media.sources)), "medium": media.media_id}
        return common[self.group_by], names_of(experts)


def _reasons(text: str) -> dict[str, str]:
    """Return the reasons by expert of a reply in JSON; of one that does not quite fit the schema, what can be read."""
    try:
        reply = read_json(text)
    except ValueError:
        return {}
    listed = reply.get("experts") if isinstance(reply, dict) else None
    found: dict[str, str] = {}
    for item in listed if isinstance(listed, list) else ():
        name, reason = (item.get("name"), item.get("reason")) if isinstance(item, dict) else (item, "")
        if isinstance(name, str):
            found.setdefault(name, reason if isinstance(reason, str) else "")
    return found
