"""What the pattern of an imprint is like: fine or coarse, repeated or not, and which way it runs."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MIN_CYCLES = 4.0  # per picture height: slower changes are shape, not texture
PERIODIC = 0.25  # of the power that one frequency must have
DIRECTED = 0.4  # 0: all directions alike, 1: one direction only
FINE_CYCLES, COARSE_CYCLES = 20.0, 8.0  # per picture height


@dataclasses.dataclass(frozen=True)
class Relief:
    """The texture of one picture.

    Attributes:
        cycles: mean spatial frequency per picture height, weighted by power.
        period_px: distance of repeated ridges; None without a clear one.
        angle_deg: of the ridges above the horizontal, -90 … 90; None where they run every way.
    """

    cycles: float
    period_px: float | None
    angle_deg: float | None

    @property
    def grain(self) -> str:
        """``fine``, ``medium`` or ``coarse``."""
        return "fine" if self.cycles >= FINE_CYCLES else "coarse" if self.cycles < COARSE_CYCLES else "medium"


def relief_of(imprint: Floats) -> Relief | None:
    """Measure the texture of a signed imprint [h, w] by its spectrum; None where there is none."""
    height, width = imprint.shape
    window = np.hanning(height)[:, None] * np.hanning(width)[None]
    power = np.abs(np.fft.rfft2((imprint - imprint.mean()) * window)) ** 2
    down, right = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]  # cycles per px
    frequency = np.hypot(down, right)
    power[frequency * height < MIN_CYCLES] = 0.0
    # The spectrum's half that is kept holds the other's power too, except on its first column.
    power[:, 1:] *= 2.0
    total = float(power.sum())
    if total <= 1e-9 * imprint.size:
        return None
    cycles = float((frequency * power).sum() / total * height)
    angle = np.arctan2(-down, right)  # of the change, above the horizontal: ridges run across it
    moment = complex((power * np.exp(2j * angle)).sum() / total)
    ridges_deg: float | None = None
    if abs(moment) >= DIRECTED:
        ridges_deg = float(np.rad2deg(np.angle(moment)) / 2 + 90.0)
        ridges_deg = ridges_deg - 180.0 if ridges_deg > 90.0 else ridges_deg
    row, column = np.unravel_index(int(np.argmax(power)), power.shape)
    rows = [(int(row) + step) % height for step in (-1, 0, 1)]
    peak = power[rows, max(0, int(column) - 1) : int(column) + 2]
    twin = power[[-r % height for r in rows], : max(0, 2 - int(column))] if column <= 1 else np.zeros(1)
    periodic = float(peak.sum() + twin.sum()) / total >= PERIODIC
    return Relief(cycles, 1.0 / float(frequency[row, column]) if periodic else None, ridges_deg)
