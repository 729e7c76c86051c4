"""The answer to one question, with everything that led to it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from lavis.experts.evidence import Evidence
from lavis.reasoners.base import Completion, Usage

Status = Literal["answered", "unparsed", "failed"]


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which experts are asked, and why.

    Attributes:
        experts: their names, best first.
        reason: why these.
        occasional: those that this question's words brought in; the others are asked about every
            question, so that their evidence can open a prompt that many questions share.
        usage: what choosing cost.
        model: who chose, where a reasoner was asked.
        schema_path: how its reply came to fit the form that was asked for.
        group: the questions that one choice was made for, all of which carry its usage; empty for a choice of one.
    """

    experts: tuple[str, ...]
    reason: str = ""
    occasional: tuple[str, ...] = ()
    usage: Usage = dataclasses.field(default_factory=Usage)
    model: str = ""
    schema_path: str = ""
    group: str = ""


@dataclasses.dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        text: the answer in the benchmark's words; empty unless ``answered``.
        choice: its number among the question's options, None without options.
        status: ``answered``; ``unparsed`` if the completion holds no answer; ``failed`` if there is no completion.
        selection: the experts that were asked.
        evidence: what they said, in the order of the prompt.
        completion: what the reasoner returned; None where it failed.
        filter: the name of the filter that found the answer.
        error: why it failed.
        shortened: what was taken out of the evidence so that the prompt fits the model's context, a line each.
    """

    text: str
    status: Status
    selection: Selection
    evidence: tuple[Evidence, ...]
    completion: Completion | None
    choice: int | None = None
    filter: str = ""
    error: str = ""
    shortened: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens in and out, of choosing and answering; what was chosen for a group is no single question's."""
        usages = self._usages()
        return sum(usage.input_tokens + usage.output_tokens for usage in usages)

    @property
    def usd(self) -> float | None:
        """What choosing and answering cost, as far as prices are known; without what was chosen for a group."""
        known = [usage.usd for usage in self._usages() if usage.usd is not None]
        return sum(known) if known else None

    def _usages(self) -> list[Usage]:
        chosen = [] if self.selection.group else [self.selection.usage]
        return [*chosen, *([self.completion.usage] if self.completion else [])]

    def to_json(self) -> dict[str, Any]:
        """Return plain data for the journal."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Answer:
        """Build it back from :meth:`to_json`."""
        completion = data["completion"]
        selection = data["selection"]
        return cls(
            **{
                **data,
                "selection": Selection(
                    **{
                        **selection,
                        "experts": tuple(selection["experts"]),
                        "occasional": tuple(selection["occasional"]),
                        "usage": Usage(**selection["usage"]),
                    }
                ),
                "shortened": tuple(data.get("shortened", ())),
                "evidence": tuple(Evidence.from_json(item) for item in data["evidence"]),
                "completion": None if completion is None else Completion.from_json(completion),
            }
        )
