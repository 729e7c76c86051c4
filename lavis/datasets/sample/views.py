"""What the frames of a walk show, measured on the exact geometry: the truth behind questions on views."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from lavis.datasets.loaders.base import Array
from lavis.datasets.sample.camera import HEIGHT_PX, WIDTH_PX, Camera
from lavis.datasets.sample.plan import Room
from lavis.datasets.sample.raycast import Hits, geometry

FLOOR, CEILING = 5, 4


@dataclasses.dataclass(frozen=True)
class View:
    """One frame in numbers; shares are of its pixels.

    Attributes:
        camera: where it was taken.
        floor, wall, ceiling: shares of the room's own floor, walls and ceiling.
        level_up, upright, level_down: shares of all surfaces (furniture too) by the direction of their normals.
        near_left_m, near_right_m: depths of the left and right half at percentiles 25, 50 and 75.
        ahead_m: median depth of the middle ninth.
        seen: share by instance id, for things that are seen.
    """

    camera: Camera
    floor: float
    wall: float
    ceiling: float
    level_up: float
    upright: float
    level_down: float
    near_left_m: tuple[float, ...]
    near_right_m: tuple[float, ...]
    ahead_m: float
    seen: Mapping[int, float]

    @property
    def nearest_side(self) -> str:
        """``left`` or ``right`` where that half is nearer at every percentile, else empty."""
        closer = [left < right for left, right in zip(self.near_left_m, self.near_right_m, strict=True)]
        return "left" if all(closer) else "" if any(closer) else "right"

    def to_json(self) -> dict[str, Any]:
        """Return plain, rounded data for the truth file."""
        camera = self.camera
        return {
            "position_m": [round(value, 6) for value in camera.position_m],
            "yaw_deg": round(camera.yaw_deg, 6),
            "pitch_deg": camera.pitch_deg,
            "share": {name: round(getattr(self, name), 4) for name in SHARES},
            "near_left_m": [round(value, 3) for value in self.near_left_m],
            "near_right_m": [round(value, 3) for value in self.near_right_m],
            "nearest_side": self.nearest_side,
            "ahead_m": round(self.ahead_m, 3),
            "seen": {str(number): round(share, 4) for number, share in sorted(self.seen.items())},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> View:
        """Build it back from :meth:`to_json`, as rounded there."""
        x_m, y_m, z_m = data["position_m"]
        return cls(
            camera=Camera((x_m, y_m, z_m), data["yaw_deg"], data["pitch_deg"]),
            **{name: data["share"][name] for name in SHARES},
            near_left_m=tuple(data["near_left_m"]),
            near_right_m=tuple(data["near_right_m"]),
            ahead_m=data["ahead_m"],
            seen={int(number): share for number, share in data["seen"].items()},
        )


SHARES = ("floor", "wall", "ceiling", "level_up", "upright", "level_down")


def measure(room: Room, camera: Camera, hits: Hits) -> View:
    """Measure one frame from the hits of all its pixels, row by row."""
    shell = hits.box < 0
    depth_m = hits.depth_m.reshape(HEIGHT_PX, WIDTH_PX)
    numbers, counts = np.unique(geometry(room).instances(hits.box), return_counts=True)
    half = WIDTH_PX // 2
    middle = depth_m[HEIGHT_PX // 3 : 2 * HEIGHT_PX // 3, WIDTH_PX // 3 : 2 * WIDTH_PX // 3]
    return View(
        camera=camera,
        floor=_share(shell & (hits.face == FLOOR)),
        wall=_share(shell & (hits.face < CEILING)),
        ceiling=_share(shell & (hits.face == CEILING)),
        level_up=_share(hits.face == FLOOR),
        upright=_share(hits.face < CEILING),
        level_down=_share(hits.face == CEILING),
        near_left_m=_quarters(depth_m[:, :half]),
        near_right_m=_quarters(depth_m[:, half:]),
        ahead_m=float(np.median(middle)),
        seen={int(n): float(c / hits.box.size) for n, c in zip(numbers, counts, strict=True) if n > 0},
    )


def _share(mask: Array) -> float:
    return float(mask.mean())


def _quarters(depth_m: Array) -> tuple[float, ...]:
    return tuple(float(value) for value in np.percentile(depth_m, (25, 50, 75)))
