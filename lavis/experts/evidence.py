"""Evidence: what one expert says of one medium, with its provenance."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lavis.reasoners.base import Usage


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Text of one expert about one medium, or the reason why there is none.

    Attributes:
        expert: the expert's name.
        media_id: the medium.
        text: what it says; empty exactly where ``error`` is set.
        version: of the expert's card.
        span_s: the time it speaks of, (from, to) in s; None for the whole medium.
        confidence: 0 … 1, None where the expert has no measure of its own.
        latency_s: what looking took when it was computed.
        error: why there is no text.
        note: what was done otherwise than asked: text that was cut, fewer frames than wanted.
        usage: what asking a model for it took; None where no model was asked.
        model: the model that was asked.
    """

    expert: str
    media_id: str
    text: str
    version: str
    span_s: tuple[float, float] | None = None
    confidence: float | None = None
    latency_s: float = 0.0
    error: str | None = None
    note: str = ""
    usage: Usage | None = None
    model: str = ""

    def __post_init__(self) -> None:
        if bool(self.text) == bool(self.error):
            raise ValueError(f"Evidence of {self.expert!r} on {self.media_id!r} needs a text or an error, not both.")

    def to_json(self) -> dict[str, Any]:
        """Return plain data for a store or a journal."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evidence:
        """Build it back from :meth:`to_json`."""
        span, usage = data.get("span_s"), data.get("usage")
        read = {
            "span_s": None if span is None else (float(span[0]), float(span[1])),
            "usage": None if usage is None else Usage(**usage),
        }
        return cls(**{**data, **read})
