"""Where things are from where an agent stands: bearing, side, clock hour and distance in the ground plane."""

from __future__ import annotations

import dataclasses
import math

from lavis.datasets.loaders.instances import Instance
from lavis.datasets.question import Pose

# Clockwise seen from above, each a quarter of the circle centred on its axis.
SIDES = ("front", "right", "back", "left")


@dataclasses.dataclass(frozen=True)
class Placed:
    """An object as an agent finds it.

    Attributes:
        instance: the object.
        bearing_deg: of its middle, clockwise from the gaze, above -180 up to 180; 90 is to the right.
        distance_m: in the ground plane to the nearest point of its box; 0 where the agent is inside it.
        center_m: in the ground plane to its middle.
    """

    instance: Instance
    bearing_deg: float
    distance_m: float
    center_m: float

    @property
    def here(self) -> bool:
        """True if the agent stands, sits or lies within the object's outline."""
        return self.distance_m == 0.0

    @property
    def side(self) -> str:
        """One of ``SIDES``; an object on a diagonal belongs to the front, else to the back."""
        angle = abs(self.bearing_deg)
        if angle <= 45.0:
            return "front"
        if angle >= 135.0:
            return "back"
        return "right" if self.bearing_deg > 0 else "left"

    @property
    def hour(self) -> int:
        """Clock hour of the bearing: 12 ahead, 3 to the right."""
        return round(self.bearing_deg / 30.0) % 12 or 12


def place(instance: Instance, pose: Pose) -> Placed:
    """Return where an object is from a pose; z-up right-handed coordinates, left of (fx, fy) is (-fy, fx)."""
    away_x = instance.center_m[0] - pose.position_m[0]
    away_y = instance.center_m[1] - pose.position_m[1]
    forward_x, forward_y = pose.forward
    ahead = away_x * forward_x + away_y * forward_y
    to_right = away_x * forward_y - away_y * forward_x
    # Rounded so that a rotated scene does not change sides by the last bit of a float.
    bearing_deg = round(math.degrees(math.atan2(to_right, ahead)), 6) if (away_x or away_y) else 0.0
    outside_x = max(0.0, abs(away_x) - instance.size_m[0] / 2)
    outside_y = max(0.0, abs(away_y) - instance.size_m[1] / 2)
    return Placed(
        instance=instance,
        bearing_deg=180.0 if bearing_deg == -180.0 else bearing_deg,
        distance_m=round(math.hypot(outside_x, outside_y), 6),
        center_m=round(math.hypot(away_x, away_y), 6),
    )


def place_all(instances: tuple[Instance, ...], pose: Pose) -> list[Placed]:
    """Return every object placed, nearest first; ties by distance of the middle, label and id."""
    placed = [place(instance, pose) for instance in instances]
    return sorted(placed, key=lambda p: (p.distance_m, p.center_m, p.instance.label, p.instance.instance_id))
