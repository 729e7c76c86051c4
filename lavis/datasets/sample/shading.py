"""Colour of what rays meet: texture, light and the darkening where surfaces meet."""

from __future__ import annotations

import functools

import numpy as np

from lavis.datasets.loaders.base import Array
from lavis.datasets.sample.camera import HEIGHT_PX, WIDTH_PX, Camera, grid_px
from lavis.datasets.sample.photographs import photograph
from lavis.datasets.sample.plan import COLORS, Box, Room
from lavis.datasets.sample.raycast import Geometry, Hits, cast, geometry
from lavis.datasets.sample.textures import TEXTURES, offset_m

AMBIENT = 0.82
LAMP = 0.34
SHADOW_CELL_M = 0.04
LIT = ("sky", "glow")
# The four quarters of a pixel, for pixels at edges.
SUBPIXELS = ((-0.25, -0.25), (0.25, -0.25), (-0.25, 0.25), (0.25, 0.25))


def picture(room: Room, camera: Camera, hits: Hits) -> Array:
    """Return the view [h, w, 3] uint8 RGB, smoothed where neighbouring pixels meet different faces.

    Args:
        room: what is seen.
        camera: who sees it.
        hits: what the rays through the pixels' middles meet, row by row.
    """
    colors = shade(room, hits)
    x_px, y_px = grid_px()
    edge = np.flatnonzero(_edges(hits))
    if len(edge):
        offsets = np.array(SUBPIXELS)
        x, y = (np.add.outer(offsets[:, axis], at[edge]).ravel() for axis, at in ((0, x_px), (1, y_px)))
        quarters = shade(room, cast(room, camera, x, y))
        colors[edge] = quarters.reshape(len(offsets), len(edge), 3).mean(axis=0)
    return np.rint(colors).astype(np.uint8).reshape(HEIGHT_PX, WIDTH_PX, 3)


def shade(room: Room, hits: Hits) -> Array:
    """Return colours [n, 3] 0 … 255 of what rays meet."""
    scene = geometry(room)
    colors = np.zeros((len(hits.face), 3), dtype=np.float32)
    light = _light(room, hits) * _corners(room, hits)
    # One texture at a time: the key joins box and face.
    keys = (hits.box + 1) * 6 + hits.face
    order = np.argsort(keys, kind="stable")
    borders = np.flatnonzero(np.diff(keys[order])) + 1
    for rows in np.split(order, borders):
        if len(rows):
            box, face = int(hits.box[rows[0]]), int(hits.face[rows[0]])
            part, corners = _part(room, scene, box, face)
            colors[rows] = _texture(part, corners, face, hits.points_m[rows], f"{room.scene_id}/{box}")
            if part.texture in LIT:
                light[rows] = 1.0
    lit: Array = np.clip(colors * light[:, None], 0, 255)
    return lit


def _part(room: Room, scene: Geometry, box: int, face: int) -> tuple[Box, Array]:
    if box >= 0:
        return scene.boxes[box], scene.corners_m[box]
    low, high = (tuple(corner) for corner in scene.shell_m.tolist())
    texture, color = {5: room.floor, 4: ("plain", "white")}.get(face, ("wallpaper", room.wall))
    return Box(low, high, color, texture), scene.shell_m


def _texture(part: Box, corners: Array, face: int, points_m: Array, key: str) -> Array:
    axis = face // 2
    across, along = ((1, 2), (0, 2), (0, 1))[axis]
    local = points_m - corners[0]
    size = corners[1] - corners[0]
    u, v = local[:, across], local[:, along]
    # Seen from outside, these faces have their first coordinate running to the left.
    if face in (0, 3):
        u = size[across] - u
    base = np.array(COLORS[part.color], dtype=np.float32)
    if part.photo and axis == int(size[:2].argmin()):
        return _photo(part.photo, u / size[across], v / size[along])
    if part.texture in ("plain", "wallpaper", "wood", "fabric", "carpet", "stone", "leaves"):
        u, v = u + offset_m(key), v + offset_m(key + "v")
    return TEXTURES[part.texture](u, v, base, (float(size[across]), float(size[along])))


