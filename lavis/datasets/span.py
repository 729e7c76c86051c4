"""A part of a medium in time."""

from __future__ import annotations

import dataclasses

from lavis.common.errors import ModalityError


@dataclasses.dataclass(frozen=True)
class MediaSpan:
    """From when to when a question speaks of its medium.

    Attributes:
        start: where it begins.
        end: where it ends; infinity for the end of the medium.
        unit: ``seconds``, ``frames`` or ``fraction`` of the medium.
    """

    start: float
    end: float
    unit: str

    def __str__(self) -> str:
        return f"{self.start:g}-{self.end:g} {self.unit}"

    def frames(self, count: int, rate_hz: float | None, *, media_id: str) -> tuple[int, int]:
        """Return the frames from the first to before the last, out of ``count`` at ``rate_hz`` frames per s.

        Raises:
            ModalityError: seconds without a rate, or the span lies outside the medium.
        """
        if self.unit == "seconds" and not rate_hz:
            raise ModalityError(
                f"{media_id}: the question speaks of {self}, but the frames' rate is not known; set rate_hz of the "
                f"modality in build_info."
            )
        per_unit = {"seconds": rate_hz or 0.0, "frames": 1.0, "fraction": float(count)}[self.unit]
        first = int(self.start * per_unit)
        last = count if self.end == float("inf") else min(count, max(first + 1, int(self.end * per_unit)))
        if not 0 <= first < last:
            raise ModalityError(f"{media_id}: the question speaks of {self}, the medium has {count} frames.")
        return first, last
