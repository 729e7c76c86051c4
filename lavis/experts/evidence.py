"""Evidence: what one expert says of one medium, with its provenance."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


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
    """

    expert: str
    media_id: str
    text: str
    version: str
    span_s: tuple[float, float] | None = None
    confidence: float | None = None
    latency_s: float = 0.0
    error: str | None = None

    def __post_init__(self) -> None:
        if bool(self.text) == bool(self.error):
            raise ValueError(f"Evidence of {self.expert!r} on {self.media_id!r} needs a text or an error, not both.")

    def to_json(self) -> dict[str, Any]:
        """Return plain data for a store or a journal."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evidence:
        """Build it back from :meth:`to_json`."""
        span = data.get("span_s")
        return cls(**{**data, "span_s": None if span is None else (float(span[0]), float(span[1]))})