def _photo(name: str, s: Array, t: Array) -> Array:
    image = photograph(name).astype(np.float32)
    height, width = image.shape[:2]
    x = np.clip(s * width - 0.5, 0, width - 1.001)
    y = np.clip((1 - t) * height - 0.5, 0, height - 1.001)
    i, j = y.astype(np.int64), x.astype(np.int64)
    p, q = (y - i)[:, None], (x - j)[:, None]
    top = image[i, j] * (1 - q) + image[i, j + 1] * q
    bottom = image[i + 1, j] * (1 - q) + image[i + 1, j + 1] * q
    mixed: Array = top * (1 - p) + bottom * p
    return mixed


def _light(room: Room, hits: Hits) -> Array:
    """Return brightness [n]: ambient light, and a lamp in the middle of the ceiling (Lambert)."""
    lamp = np.array([0.0, 0.0, room.size_m[2] - 0.25])
    towards = lamp - hits.points_m
    distance = np.linalg.norm(towards, axis=1)
    cosine = np.abs((towards * hits.normals).sum(axis=1)) / np.maximum(distance, 1e-6)
    # Faces of one box differ a little even where the lamp lights them alike.
    tone = np.array([0.0, 0.03, -0.03, 0.05, -0.02, 0.06])[hits.face]
    brightness: Array = AMBIENT + tone + LAMP * cosine / (0.6 + 0.08 * distance**2)
    return np.minimum(brightness, 1.12).astype(np.float32)


def _corners(room: Room, hits: Hits) -> Array:
    """Return a darkening factor [n] where walls, floor and ceiling meet, and under and behind things."""
    low, high = geometry(room).shell_m
    factor = np.ones(len(hits.face))
    for axis in range(3):
        away = np.minimum(hits.points_m[:, axis] - low[axis], high[axis] - hits.points_m[:, axis])
        meeting = (hits.face // 2) != axis
        factor *= np.where(meeting, 1 - 0.22 * np.exp(-np.maximum(away, 0) / 0.22), 1.0)
    floor = (hits.box < 0) & (hits.face == 5)
    shadow = _floor_shadow(room)
    cells = np.clip(((hits.points_m[floor, :2] - low[:2]) / SHADOW_CELL_M).astype(np.int64), 0, None)
    factor[floor] *= shadow[np.minimum(cells[:, 0], shadow.shape[0] - 1), np.minimum(cells[:, 1], shadow.shape[1] - 1)]
    return factor.astype(np.float32)


@functools.lru_cache(maxsize=2)
def _floor_shadow(room: Room) -> Array:
    """Return soft shadows on the floor [x, y]: the footprints of low parts, blurred."""
    low, high = geometry(room).shell_m
    shape = np.ceil((high[:2] - low[:2]) / SHADOW_CELL_M).astype(int)
    cover = np.zeros(shape)
    for x0, y0, z0, x1, y1, z1 in geometry(room).corners_m.reshape(-1, 6):
        if z0 < 1.0 and z1 > 0.05:
            (i0, j0), (i1, j1) = (
                np.clip(np.rint((np.array(c) - low[:2]) / SHADOW_CELL_M), 0, shape).astype(int)
                for c in ((x0, y0), (x1, y1))
            )
            cover[i0:i1, j0:j1] = np.maximum(cover[i0:i1, j0:j1], 1.0 - 0.6 * z0)
    for axis in (0, 1):
        for _ in range(2):
            cover = _blur(cover, 4, axis)
    shadow: Array = 1 - 0.5 * np.clip(cover, 0, 1)
    return shadow


def _blur(values: Array, radius: int, axis: int) -> Array:
    padded = np.pad(values, [(radius + 1, radius) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
    sums = padded.cumsum(axis=axis)
    width = 2 * radius + 1
    upper, lower = (slice(width, None), slice(None, -width))
    index = (upper, slice(None)) if axis == 0 else (slice(None), upper)
    before = (lower, slice(None)) if axis == 0 else (slice(None), lower)
    blurred: Array = (sums[index] - sums[before]) / width
    return blurred


def _edges(hits: Hits) -> Array:
    keys = ((hits.box + 1) * 6 + hits.face).reshape(HEIGHT_PX, WIDTH_PX)
    edge = np.zeros(keys.shape, dtype=bool)
    across, down = keys[:, 1:] != keys[:, :-1], keys[1:] != keys[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge.ravel()
