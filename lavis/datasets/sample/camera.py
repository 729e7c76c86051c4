"""A pinhole camera and the way it takes through a room."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np

from lavis.datasets.loaders.base import Array
from lavis.datasets.sample.plan import Stand, Walk

WIDTH_PX, HEIGHT_PX = 320, 240
HORIZONTAL_FOV_DEG = 60.0
FOCAL_PX = WIDTH_PX / 2 / math.tan(math.radians(HORIZONTAL_FOV_DEG / 2))
EYE_M = 1.5
RATE_HZ = 8.0
N_FRAMES = 28


@dataclasses.dataclass(frozen=True)
class Camera:
    """A camera in a scene.

    Attributes:
        position_m: x, y, z.
        yaw_deg: of the gaze, counter-clockwise from +x.
        pitch_deg: of the gaze, up is positive.
    """

    position_m: tuple[float, float, float]
    yaw_deg: float
    pitch_deg: float

    @functools.cached_property
    def axes(self) -> Array:
        """Rows: the camera's x (right), y (down) and z (forward) as unit vectors of the scene [3, 3]."""
        yaw, pitch = math.radians(self.yaw_deg), math.radians(self.pitch_deg)
        level = np.array([math.cos(yaw), math.sin(yaw), 0.0])
        up = np.array([0.0, 0.0, 1.0])
        right = np.array([math.sin(yaw), -math.cos(yaw), 0.0])
        forward = math.cos(pitch) * level + math.sin(pitch) * up
        down = math.sin(pitch) * level - math.cos(pitch) * up
        return np.stack([right, down, forward])

    def directions(self, x_px: Array, y_px: Array) -> Array:
        """Return rays [n, 3] in the scene through picture points, scaled so that their length along z is 1."""
        rays = np.stack([(x_px - WIDTH_PX / 2) / FOCAL_PX, (y_px - HEIGHT_PX / 2) / FOCAL_PX, np.ones_like(x_px)], -1)
        turned: Array = rays @ self.axes
        return turned

    def project(self, points_m: Array) -> tuple[Array, Array]:
        """Return (picture points [n, 2] px, distance along z [n] m) of scene points [n, 3]."""
        local = (points_m - np.array(self.position_m)) @ self.axes.T
        z = local[:, 2]
        scale = FOCAL_PX / np.where(np.abs(z) < 1e-9, 1e-9, z)
        return np.stack([local[:, 0] * scale + WIDTH_PX / 2, local[:, 1] * scale + HEIGHT_PX / 2], -1), z


def grid_px() -> tuple[Array, Array]:
    """Return x and y of every pixel's middle, row by row, each [h · w]."""
    x, y = np.meshgrid(np.arange(WIDTH_PX) + 0.5, np.arange(HEIGHT_PX) + 0.5)
    return x.ravel(), y.ravel()


def camera_path(walk: Walk, n_frames: int = N_FRAMES) -> tuple[Camera, ...]:
    """Return the cameras of a walk, evenly in time; the last one stands at ``walk.end``.

    Every move takes the same number of frame steps (the first ones take what is left over).
    """
    steps = [(n_frames - 1 + k) // len(walk.moves) for k in reversed(range(len(walk.moves)))]
    stands = [walk.end]
    for (kind, amount), n_steps in zip(reversed(walk.moves), reversed(steps), strict=True):
        for _ in range(n_steps):
            stands.append(_before(stands[-1], kind, amount / n_steps))
    return tuple(
        Camera((round(stand.x_m, 9), round(stand.y_m, 9), EYE_M), round(stand.yaw_deg, 9), walk.pitch_deg)
        for stand in reversed(stands)
    )


def _before(stand: Stand, kind: str, amount: float) -> Stand:
    if kind == "turn":
        return dataclasses.replace(stand, yaw_deg=stand.yaw_deg - amount)
    forward_x, forward_y = stand.forward
    return dataclasses.replace(stand, x_m=stand.x_m - amount * forward_x, y_m=stand.y_m - amount * forward_y)
