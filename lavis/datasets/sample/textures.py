"""Procedural surfaces: brightness and tint over a face, from its own coordinates in m."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable

import numpy as np

from lavis.datasets.loaders.base import Array
from lavis.datasets.sample.plan import COLORS

NOISE_SIDE = 256


@functools.lru_cache(maxsize=32)
def _noise_table(seed: int) -> Array:
    return np.random.default_rng(seed).random((NOISE_SIDE, NOISE_SIDE)).astype(np.float32)


def noise(u: Array, v: Array, seed: int) -> Array:
    """Return smooth noise 0 … 1 with one knot per unit of ``u`` and ``v``."""
    table = _noise_table(seed)
    u0, v0 = np.floor(u), np.floor(v)
    s, t = (u - u0).astype(np.float32), (v - v0).astype(np.float32)
    i, j = u0.astype(np.int64) % NOISE_SIDE, v0.astype(np.int64) % NOISE_SIDE
    i1, j1 = (i + 1) % NOISE_SIDE, (j + 1) % NOISE_SIDE
    low = table[i, j] * (1 - s) + table[i1, j] * s
    high = table[i, j1] * (1 - s) + table[i1, j1] * s
    mixed: Array = low * (1 - t) + high * t
    return mixed


def _rgb(base: Array, factor: Array) -> Array:
    return base * factor[:, None]


def _lines(x: Array, period_m: float, width_m: float) -> Array:
    """Return 1 on lines of a width at every period, 0 elsewhere."""
    return ((x % period_m) < width_m).astype(np.float32)


def plain(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Paint with the faintest unevenness."""
    return _rgb(base, 0.97 + 0.06 * noise(u * 6, v * 6, 1))


