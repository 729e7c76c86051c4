"""Exact geometry of a room seen by a camera: which face each ray meets first, and how far away."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable

import numpy as np

from lavis.datasets.loaders.base import Array
from lavis.datasets.sample.camera import HEIGHT_PX, WIDTH_PX, Camera, grid_px
from lavis.datasets.sample.plan import Box, Room

NEAR_M = 0.02


@dataclasses.dataclass(frozen=True)
class Hits:
    """What n rays meet.

    Attributes:
        depth_m: [n], along the camera's z.
        box: [n], index into the room's boxes; -1 for walls, floor and ceiling.
        face: [n], 2 · axis + (1 where the face's normal points along +axis).
        points_m: [n, 3] in the scene.
    """

    depth_m: Array
    box: Array
    face: Array
    points_m: Array

    @property
    def normals(self) -> Array:
        """Unit normals [n, 3] in the scene."""
        normals = np.zeros((len(self.face), 3))
        normals[np.arange(len(self.face)), self.face // 2] = np.where(self.face % 2, 1.0, -1.0)
        return normals


@dataclasses.dataclass(frozen=True)
class Geometry:
    """A room as arrays: boxes [n, 2, 3], the thing of each box [n] (from 1), and the room's own corners [2, 3]."""

    boxes: tuple[Box, ...]
    corners_m: Array
    thing: Array
    shell_m: Array

    def instances(self, box: Array) -> Array:
        """Return instance ids (0 for walls, floor and ceiling) of box indices."""
        return np.where(box < 0, 0, self.thing[np.maximum(box, 0)])


@functools.lru_cache(maxsize=2)
def geometry(room: Room) -> Geometry:
    """Return a room's arrays; thing number k (from 1) is ``room.things[k - 1]``."""
    pairs = [(number, box) for number, thing in enumerate(room.things, start=1) for box in thing.boxes]
    width, depth, height = room.size_m
    return Geometry(
        boxes=tuple(box for _, box in pairs),
        corners_m=np.array([(box.low_m, box.high_m) for _, box in pairs]),
        thing=np.array([number for number, _ in pairs]),
        shell_m=np.array([(-width / 2, -depth / 2, 0.0), (width / 2, depth / 2, height)]),
    )


def cast_view(room: Room, camera: Camera) -> Hits:
    """Return what the rays through the middles of all pixels meet, row by row."""
    return _cast(room, camera, *grid_px(), _grid_rows)


def cast(room: Room, camera: Camera, x_px: Array, y_px: Array) -> Hits:
    """Return what the rays through picture points [n] px meet; the camera is inside the room, so all meet something."""

    def rows_in(x0: float, y0: float, x1: float, y1: float) -> Array:
        return np.flatnonzero((x_px >= x0) & (x_px <= x1) & (y_px >= y0) & (y_px <= y1))

    return _cast(room, camera, x_px, y_px, rows_in)


def _cast(room: Room, camera: Camera, x_px: Array, y_px: Array, rows_in: Callable[..., Array]) -> Hits:
    scene = geometry(room)
    origin = np.array(camera.position_m)
    rays = camera.directions(x_px, y_px)
    inverse = 1.0 / np.where(rays == 0, 1e-12, rays).T
    depth_m, face = _shell(scene.shell_m, origin, inverse)
    box = np.full(len(rays), -1)
    for number, corners in enumerate(scene.corners_m):
        picked = rows_in(*_rectangle(camera, corners))
        if not len(picked):
            continue
        enter, enter_face = _enter(corners, origin, inverse[:, picked])
        nearer = enter < depth_m[picked]
        hit = picked[nearer]
        depth_m[hit], face[hit], box[hit] = enter[nearer], enter_face[nearer], number
    return Hits(depth_m, box, face, origin + rays * depth_m[:, None])


def _shell(shell_m: Array, origin: Array, inverse: Array) -> tuple[Array, Array]:
    """Return where rays leave the room: distance, and the face, whose normal points inwards."""
    middle = origin[:, None]
    leave = np.maximum((shell_m[0][:, None] - middle) * inverse, (shell_m[1][:, None] - middle) * inverse)
    axis = leave.argmin(axis=0)
    columns = np.arange(len(axis))
    return leave[axis, columns], 2 * axis + (inverse[axis, columns] < 0)


def _enter(corners: Array, origin: Array, inverse: Array) -> tuple[Array, Array]:
    """Return where rays of inverse directions [3, n] enter a box: distance (infinity where they miss), and face."""
    enter, leave = np.full(inverse.shape[1], -np.inf), np.full(inverse.shape[1], np.inf)
    face = np.zeros(inverse.shape[1], dtype=np.int64)
    for axis in range(3):
        one = (corners[0, axis] - origin[axis]) * inverse[axis]
        other = (corners[1, axis] - origin[axis]) * inverse[axis]
        first = np.minimum(one, other)
        later = first > enter
        face[later] = 2 * axis + (inverse[axis, later] < 0)
        np.maximum(enter, first, out=enter)
        np.minimum(leave, np.maximum(one, other), out=leave)
    enter[(enter <= NEAR_M) | (enter > leave)] = np.inf
    return enter, face


def _rectangle(camera: Camera, corners: Array) -> tuple[float, float, float, float]:
    """Return x0, y0, x1, y1 in px outside which no ray can meet a box."""
    points = np.array([(x, y, z) for x in corners[:, 0] for y in corners[:, 1] for z in corners[:, 2]])
    spots, z = camera.project(points)
    if (z <= NEAR_M).all():
        return 0.0, 0.0, -1.0, -1.0
    if (z <= NEAR_M).any():
        return 0.0, 0.0, float(WIDTH_PX), float(HEIGHT_PX)
    (x0, y0), (x1, y1) = (spots.min(axis=0) - 1).tolist(), (spots.max(axis=0) + 1).tolist()
    return x0, y0, x1, y1


def _grid_rows(x0: float, y0: float, x1: float, y1: float) -> Array:
    columns = np.arange(max(0, math.ceil(x0 - 0.5)), min(WIDTH_PX - 1, math.floor(x1 - 0.5)) + 1)
    lines = np.arange(max(0, math.ceil(y0 - 0.5)), min(HEIGHT_PX - 1, math.floor(y1 - 0.5)) + 1)
    return (lines[:, None] * WIDTH_PX + columns).ravel()
