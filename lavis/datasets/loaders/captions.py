"""Texts that someone else already wrote about media: one JSON file for many media."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Caption:
    """One text about a medium.

    Attributes:
        text: what was written.
        subject: what it is about ("window"); empty where not said.
        span_s: the time it speaks of, None for the whole medium.
    """

    text: str
    subject: str = ""
    span_s: tuple[float, float] | None = None
