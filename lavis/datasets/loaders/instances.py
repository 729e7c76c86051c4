"""Labelled object instances of a 3D scene: one JSON file per scene."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Instance:
    """One object: an axis-aligned box in scene coordinates (m, z up) with its label.

    Attributes:
        instance_id: unique within its scene.
        label: the object's name ("office chair").
        center_m: middle of the box (x, y, z).
        size_m: full extents along x, y, z.
        color: a plain colour name, None where unknown.
    """

    instance_id: int
    label: str
    center_m: tuple[float, float, float]
    size_m: tuple[float, float, float]
    color: str | None = None