def wallpaper(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Broad pale stripes."""
    stripe = 0.5 + 0.5 * np.sin(u * (2 * np.pi / 0.4))
    return _rgb(base, 0.95 + 0.05 * stripe + 0.03 * noise(u * 10, v * 10, 2))


def wood(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Boards of 14 cm with grain along the longer side."""
    along, across = (u, v) if size_m[0] >= size_m[1] else (v, u)
    board = np.floor(across / 0.14)
    tone = 0.86 + 0.22 * noise(board + 0.5, board * 1.7 + np.floor(along / 1.3 + board * 0.37), 3)
    grain = 0.9 + 0.18 * noise(along * 3 + board * 11, across * 60, 4)
    return _rgb(base, tone * grain * (1 - 0.3 * _lines(across, 0.14, 0.006)))


def tiles(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Square tiles of 30 cm with joints."""
    tone = 0.93 + 0.1 * noise(np.floor(u / 0.3) + 0.5, np.floor(v / 0.3) + 0.5, 5)
    joint = np.maximum(_lines(u, 0.3, 0.012), _lines(v, 0.3, 0.012))
    return _rgb(base, tone * (1 - 0.35 * joint))


def fabric(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Paint a soft weave."""
    return _rgb(base, 0.86 + 0.14 * noise(u * 60, v * 60, 6) + 0.12 * noise(u * 8, v * 8, 7))


def carpet(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Paint a rough pile."""
    return _rgb(base, 0.82 + 0.24 * noise(u * 45, v * 45, 8) + 0.1 * noise(u * 3, v * 3, 9))


def stone(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Speckled stone."""
    return _rgb(base, 0.85 + 0.3 * noise(u * 30, v * 30, 10))


def leaves(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Mottled leaves."""
    return _rgb(base, 0.55 + 0.8 * noise(u * 22, v * 14, 11))


def panels(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Paint a door leaf with four panels and a handle."""
    s, t = u / size_m[0], v / size_m[1]
    inner = ((s % 0.5 > 0.1) & (s % 0.5 < 0.42) & (t % 0.5 > 0.06) & (t % 0.5 < 0.44)).astype(np.float32)
    colors = _rgb(base, 0.92 + 0.06 * noise(u * 5, v * 40, 12) - 0.14 * inner)
    handle = (np.abs(s - 0.9) < 0.05) & (np.abs(t - 0.5) < 0.012)
    colors[handle] = (200, 190, 150)
    return colors


def doors(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Cupboard doors of about 50 cm with gaps and knobs."""
    count = max(1, round(size_m[0] / 0.5))
    s = (u / size_m[0] * count) % 1
    gap = ((s < 0.02) | (s > 0.98)).astype(np.float32)
    knob = (np.abs(s - 0.85) < 0.04) & (np.abs(v / size_m[1] - 0.55) < 0.03)
    colors = _rgb(base, (0.93 + 0.08 * noise(u * 4, v * 30, 13)) * (1 - 0.4 * gap))
    colors[knob] = (70, 68, 66)
    return colors


def drawers(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Drawers of about 22 cm with handles."""
    count = max(1, round(size_m[1] / 0.22))
    t = (v / size_m[1] * count) % 1
    gap = ((t < 0.05) | (t > 0.95)).astype(np.float32)
    handle = (np.abs(u / size_m[0] - 0.5) < 0.16) & (np.abs(t - 0.6) < 0.07)
    colors = _rgb(base, (0.94 + 0.08 * noise(u * 30, v * 4, 14)) * (1 - 0.4 * gap))
    colors[handle] = (70, 68, 66)
    return colors


def books(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Book spines of 4 cm in many colours."""
    spines = np.array(
        [COLORS[name] for name in ("red", "blue", "green", "beige", "brown", "grey", "orange")], np.float32
    )
    number = np.floor(u / 0.04)
    picked = (noise(number + 0.5, np.full_like(number, 0.5), 15) * 97).astype(np.int64) % len(spines)
    return spines[picked] * (0.9 - 0.5 * _lines(u, 0.04, 0.005))[:, None]


def sky(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Paint a window: sky over a green hill, with a cross of bars."""
    s, t = u / size_m[0], v / size_m[1]
    hill = 0.25 + 0.1 * np.sin(s * 5 + 1)
    low, high = np.array((214, 232, 246), np.float32), np.array((150, 196, 238), np.float32)
    colors = low + (high - low) * np.clip(t, 0, 1)[:, None]
    colors = np.where((t < hill)[:, None], np.array((132, 168, 110), np.float32), colors)
    bar = (np.abs(u - size_m[0] / 2) < 0.025) | (np.abs(t - 0.5) < 0.02)
    return np.where(bar[:, None], base, colors)


def glass(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Paint a mirror's sheen."""
    sheen = 1.15 + 0.25 * np.sin((u + v) * 5)
    colors: Array = np.array((168, 182, 192), np.float32) * sheen[:, None]
    return colors


def screen(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Paint a dark screen with a rim and a faint reflection."""
    s, t = u / size_m[0], v / size_m[1]
    rim = ((s < 0.03) | (s > 0.97) | (t < 0.05) | (t > 0.95)).astype(np.float32)
    return np.array((30, 33, 40), np.float32) * (1 + 0.5 * np.clip(s + t - 1, 0, 1) - 0.5 * rim)[:, None]


def chalk(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Paint a wiped board with a few lines of chalk."""
    wiped = np.array((44, 58, 52), np.float32) * (0.9 + 0.5 * noise(u * 4, v * 9, 16))[:, None]
    rows = (np.abs(v - 0.85 + 0.02 * np.sin(u * 40)) < 0.01) | (np.abs(v - 0.6 + 0.02 * np.sin(u * 55)) < 0.01)
    written = rows & (u > 0.3) & (u < 1.9) & (noise(u * 12, v * 3, 17) > 0.35)
    return np.where(written[:, None], np.array((215, 218, 212), np.float32), wiped)


def glow(u: Array, v: Array, base: Array, size_m: tuple[float, float]) -> Array:
    """Paint a lit lampshade."""
    return np.clip(_rgb(base, 1.1 + 0.15 * np.cos((v / size_m[1] - 0.4) * 3)), 0, 255)


TEXTURES: dict[str, Callable[[Array, Array, Array, tuple[float, float]], Array]] = {
    texture.__name__: texture
    for texture in (
        plain, wallpaper, wood, tiles, fabric, carpet, stone, leaves, panels, doors, drawers, books, sky, glass,
        screen, chalk, glow,
    )
}  # fmt: skip


def offset_m(key: str) -> float:
    """Return a shift that makes equal textures start at different places, the same for the same key."""
    return (zlib.crc32(key.encode()) % 997) / 7.0
